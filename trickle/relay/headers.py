"""The headers in which a message carries what its broker has no place for.

    Outgoing ──outbound──▶ headers of the broker's message ──inbound──▶ what an Incoming is made of

A broker that knows a key, a content type or an id of its own gets it there; the rest travels under the names below. Of
several headers with one name in different cases the connector's own counts. Messages of other senders have none of
them: then a source says what stands for the id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from trickle.relay.message import Outgoing

EVENT_ID = "Trickle-Event-Id"
EVENT_TYPE = "Trickle-Event-Type"
KEY = "Trickle-Key"
CONTENT_TYPE = "Content-Type"

UNKNOWN_CONTENT = "application/octet-stream"

_OURS = frozenset(name.lower() for name in (EVENT_ID, KEY, CONTENT_TYPE))
# The last two are what messages of an outbox usually have.
_EVENT_TYPES = (EVENT_TYPE.lower(), "ce-type", "ce_type", "event_type", "type")


class Arrival(NamedTuple):
    """What the headers of a message that came in say; None where they say nothing."""

    event_id: str | None
    event_type: str | None
    key: str | None
    content_type: str
    headers: Mapping[str, str]  # the others


def outbound(message: Outgoing) -> dict[str, str]:
    """The message's headers with its content type and its key; the id goes where the broker wants it."""
    carried = {CONTENT_TYPE: message.content_type}
    if message.headers:
        others = {name: value for name, value in message.headers.items() if name.lower() not in _OURS}
        carried = others | carried
    if message.key is not None:
        carried[KEY] = message.key
    return carried


def inbound(headers: Mapping[str, str]) -> Arrival:
    """Take what `outbound` gave."""
    ours = {name.lower(): value for name, value in headers.items()}
    return Arrival(
        event_id=ours.get(EVENT_ID.lower()) or None,
        event_type=next((ours[name] for name in _EVENT_TYPES if name in ours), None),
        key=ours.get(KEY.lower()),
        content_type=ours.get(CONTENT_TYPE.lower(), UNKNOWN_CONTENT),
        headers={name: value for name, value in headers.items() if name.lower() not in _OURS},
    )
