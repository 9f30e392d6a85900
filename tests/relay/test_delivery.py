"""What is on its way: every law of `delivery`, against a destination that answers in any order and fails in any way."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.delivery import outgoing
from support.pigeon import message

from trickle.relay.delivery import Delivery, Retry
from trickle.relay.failures import Failure, FailureKind
from trickle.relay.items import Burial, Item, Place, Window

_WINDOW = Window("1:1:", "9:9:")
_KEYS = st.sampled_from([None, "a", "b", "c"])
_AWAY = Failure(FailureKind.UNAVAILABLE, "away")
_BUSY = Failure(FailureKind.THROTTLED, "later")
_REFUSED = Failure(FailureKind.REJECTED, "never")
_FATES = st.sampled_from([None, None, None, _AWAY, _BUSY, _REFUSED])


@dataclass(frozen=True)
class Call:
    """One send that is under way, and what the destination makes of each message."""

    items: list[Item]
    fates: list[Failure | None]
    numbers: list[int] = field(default_factory=list)  # of the arrivals, in the order of the calls

    def failures(self) -> dict[int, Failure]:
        return {index: fate for index, fate in enumerate(self.fates) if fate is not None}


class Destination(RuleBasedStateMachine):
    """Reads, sends and answers in any order. Messages arrive in the order of the calls, as a sink has to see to."""

    @initialize(keeps_order=st.booleans(), attempts=st.integers(1, 4))
    def begin(self, keeps_order: bool, attempts: int) -> None:
        self.delivery = Delivery(keeps_order, Retry(attempts, 0.1, 1.0))
        self.now = 0.0
        self.keys: dict[int, str | None] = {}  # of each message, by its id
        self.calls: list[Call] = []
        self.graves: list[Burial] = []
        self.arrivals: list[int] = []
        self.finished: set[int] = set()
        self.buried: set[int] = set()
        self.poison: set[int] = set()  # refused whenever they come
        self.of_item: dict[int, Item] = {}
        self.cut: set[int] = set()  # places in `arrivals` that a lost connection took back
        self.passed = 0

    @rule(key=_KEYS, parts=st.integers(1, 2))
    def reads(self, key: str | None, parts: int) -> None:
        number = self._number(key)
        made = [outgoing(number, key=key, prefix=f"part-{part}") for part in range(parts)]
        self.delivery.read(key, message(outbox_id=number, key=key), made, Place(_WINDOW, number))

    @rule(key=_KEYS)
    def reads_what_is_filtered_out(self, key: str | None) -> None:
        number = self._number(key)
        self.delivery.read(key, message(outbox_id=number), (), Place(_WINDOW, number))
        self.finished.add(number)

    @rule(key=_KEYS)
    def reads_what_cannot_be_encoded(self, key: str | None) -> None:
        number = self._number(key)
        self.graves.append(self.delivery.refuse(message(outbox_id=number), _REFUSED, Place(_WINDOW, number)))

    @precondition(lambda self: len(self.calls) < 4)
    @rule(limit=st.integers(1, 4), is_probe=st.booleans(), data=st.data())
    def sends(self, limit: int, is_probe: bool, data: st.DataObject) -> None:
        items = self.delivery.take(limit, self.now, is_probe)
        assert len(items) <= limit
        if items:
            self._begin(items, [data.draw(_FATES) for _ in items])

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), draw=st.floats(0, 1, exclude_max=True))
    def answers(self, data: st.DataObject, draw: float) -> None:
        self._answer(data.draw(st.integers(0, len(self.calls) - 1)), draw)

    @rule(data=st.data())
    def loses_the_connection(self, data: st.DataObject) -> None:
        under_way = sorted(number for call in self.calls for number in call.numbers)
        arrived = data.draw(st.integers(0, len(under_way)))
        self.cut.update(under_way[arrived:])
        self.calls.clear()
        self.delivery.cut_off()

    @rule()
    def buries(self) -> None:
        self._bury()

    @rule(seconds=st.floats(0, 2))
    def waits(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def never_passes_what_is_not_done(self) -> None:
        if not hasattr(self, "delivery"):
            return
        is_further, place = self.delivery.is_further, self.delivery.place()
        assert is_further == (place is not None)
        if place is not None:
            assert place.through_id > self.passed
            assert self._done() >= set(range(1, place.through_id + 1))
            self.passed = place.through_id
        next_one = self.passed + 1
        assert next_one not in self._done() or next_one not in self.keys

    @invariant()
    def one_of_a_key_at_a_time(self) -> None:
        if hasattr(self, "delivery") and not self.delivery.keeps_order:
            keys = [item.lane for call in self.calls for item in call.items if item.lane is not None]
            assert len(keys) == len(set(keys))

    def teardown(self) -> None:
        """With a destination that accepts everything, all is done in the end."""
        if not hasattr(self, "delivery"):
            return
        while self.calls:
            self._answer(0, 0.5)
        for _ in range(20 + 10 * len(self.keys)):
            self._bury()
            self.now += 10.0
            while items := self.delivery.take(3, self.now):
                self._begin(items, [None] * len(items))
                self._answer(0, 0.5)
        assert len(self.delivery) == 0
        assert self.delivery.size == 0
        assert not self.delivery.has_more
        assert self.delivery.next_retry() is None
        assert self._done() == set(self.keys)
        self.never_passes_what_is_not_done()
        assert self.passed == len(self.keys)
        self._assert_in_order()

    def _number(self, key: str | None) -> int:
        number = len(self.keys) + 1
        self.keys[number] = key
        return number

    def _begin(self, items: list[Item], fates: list[Failure | None]) -> None:
        """What follows a message of its key that has failed in passing fails too, where the sink keeps the order."""
        call = Call(items, fates)
        self.calls.append(call)
        failed: dict[str, int] = {}
        self.poison.update(item.number for item, fate in zip(items, fates, strict=True) if fate is _REFUSED)
        fates[:] = [_REFUSED if item.number in self.poison else fate for item, fate in zip(items, fates, strict=True)]
        for other in self.calls:
            for item, fate in zip(other.items, other.fates, strict=True):
                if fate in (_AWAY, _BUSY) and item.lane is not None:
                    failed[item.lane] = min(failed.get(item.lane, item.number), item.number)
        for index, item in enumerate(items):
            if item.lane in failed and item.number > failed[item.lane]:
                fates[index] = _AWAY
            elif fates[index] is None:
                call.numbers.append(len(self.arrivals))
                self.arrivals.append(item.number)
        self.of_item.update((item.number, item) for item in items)

    def _answer(self, index: int, draw: float) -> None:
        call = self.calls.pop(index)
        accepted = len(self.arrivals) - len(self.cut)
        for burial in self.delivery.answered(call.items, call.failures(), self.now, draw):
            assert burial.failure is not _BUSY
            assert burial.failure is _REFUSED or accepted > 0
            self.graves.append(burial)
        self._note(item for item, fate in zip(call.items, call.fates, strict=True) if fate is None)

    def _bury(self) -> None:
        graves, self.graves = self.graves, []
        items = [burial.item for burial in graves]
        self.delivery.buried(items)
        self.buried.update(item.number for item in items)
        self._note(items)

    def _note(self, items: Iterable[Item]) -> None:
        """A message is finished when its last part is, which has its place."""
        self.finished.update(item.place.through_id for item in items if item.place is not None)

    def _done(self) -> set[int]:
        return self.finished - {item.message.outbox_id for item in self.of_item.values() if not item.is_done}

    def _assert_in_order(self) -> None:
        """First arrivals of each key are in the order of reading, and nothing is missing but what was buried."""
        items = self.of_item
        arrived = dict.fromkeys(number for place, number in enumerate(self.arrivals) if place not in self.cut)
        assert arrived.keys() | self.buried >= items.keys()
        for key in ("a", "b", "c"):
            firsts = [number for number in arrived if items[number].lane == key and number not in self.buried]
            assert firsts == sorted(firsts)


Destination.TestCase.settings = settings(
    max_examples=300, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestDestination = Destination.TestCase


def read(delivery: Delivery, numbers: Iterable[int], key: str | None = "k") -> None:
    for number in numbers:
        delivery.read(key, message(outbox_id=number, key=key), [outgoing(number, key=key)], Place(_WINDOW, number))


@pytest.mark.parametrize("keeps_order", [True, False])
def test_many_messages_of_one_key_cost_no_more_than_of_many_keys(keeps_order: bool) -> None:
    delivery = Delivery(keeps_order, Retry())
    began = time.process_time()
    read(delivery, range(10_000))
    while items := delivery.take(500, 0.0):
        delivery.answered(items, {}, 0.0, 0.5)
    assert len(delivery) == 0
    assert time.process_time() - began < 2.0


def test_failures_of_many_messages_of_one_key_are_not_quadratic() -> None:
    delivery = Delivery(True, Retry())
    read(delivery, range(20_000))
    began = time.process_time()
    calls = [delivery.take(10_000, 0.0), delivery.take(10_000, 0.0)]
    for items in reversed(calls):
        delivery.answered(items, dict.fromkeys(range(len(items)), _AWAY), 0.0, 0.5)
    sent = []
    while len(delivery):
        items = delivery.take(20_000, 1000.0)
        sent += [item.message.outbox_id for item in items]
        delivery.answered(items, {}, 0.0, 0.5)
    assert sent == list(range(20_000))
    assert time.process_time() - began < 2.0


def test_a_message_that_fails_while_others_pass_is_buried_after_its_attempts() -> None:
    delivery = Delivery(True, Retry(max_attempts=3))
    read(delivery, [0], "bad")
    burials: list[Burial] = []
    for attempt in range(1, 4):
        read(delivery, [attempt], "good")
        items = delivery.take(10, 1000.0 * attempt)
        assert [item.lane for item in items] == ["bad", "good"]
        burials = delivery.answered(items, {0: _AWAY}, 1000.0 * attempt, 0.5)
        assert bool(burials) == (attempt == 3)
    assert burials[0].item.attempts == 3


def test_nothing_is_buried_because_the_destination_was_away() -> None:
    """Some were accepted before it went away, and some when it came back: it is nobody's fault."""
    delivery = Delivery(True, Retry(max_attempts=3))
    read(delivery, range(2), "a")
    read(delivery, range(2, 4), "b")
    assert not delivery.answered(delivery.take(4, 0.0), {0: _AWAY, 1: _AWAY}, 0.0, 0.5)
    read(delivery, range(4, 6), "c")
    for attempt in range(20):
        items = delivery.take(10, 1000.0 * attempt + 500)
        assert not delivery.answered(items, dict.fromkeys(range(len(items)), _AWAY), 1000.0 * attempt, 0.5)
    items = delivery.take(10, 1e6)
    assert not delivery.answered(items, {1: _AWAY}, 1e6, 0.5)


