"""Nobody oversleeps: a book that lets stream tables sleep plans as one does that looks at all of them every time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from trickle.scheduler.agenda import Agenda
from trickle.scheduler.book import Book, Plan
from trickle.scheduler.due import Policy
from trickle.scheduler.memory import Moment
from trickle.scheduler.schedule import parse_schedule
from trickle.scheduler.table import Table, Tier

START = datetime(2026, 6, 1, tzinfo=UTC)
IDS = st.integers(1, 5)
SOME = st.frozensets(IDS)
# What 1 to 5 read among each other.
SHAPES: dict[str, dict[int, set[int]]] = {
    "chain": {4: {3}, 5: {4}},
    "diamond": {2: {1}, 3: {1}, 4: {2, 3}, 5: {4}},
    "cycle": {2: {1, 3}, 3: {2}, 4: {3}},
}


class Twins(RuleBasedStateMachine):
    """Two books that are told the same; in one of them nobody sleeps."""

    @initialize(
        schedules=st.lists(st.sampled_from([None, "1s", "7s", "2m", "*/5 * * * * *"]), min_size=5, max_size=5),
        tiers=st.lists(st.sampled_from(Tier), min_size=5, max_size=5),
        shape=st.sampled_from(list(SHAPES)),
        slowest=st.booleans(),
    )
    def begin(self, schedules: list[str | None], tiers: list[Tier], shape: str, slowest: bool) -> None:
        self.books = Book("7", Policy()), Book("7", Policy())
        self.now = 0.0
        self.owned: frozenset[int] = frozenset()
        self.tables = {
            number: Table(
                number,
                "public",
                f"t{number}",
                schedule=parse_schedule(schedule),
                tier=tier,
                upstream=frozenset(SHAPES[shape].get(number, ())),
                is_slowest=slowest,
                program_version="7",
                last_refresh_at=START,
            )
            for number, (schedule, tier) in enumerate(zip(schedules, tiers, strict=True), 1)
        }
        self._read()

    def _read(self) -> None:
        for book in self.books:
            book.read(self.tables.values())

    @property
    def moment(self) -> Moment:
        return Moment(START + timedelta(seconds=self.now), self.now)

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.3, 1.0, 5.0, 31.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(owned=SOME)
    def claims_change(self, owned: frozenset[int]) -> None:
        self.owned = owned

    @rule(asked=SOME, found=SOME)
    def sources_are_looked_at(self, asked: frozenset[int], found: frozenset[int]) -> None:
        for book in self.books:
            book.polled(asked & found, asked, self.now)

    @rule(changed=SOME)
    def bells_ring(self, changed: frozenset[int]) -> None:
        for book in self.books:
            book.noticed(changed)

    @rule(
        pgt_id=IDS,
        change=st.sampled_from(
            [
                {"status": "PAUSED"},
                {"status": "ACTIVE"},
                {"needs_reinit": True},
                {"program_state": "stale"},
                {"tier": Tier.HOT},
                {"held": "a gate"},
                {"held": None},
                {"is_atomic": False},
                {"refresh_mode": "IMMEDIATE"},
                {"schedule": parse_schedule("3s")},
            ]
        ),
    )
    def the_catalog_changes(self, pgt_id: int, change: dict[str, object]) -> None:
        self.tables[pgt_id] = replace(self.tables[pgt_id], **change)  # type: ignore[arg-type]
        self._read()

    @rule(tiered=st.booleans())
    def settings_change(self, tiered: bool) -> None:
        for book in self.books:
            book.policy = Policy(tiered_scheduling=tiered)

    @rule(rows=st.integers(0, 1), fails=st.booleans(), count=st.integers(0, 2))
    def work_is_done(self, rows: int, fails: bool, count: int) -> None:
        plan = self._plan()
        for book in self.books:
            for item in plan.refresh[:count]:
                book.started(item.members, self.moment)
                if fails:
                    for pgt_id in item.members:
                        book.failed(pgt_id, self.now + 4.0)
                else:
                    book.refreshed(dict.fromkeys(item.members, rows), self.now)
            for pgt_id in plan.compile[:count]:
                book.started_compiling(pgt_id, self.now)
                book.dropped(pgt_id) if fails else book.compiled(pgt_id, "compiled")
            book.touched(plan.touch, self.moment)

    @rule(pgt_id=IDS)
    def one_is_held_back(self, pgt_id: int) -> None:
        for book in self.books:
            if pgt_id not in book.running:
                book.skipped(pgt_id, "a gate", self.now + 1.0)

    @rule(count=st.integers(1, 2))
    def work_begins(self, count: int) -> None:
        plan = self._plan()
        for book in self.books:
            for item in plan.refresh[:count]:
                book.started(item.members, self.moment)

    @rule(rows=st.integers(0, 1))
    def work_ends(self, rows: int) -> None:
        for book in self.books:
            for pgt_id in sorted(book.running):
                book.refreshed({pgt_id: rows}, self.now)

    def _plan(self) -> Plan:
        book, sleepless = self.books
        sleepless._agenda.wake(sleepless.tables)
        plan, whole = book.plan(self.owned, self.moment), sleepless.plan(self.owned, self.moment)
        assert plan.compile == whole.compile
        assert plan.refresh == whole.refresh
        assert set(plan.touch) == set(whole.touch)
        return whole

    @invariant()
    def both_plan_the_same(self) -> None:
        if hasattr(self, "books"):
            self._plan()


Twins.TestCase.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
TestTwins = Twins.TestCase


def test_who_runs_is_not_remembered_for_ever() -> None:
    agenda = Agenda()
    for _ in range(1000):
        agenda.sleep(1, float("inf"))
    assert agenda._asleep == []
