"""Which message may go now, what becomes of it, and how far everything is done. Pure.

    read ──▶ waiting ──take──▶ on their way ──▶ done ──────────▶ passed by the checkpoint, in the order of reading
               ▲                   ├── failed in passing: its key waits, and it goes first when its time comes
               └── connection lost ┘── refused for good: to be buried, then done; meanwhile its key waits

The law: of the messages of one key none goes before all earlier ones are done. Where the sink itself keeps what it is
given in order, one may follow another of its key without an answer to the first; but not one that has failed. A message
without a key is bound to no other.

Who is to blame? A message that the destination refuses as such is. One that fails in passing again and again is, when
between any two of its failures others were accepted. Otherwise it is the destination, and nothing is buried for its
sake; nor for being asked to come later.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trickle.relay.failures import Failure, FailureKind
from trickle.relay.items import Burial, Item, Place
from trickle.relay.message import Message, Outgoing


@dataclass(frozen=True, slots=True)
class Retry:
    """How a message that failed in passing is tried again."""

    max_attempts: int = 5  # after so many for which it is to blame it is buried
    backoff_seconds: float = 0.1
    max_backoff_seconds: float = 30.0


class _Lane:
    """A key whose messages wait for one of them."""

    __slots__ = ("_queue", "first")

    def __init__(self, first: Item) -> None:
        self.first = first  # on its way, ready, to be tried later, or to be buried
        self._queue: list[tuple[int, Item]] = []  # a heap by number: answers come in any order

    def __bool__(self) -> bool:
        return bool(self._queue)

    def put(self, item: Item) -> None:
        heapq.heappush(self._queue, (item.number, item))

    def next(self) -> Item:
        return heapq.heappop(self._queue)[1]

    def empty(self) -> list[Item]:
        """All that wait, in order."""
        items = [item for _, item in sorted(self._queue)]
        self._queue.clear()
        return items


class Delivery:
    """The messages of one pipeline between reading and checkpoint; moments are monotonic seconds."""

    def __init__(self, keeps_order: bool, retry: Retry) -> None:
        self.size = 0  # bytes of what is not done
        self.keeps_order = keeps_order
        self._retry = retry
        self._next_number = 0
        self._in_hand: deque[Item] = deque()
        self._waiting: deque[Item] = deque()
        self._ready: deque[Item] = deque()  # whose key waits for them
        self._flying: dict[int, Item] = {}
        self._later: dict[int, tuple[Item, float]] = {}  # failed in passing, and when they may go again
        self._lanes: dict[str, _Lane] = {}
        self._accepted = 0
        self._place: Place | None = None

    def __len__(self) -> int:
        return len(self._in_hand)

    @property
    def has_more(self) -> bool:
        """Whether anything but time and the destination keeps messages from going."""
        return bool(self._ready or self._waiting)

    @property
    def is_further(self) -> bool:
        """Whether more is done than the place that was asked for last says."""
        return self._place is not None

    def read(self, lane: str | None, message: Message, parts: Sequence[Outgoing], place: Place | None) -> None:
        """One more message, perhaps in several parts, or none of it to be sent."""
        last = len(parts) - 1
        for index, part in enumerate(parts):
            self._waiting.append(self._add(lane, message, part, place if index == last else None))
        if last < 0:
            self._finish(self._add(None, message, None, place))

    def refuse(self, message: Message, failure: Failure, place: Place | None) -> Burial:
        """One more message, which cannot even be made ready to go."""
        return Burial(self._add(None, message, None, place), failure)

    def take(self, limit: int, now: float, is_probe: bool = False) -> list[Item]:
        """What goes next, in order; it is on its way until it is answered.

        A probe is a message that has not failed, if there is one: else a bad one alone could speak for the destination.
        """
        batch = self._due(limit, now) if self._later and not is_probe else []
        while self._ready and len(batch) < limit:
            batch.append(self._ready.popleft())
        waiting, lanes, keeps_order = self._waiting, self._lanes, self.keeps_order
        while waiting and len(batch) < limit:
            item = waiting.popleft()
            lane = item.lane
            if lane is not None:
                blocked = lanes.get(lane)
                if blocked is not None:
                    blocked.put(item)
                    continue
                if not keeps_order:
                    lanes[lane] = _Lane(item)
            batch.append(item)
        if is_probe and not batch:
            batch = self._due(limit, now)
        for item in batch:
            self._flying[item.number] = item
        return batch

    def next_retry(self) -> float | None:
        """When something that failed may go again."""
        return min((moment for _, moment in self._later.values()), default=None)

    def answered(self, items: Sequence[Item], failures: Mapping[int, Failure], now: float, draw: float) -> list[Burial]:
        """The destination has spoken; what is to be buried. `draw` in [0, 1) spreads the retries."""
        accepted = len(items) - len(failures)
        self._accepted += accepted
        burials = []
        for index, item in enumerate(items):
            self._flying.pop(item.number, None)
            failure = failures.get(index) if failures else None
            if failure is None:
                self._finish(item)
            elif self._is_to_blame(item, failure):
                self._block(item, None)
                burials.append(Burial(item, failure))
            else:
                self._block(item, now + self._pause(item, failure, draw))
        return burials

    def again(self, items: Iterable[Item], moment: float) -> None:
        """These could not be buried: they are tried again."""
        for item in items:
            self._block(item, moment)

    def buried(self, items: Iterable[Item]) -> None:
        """These are set aside for good."""
        for item in items:
            self._finish(item)

    def cut_off(self) -> None:
        """The connection is lost: everything that has no answer goes again, in the order of reading."""
        again = {item.number: item for item in (*self._flying.values(), *self._ready, *self._waiting)}
        again.update((number, item) for number, (item, _) in self._later.items())
        for lane in self._lanes.values():
            again.update((item.number, item) for item in lane.empty())
        self._flying.clear()
        self._ready.clear()
        self._later.clear()
        # What is left is being buried, and its key stays blocked until that is done.
        self._lanes = {name: lane for name, lane in self._lanes.items() if lane.first.number not in again}
        self._waiting = deque(again[number] for number in sorted(again))

    def place(self) -> Place | None:
        """How far everything is done, when that is further than when it was asked last."""
        place, self._place = self._place, None
        return place

    def _due(self, limit: int, now: float) -> list[Item]:
        """Those that failed and whose time has come: they go first."""
        due = sorted(number for number, (_, moment) in self._later.items() if moment <= now)[:limit]
        return [self._later.pop(number)[0] for number in due]

    def _is_to_blame(self, item: Item, failure: Failure) -> bool:
        if not failure.kind.is_of_destination:
            return True
        item.attempts += 1
        if failure.kind is FailureKind.THROTTLED:
            return False  # it was asked for less, not for something else
        if item.blamed == 0 or self._accepted > item.accepted_before:
            item.blamed += 1
        item.accepted_before = self._accepted
        # The first failure alone says nothing about whose it is.
        return item.blamed >= max(2, self._retry.max_attempts)

    def _pause(self, item: Item, failure: Failure, draw: float) -> float:
        exponential = self._retry.backoff_seconds * 2.0 ** min(item.attempts - 1, 30)
        pause = min(self._retry.max_backoff_seconds, exponential) * (0.75 + 0.5 * draw)
        return max(pause, failure.retry_after or 0.0)

    def _block(self, item: Item, retry_at: float | None) -> None:
        """Nothing of its key goes before it is done. `retry_at` is None for one that is to be buried."""
        lane = self._lanes.get(item.lane) if item.lane is not None else None
        if lane is not None and lane.first is not item:
            if retry_at is None:
                return
            if item.number > lane.first.number:
                lane.put(item)
                return
            # An earlier one of the key fails after a later one did: it goes first.
            if self._later.pop(lane.first.number, None) is not None:
                lane.put(lane.first)
            lane.first = item
        elif lane is None and item.lane is not None:
            self._lanes[item.lane] = _Lane(item)
        if retry_at is not None:
            self._later[item.number] = (item, retry_at)

    def _finish(self, item: Item) -> None:
        item.is_done = True
        self.size -= item.size
        if item.lane is not None and self._lanes:
            self._unblock(item.lane, item)
        in_hand = self._in_hand
        while in_hand and in_hand[0].is_done:
            done = in_hand.popleft()
            if done.place is not None:
                self._place = done.place

    def _unblock(self, name: str, item: Item) -> None:
        lane = self._lanes.get(name)
        if lane is None or lane.first is not item:
            return
        if lane and not self.keeps_order:
            lane.first = lane.next()
            self._ready.append(lane.first)
            return
        del self._lanes[name]
        # The others of its key were read before anything that waits.
        self._waiting.extendleft(reversed(lane.empty()))

    def _add(self, lane: str | None, message: Message, part: Outgoing | None, place: Place | None) -> Item:
        item = Item(self._next_number, lane, message, part, place)
        self._next_number += 1
        self._in_hand.append(item)
        self.size += item.size
        return item
