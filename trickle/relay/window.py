"""What a source has taken from its origin and not yet given back: in order, each waiting, in hand, or done.

    put ──▶ waiting ──receive──▶ in hand ──acknowledge──▶ done ──all before it too──▶ told to the origin
               ▲                    │
               └───── release ──────┘

Origins that are told "everything up to here" (a file, an outbox) or want acknowledgements in order (MQTT) hear of a
message when it and all before it are done. What is released waits again, before what came after it.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from trickle.relay.message import Incoming

Mark = TypeVar("Mark")


@dataclass(frozen=True, slots=True, eq=False)
class _Place(Generic[Mark]):
    """The token of a message: its place in one window, and what its origin knows it by."""

    window: Window[Mark]
    number: int
    mark: Mark


class Window(Generic[Mark]):
    """For one event loop; `mark` is what the origin has to be told about a message."""

    def __init__(self) -> None:
        self._next = 0
        self._order: deque[_Place[Mark]] = deque()
        self._done: set[int] = set()
        self._waiting: list[tuple[int, Incoming]] = []
        self._in_hand: set[int] = set()
        self._changed = asyncio.Event()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits and nothing is in hand."""
        return not self._order

    def __len__(self) -> int:
        return len(self._order)

    def put(self, mark: Mark, incoming: Callable[[object], Incoming]) -> None:
        """The next message of the origin, made with the token it is given."""
        place = _Place(self, self._next, mark)
        self._next += 1
        self._order.append(place)
        heapq.heappush(self._waiting, (place.number, incoming(place)))
        self._changed.set()

    def take(self, limit: int) -> list[Incoming]:
        """Up to so many that wait, in order; they are in hand now."""
        taken = [heapq.heappop(self._waiting) for _ in range(min(limit, len(self._waiting)))]
        self._in_hand.update(number for number, _ in taken)
        return [message for _, message in taken]

    async def receive(self, limit: int, wait_seconds: float) -> list[Incoming]:
        """The same, after waiting for the first of them or until `wake`."""
        self._changed.clear()
        if not self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait_seconds)
        return self.take(limit)

    def wake(self) -> None:
        """End a wait: there is something to see other than a message."""
        self._changed.set()

    def acknowledge(self, messages: Iterable[Incoming]) -> Sequence[Mark]:
        """The marks of those that are done now with all before them, in order; none twice."""
        self._done.update(number for number, _ in self._given_back(messages))
        told: list[Mark] = []
        while self._order and self._order[0].number in self._done:
            place = self._order.popleft()
            self._done.discard(place.number)
            told.append(place.mark)
        if not self._order:
            self._changed.set()
        return told

    def release(self, messages: Iterable[Incoming]) -> None:
        """Let these wait again."""
        for number, message in self._given_back(messages):
            heapq.heappush(self._waiting, (number, message))
        self._changed.set()

    def _given_back(self, messages: Iterable[Incoming]) -> list[tuple[int, Incoming]]:
        """Those that are in hand, and are no more. Others are of another window, or were given back before."""
        found: list[tuple[int, Incoming]] = []
        for message in messages:
            token = message.token
            if isinstance(token, _Place) and token.window is self and token.number in self._in_hand:
                self._in_hand.discard(token.number)
                found.append((token.number, message))
        return found
