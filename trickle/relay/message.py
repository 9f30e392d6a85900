"""What a pipeline carries: a message as it was published, as it goes out, and as it came in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple


class Message(NamedTuple):
    """One message of an outbox. The reader makes thousands a second, hence no dataclass."""

    outbox_id: int  # its place among those of one window
    event_id: str  # the same wherever and however often it is delivered
    created_at: datetime
    key: str | None  # messages with one key are delivered in order
    payload: bytes  # as published; JSON text unless `content_type` says otherwise
    content_type: str
    headers: Mapping[str, str]
    inserted_count: int
    deleted_count: int
    is_jsonb: bool = False  # the server has made sure that the payload is JSON; it is not looked at again


class Outgoing(NamedTuple):
    """A message ready for a destination: encoded, addressed."""

    event_id: str  # what the destination recognises it by
    key: str | None
    address: str  # subject, topic, stream, routing key, path: what the sink calls its destination; "" for its default
    body: bytes
    content_type: str
    headers: Mapping[str, str]
    created_at: datetime
    outbox_id: int


class Incoming(NamedTuple):
    """A message from a source, on its way into an inbox."""

    event_id: str  # an inbox receives each once
    event_type: str | None
    source: str  # where it came from, in words of the source: "nats:orders.created"
    key: str | None  # becomes the aggregate of the inbox
    payload: bytes
    content_type: str
    headers: Mapping[str, str]
    token: object  # the source's own: what it needs to acknowledge or release this message