def test_nothing_is_buried_for_being_throttled() -> None:
    """A destination that takes a few of each batch and asks the others to come later."""
    delivery = Delivery(True, Retry(max_attempts=2))
    for number in range(200):
        read(delivery, [number], f"key {number}")
    now, rounds = 0.0, 0
    while len(delivery):
        items = delivery.take(200, now)
        assert not delivery.answered(items, dict.fromkeys(range(5, len(items)), _BUSY), now, 0.5)
        now, rounds = now + 1000.0, rounds + 1
    assert rounds == 40


def test_a_probe_is_a_message_that_has_not_failed() -> None:
    delivery = Delivery(False, Retry())
    read(delivery, [0], "bad")
    delivery.answered(delivery.take(1, 0.0), {0: _AWAY}, 0.0, 0.5)
    read(delivery, [1], "good")
    assert [item.lane for item in delivery.take(1, 1000.0, is_probe=True)] == ["good"]
    assert [item.lane for item in delivery.take(1, 1000.0, is_probe=True)] == ["bad"]


def test_a_message_waits_as_long_as_the_destination_asks() -> None:
    delivery = Delivery(False, Retry(backoff_seconds=0.1, max_backoff_seconds=1.0))
    read(delivery, [0])
    delivery.answered(delivery.take(1, 0.0), {0: Failure(FailureKind.THROTTLED, "later", 7.0)}, 0.0, 0.5)
    assert delivery.next_retry() == 7.0
    assert not delivery.take(1, 6.9)
    assert delivery.take(1, 7.0)


def test_what_could_not_be_buried_goes_again_before_its_key_does() -> None:
    delivery = Delivery(False, Retry())
    read(delivery, range(3))
    (burial,) = delivery.answered(delivery.take(3, 0.0), {0: _REFUSED}, 0.0, 0.5)
    assert not delivery.take(3, 100.0)
    delivery.again([burial.item], 50.0)
    for number in range(3):
        items = delivery.take(3, 100.0)
        assert [item.message.outbox_id for item in items] == [number]
        delivery.answered(items, {}, 100.0, 0.5)
