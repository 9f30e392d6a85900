"""What is posted to a webhook: which messages share a request, its address, its headers. Pure.

    messages ──requests──▶ Request (one message, or several as a JSON array) ──url_of, headers_of──▶ POST

The address of a message is a path: it is put behind that of the URL, and everything in it that is not part of a path is
escaped, so that whatever a message holds, the request goes to the configured host.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from trickle.relay.failures import Failure, FailureKind
from trickle.relay.headers import outbound
from trickle.relay.message import Outgoing
from trickle.relay.signatures import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from trickle.relay.view import is_json

_CLOUDEVENT = "application/cloudevents+json"
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")

# What the sink and HTTP say themselves; a message that brings one of these cannot change it.
_RESERVED = frozenset(
    {
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "idempotency-key",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        ID_HEADER,
        SIGNATURE_HEADER,
        TIMESTAMP_HEADER,
    }
)


@dataclass(frozen=True, slots=True)
class Request:
    """Messages that travel together, by their places in the call, all to one address."""

    address: str
    indexes: tuple[int, ...]


def requests(
    messages: Sequence[Outgoing], indexes: Iterable[int], most: int, most_bytes: int = 2**20
) -> Iterator[Request]:
    """These messages in requests of at most so many; those of one key stay in order, within requests and between."""
    gathered: dict[str, list[int]] = {}
    sizes: dict[str, int] = {}
    home_of: dict[str, str] = {}  # key ─▶ the address of the last message with it
    for index in indexes:
        message = messages[index]
        if message.key is not None:
            elsewhere = home_of.get(message.key, message.address)
            if elsewhere != message.address and elsewhere in gathered:
                yield Request(elsewhere, tuple(gathered.pop(elsewhere)))
            home_of[message.key] = message.address
        size = sizes.get(message.address, 0) + len(message.body)
        if message.address in gathered and size > most_bytes:
            yield Request(message.address, tuple(gathered.pop(message.address)))
        together = gathered.setdefault(message.address, [])
        sizes[message.address] = size if together else len(message.body)
        together.append(index)
        if len(together) >= most:
            yield Request(message.address, tuple(gathered.pop(message.address)))
    for address, together in gathered.items():
        yield Request(address, tuple(together))


def halves(request: Request) -> tuple[Request, Request]:
    """The same messages in two requests, in order."""
    middle = len(request.indexes) // 2
    return Request(request.address, request.indexes[:middle]), Request(request.address, request.indexes[middle:])


def url_of(url: str, address: str) -> str:
    """Where a request goes. Raises ValueError when the address leads out of the path of the URL.

    >>> url_of("https://example.com/in?tenant=7", "orders/created?x")
    'https://example.com/in/orders/created%3Fx?tenant=7'
    """
    if not address:
        return url
    steps = address.strip("/").split("/")
    if any(step in ("", ".", "..") for step in steps):
        raise ValueError("it is empty or has an empty step, `.` or `..` in it")
    parts = urlsplit(url)
    path = "/".join((parts.path.rstrip("/"), *(quote(step, safe="") for step in steps)))
    return urlunsplit(parts._replace(path=path))


def fault_of(message: Outgoing, *, batched: bool) -> Failure | None:
    """Why this message cannot be brought into a request at all."""
    for name, value in (("Idempotency-Key", message.event_id), *outbound(message).items()):
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            return Failure(FailureKind.ENCODING, f"the header {name!r} has a name or value that HTTP does not allow")
    if batched and not is_json(message.content_type):
        return Failure(FailureKind.ENCODING, "only JSON can be sent in batches, as the elements of an array")
    try:
        url_of("https://host/", message.address)
    except ValueError as error:
        return Failure(FailureKind.ENCODING, f"the address cannot be part of a URL: {error}")
    return None


def body_of(messages: Sequence[Outgoing], *, batched: bool) -> tuple[bytes, str]:
    """What is sent, and its content type."""
    if not batched:
        return messages[0].body, messages[0].content_type
    are_events = all(message.content_type.startswith(_CLOUDEVENT) for message in messages)
    content_type = "application/cloudevents-batch+json" if are_events else "application/json"
    return b"[" + b",".join(message.body for message in messages) + b"]", content_type


def id_of(messages: Sequence[Outgoing]) -> str:
    """By what the receiver can recognise the request: one message's id, or a hash of those of a batch in order."""
    if len(messages) == 1:
        return messages[0].event_id
    return "batch_" + hashlib.sha256("\n".join(message.event_id for message in messages).encode()).hexdigest()


def headers_of(messages: Sequence[Outgoing], body: bytes, timestamp: int, keys: Sequence[bytes]) -> Mapping[str, str]:
    """What the message itself brings (one of a batch brings nothing), its id, and the signature of all of it."""
    own = outbound(messages[0]) if len(messages) == 1 else {}
    headers = {name: value for name, value in own.items() if name.lower() not in _RESERVED}
    event_id = id_of(messages)
    headers |= {"Idempotency-Key": event_id, ID_HEADER: event_id, TIMESTAMP_HEADER: str(timestamp)}
    if keys:
        headers[SIGNATURE_HEADER] = sign(event_id, timestamp, body, keys)
    return headers
