"""native: an envelope around the payload that tells where it is from.

    {"v":1,"id":"…","op":"insert","outbox":"orders","subject":"orders.insert","key":"42","payload":{"total":7},
     "dedup_key":"…","committed_at":"2026-01-31T12:00:00.000000Z"}

`id` and `dedup_key` are the event id, the same however often a message is delivered; `key` is there when the message
has one. `committed_at` is when it was published, which its commit followed. A payload that is not JSON is in base64:
`payload_encoding` is "base64" then, and `content_type` what the publisher said.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trickle.relay.formats.format import JSON, Decode, Encode, Format, moment, quoted
from trickle.relay.message import Incoming, Message, Outgoing
from trickle.relay.options import option
from trickle.relay.view import Surroundings, Unusable, View, json_text, operation, parsed, written


@dataclass(frozen=True, slots=True)
class NativeOptions:
    """What the envelope holds beside the usual."""

    include_headers: bool = option(
        "Whether the headers of a message are in its envelope too, for destinations that carry none.", default=False
    )


def encoder(options: NativeOptions, around: Surroundings) -> Encode:
    outbox = quoted(around.outbox)

    def encode(view: View, message: Message, address: str) -> Sequence[Outgoing]:
        text = json_text(message)
        event_id = quoted(message.event_id)
        key = "" if message.key is None else f',"key":{quoted(message.key)}'
        head = (
            f'{{"v":1,"id":{event_id},"op":{quoted(operation(message))},"outbox":{outbox},'
            f'"subject":{quoted(address)}{key},"payload":'
        )
        headers = _headers(message) if options.include_headers else ""
        tail = f',"dedup_key":{event_id},"committed_at":"{moment(message.created_at)}"{headers}}}'
        body = head.encode() + (_binary(message) if text is None else text) + tail.encode()
        return (
            Outgoing(
                message.event_id,
                message.key,
                address,
                body,
                JSON,
                message.headers,
                message.created_at,
                message.outbox_id,
            ),
        )

    return encode


def decoder() -> Decode:
    return _decode


def _headers(message: Message) -> str:
    return f',"headers":{written(dict(message.headers)).decode()}'


def _binary(message: Message) -> bytes:
    mark = f'","payload_encoding":"base64","content_type":{quoted(message.content_type)}'
    return b'"' + base64.b64encode(message.payload) + mark.encode()


def _decode(message: Incoming) -> Incoming:
    envelope = parsed(message.payload)
    if not isinstance(envelope, dict) or envelope.get("v") != 1 or "payload" not in envelope:
        raise Unusable("the message is not in the native format: an object with v = 1 and a payload")
    payload, content_type = _opened(envelope)
    event_id, key = envelope.get("dedup_key") or envelope.get("id"), envelope.get("key")
    return message._replace(
        event_id=event_id if isinstance(event_id, str) and event_id else message.event_id,
        key=key if isinstance(key, str) else message.key,
        payload=payload,
        content_type=content_type,
    )


def _opened(envelope: Mapping[str, Any]) -> tuple[bytes, str]:
    if envelope.get("payload_encoding") != "base64":
        return written(envelope["payload"]), JSON
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise Unusable("the payload of the message is not base64, though it says so") from error
    return payload, str(envelope.get("content_type") or "application/octet-stream")


FORMAT = Format("native", NativeOptions, encoder, decoder)
