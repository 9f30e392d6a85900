"""What is in hand between reading and checkpoint: messages, where each stands in its outbox, and what is set aside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from trickle.relay.failures import Failure
from trickle.relay.message import Message, Outgoing


class Window(NamedTuple):
    """What one snapshot of an outbox sees and the one before it did not, in the words of the server."""

    prev: str
    cur: str


class Place(NamedTuple):
    """So far an outbox is read, or done: all earlier windows, and this one through an id."""

    window: Window
    through_id: int


class Item:
    """One message in hand, or one part of it."""

    __slots__ = (
        "accepted_before",
        "attempts",
        "blamed",
        "is_done",
        "lane",
        "message",
        "number",
        "outgoing",
        "place",
        "size",
    )

    def __init__(
        self, number: int, lane: str | None, message: Message, outgoing: Outgoing | None, place: Place | None
    ) -> None:
        self.number = number  # in the order of reading
        self.lane = lane  # its key; None: bound to no other message
        self.message = message
        self.outgoing = outgoing  # None: nothing to send, it was filtered out or could not be encoded
        self.place = place  # reached when it and all before it are done; None: more of the same message follows
        self.size = len(message.payload) + (len(outgoing.body) if outgoing is not None else 0)
        self.attempts = 0
        self.blamed = 0  # attempts that failed in passing while others were accepted, and the first
        self.accepted_before = 0
        self.is_done = False

    @property
    def event_id(self) -> str:
        return self.outgoing.event_id if self.outgoing is not None else self.message.event_id


@dataclass(frozen=True, slots=True)
class Burial:
    """A message that is to be set aside."""

    item: Item
    failure: Failure
