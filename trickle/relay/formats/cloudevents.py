"""cloudevents: CloudEvents 1.0, as one JSON document (structured) or as headers around the payload (binary).

    {"specversion":"1.0","id":"…","source":"/outboxes/orders","type":"orders.insert","time":"2026-01-31T12:00:00.000000Z",
     "datacontenttype":"application/json","subject":"42","partitionkey":"42","data":{"total":7}}

The key of a message is the subject and the partition key of the event. A payload that is not JSON stands in
`data_base64`. In binary mode the headers are named as the binding of the destination's protocol wants it, and their
values are percent-encoded where it says so.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trickle.relay import templates
from trickle.relay.formats.format import JSON, Decode, Encode, Format, moment, quoted
from trickle.relay.message import Incoming, Message, Outgoing
from trickle.relay.options import option
from trickle.relay.view import Surroundings, Unusable, View, event_type, json_text, operation, parsed, written

STRUCTURED = "application/cloudevents+json"

_PREFIXES = {"kafka": "ce_", "mqtt": "", "rabbitmq": "cloudEvents:"}
_ESCAPED_PREFIX = "ce-"
_ESCAPED = re.compile(r"[^!#$&-~]")  # all but printable ASCII, and of that the blank, the quote and the percent sign
_ATTRIBUTES = ("id", "type", "source", "subject", "partitionkey", "specversion")


@dataclass(frozen=True, slots=True)
class CloudEventsOptions:
    """How events are written, and what they say about themselves."""

    mode: str = option(
        "One JSON document, or attributes as headers and the payload as it is.",
        default="structured",
        choices=("structured", "binary"),
    )
    source: str = option("The attribute `source`: a reference.", default="/outboxes/{outbox}", template=True)
    type: str = option(
        "The attribute `type`. Empty means the message's event type, and without one {outbox}.{op}.",
        default="",
        template=True,
    )


def encoder(options: CloudEventsOptions, around: Surroundings) -> Encode:
    attributes = _attributes_of(options, around)
    if options.mode == "binary":
        return _binary(attributes, _PREFIXES.get(around.connector, _ESCAPED_PREFIX))
    return _structured(attributes)


def decoder() -> Decode:
    return _decode


def _attributes_of(options: CloudEventsOptions, around: Surroundings) -> Callable[[View], tuple[str, str]]:
    """What gives an event its source and type."""
    source, kind = templates.parse(options.source), templates.parse(options.type)

    def attributes(view: View) -> tuple[str, str]:
        message = view.message
        named = kind.render(view) or event_type(message) or f"{around.outbox}.{operation(message)}"
        return source.render(view), named

    return attributes


def _structured(attributes: Callable[[View], tuple[str, str]]) -> Encode:
    def encode(view: View, message: Message, address: str) -> Sequence[Outgoing]:
        source, kind = attributes(view)
        text = json_text(message)
        key = "" if message.key is None else f',"subject":{quoted(message.key)},"partitionkey":{quoted(message.key)}'
        content_type = f',"datacontenttype":{quoted(message.content_type)}' if message.content_type else ""
        head = (
            f'{{"specversion":"1.0","id":{quoted(message.event_id)},"source":{quoted(source)},"type":{quoted(kind)},'
            f'"time":"{moment(message.created_at)}"{content_type}{key},'
        )
        data = _base64(message.payload) if text is None else b'"data":' + text
        body = head.encode() + data + b"}"
        return (
            Outgoing(
                message.event_id,
                message.key,
                address,
                body,
                STRUCTURED,
                message.headers,
                message.created_at,
                message.outbox_id,
            ),
        )

    return encode


def _base64(payload: bytes) -> bytes:
    return b'"data_base64":"' + base64.b64encode(payload) + b'"'


def _binary(attributes: Callable[[View], tuple[str, str]], prefix: str) -> Encode:
    def encode(view: View, message: Message, address: str) -> Sequence[Outgoing]:
        source, kind = attributes(view)
        told = {
            "specversion": "1.0",
            "id": message.event_id,
            "source": source,
            "type": kind,
            "time": moment(message.created_at),
        }
        if message.key is not None:
            told |= {"subject": message.key, "partitionkey": message.key}
        headers = {f"{prefix}{name}": _header(value, prefix) for name, value in told.items()}
        made = {**message.headers, **headers}
        return (
            Outgoing(
                message.event_id,
                message.key,
                address,
                message.payload,
                message.content_type,
                made,
                message.created_at,
                message.outbox_id,
            ),
        )

    return encode


def _header(value: str, prefix: str) -> str:
    if prefix != _ESCAPED_PREFIX:
        return value
    return _ESCAPED.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "replace")), value)


def _decode(message: Incoming) -> Incoming:
    if message.content_type.partition(";")[0].strip().lower() == STRUCTURED:
        return _decode_structured(message)
    attributes = _from_headers(message.headers)
    if "id" not in attributes or "specversion" not in attributes:
        raise Unusable("the message is no cloud event: neither is its content type one, nor are its headers")
    return _received(message, attributes, message.payload, message.content_type)


def _decode_structured(message: Incoming) -> Incoming:
    event = parsed(message.payload)
    if not isinstance(event, dict) or not isinstance(event.get("id"), str):
        raise Unusable("the message is no cloud event: an object with an id")
    attributes = {name: event[name] for name in _ATTRIBUTES if isinstance(event.get(name), str)}
    payload, content_type = _data(event)
    return _received(message, attributes, payload, content_type)


def _data(event: Mapping[str, Any]) -> tuple[bytes, str]:
    content_type = str(event.get("datacontenttype") or JSON)
    if "data_base64" not in event:
        return written(event.get("data")), content_type
    try:
        return base64.b64decode(event["data_base64"], validate=True), content_type
    except (binascii.Error, ValueError, TypeError) as error:
        raise Unusable("the data_base64 of the message is not base64") from error


def _from_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The attributes, whichever protocol's names they have."""
    named = {name.lower(): value for name, value in headers.items()}
    for prefix in (_ESCAPED_PREFIX, "ce_", "cloudevents:", "cloudevents_", ""):
        if f"{prefix}specversion" in named:
            found = {name: named[prefix + name] for name in _ATTRIBUTES if prefix + name in named}
            return {name: _unescaped(value) for name, value in found.items()} if prefix == _ESCAPED_PREFIX else found
    return {}


def _unescaped(value: str) -> str:
    raw = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), value.encode())
    return raw.decode("utf-8", "replace")


def _received(message: Incoming, attributes: Mapping[str, str], payload: bytes, content_type: str) -> Incoming:
    return message._replace(
        event_id=attributes["id"],
        event_type=attributes.get("type") or message.event_type,
        key=attributes.get("partitionkey") or attributes.get("subject") or message.key,
        payload=payload,
        content_type=content_type,
    )


FORMAT = Format("cloudevents", CloudEventsOptions, encoder, decoder)
