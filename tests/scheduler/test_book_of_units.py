"""The book and its units: when a group is due, that nobody starves, and that looking only at news misses nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trickle.scheduler.book import Book, Plan
from trickle.scheduler.due import Policy
from trickle.scheduler.memory import Moment
from trickle.scheduler.schedule import parse_schedule
from trickle.scheduler.table import Table, Tier
from trickle.scheduler.units import Kind

START = datetime(2026, 6, 1, tzinfo=UTC)
SOURCE = 900
POLICY = Policy(slack_seconds=0.0, check_seconds=1e6)


def at(seconds: float) -> Moment:
    return Moment(START + timedelta(seconds=seconds), 1000 + seconds)


def table(pgt_id: int, reads: Iterable[int] = (), schedule: str | None = "10s", **more: object) -> Table:
    reads = frozenset(reads)
    made = Table(
        pgt_id,
        "public",
        f"t{pgt_id}",
        schedule=parse_schedule(schedule),
        last_refresh_at=START,
        upstream=frozenset(i for i in reads if i < 900),
        sources=frozenset(i for i in reads if i >= 900),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def checked(tables: Iterable[Table]) -> Book:
    """All of them refreshed at the start."""
    book = Book("", POLICY)
    book.read(tables)
    for pgt_id in list(book.tables):
        book.started([pgt_id], at(0))
        book.refreshed({pgt_id: 0}, at(0).monotonic)
    return book


def diamond(*, slow: str = "20s", **meeting: object) -> Book:
    """1 and 2 read one source, 3 reads both."""
    return checked([table(1, [SOURCE]), table(2, [SOURCE], slow), table(3, [1, 2], None, **meeting)])


def members(plan: Plan) -> list[tuple[int, ...]]:
    return [item.members for item in plan.refresh]


ALL = frozenset(range(1, 900))


def test_a_diamond_is_due_when_one_of_its_members_is() -> None:
    book = diamond()
    book.noticed({1, 2})
    assert members(book.plan(ALL, at(9))) == []
    (item,) = book.plan(ALL, at(10)).refresh
    assert (item.unit.kind, item.members, item.unit.has_one_snapshot) == (Kind.ATOMIC_GROUP, (1, 2, 3), True)


def test_with_the_slowest_policy_when_all_of_them_are() -> None:
    book = diamond(is_slowest=True)
    book.noticed({1, 2})
    assert members(book.plan(ALL, at(19))) == []
    assert members(book.plan(ALL, at(20))) == [(1, 2, 3)]
    still = diamond(is_slowest=True)
    assert members(still.plan(ALL, at(20))) == [], "nothing has changed"


def test_the_policy_counts_where_the_ways_meet() -> None:
    book = checked([table(1, [SOURCE], is_slowest=True), table(2, [SOURCE], "20s"), table(3, [1, 2], None)])
    book.noticed({1})
    assert members(book.plan(ALL, at(10))) == [(1, 2, 3)]


def test_a_diamond_waits_until_all_its_members_are_ours() -> None:
    book = diamond()
    book.noticed({1, 2})
    assert members(book.plan(frozenset({1, 2}), at(10))) == []
    assert members(book.plan(ALL, at(10))) == [(1, 2, 3)]


def test_what_cannot_be_refreshed_is_left_out_and_holds_nobody_up() -> None:
    tables = [table(1, [SOURCE]), table(2, [SOURCE], status="SUSPENDED"), table(3, [1, 2], None), table(4, [SOURCE])]
    book = checked([*tables[:3], replace(tables[3], tier=Tier.FROZEN)])
    book.noticed({1, 2, 4})
    assert members(book.plan(ALL, at(10))) == [(1, 3)]


def test_after_a_failure_the_whole_group_waits_and_no_one_else() -> None:
    book = diamond()
    book.read([*book.tables.values(), table(4, [SOURCE])])
    book.noticed({1, 2, 4})
    assert (1, 2, 3) in members(book.plan(ALL, at(10)))
    book.started((1, 2, 3), at(10))
    for pgt_id in (1, 2, 3):
        book.failed(pgt_id, at(15).monotonic)
    assert members(book.plan(ALL, at(14))) == [(4,)]
    assert (1, 2, 3) in members(book.plan(ALL, at(15)))


def test_a_group_waits_for_a_member_that_is_held_back_once_that_has_been_said() -> None:
    book = diamond()
    book.read([replace(table, held="a gate") if table.pgt_id == 2 else table for table in book.tables.values()])
    book.noticed({1, 2})
    assert members(book.plan(ALL, at(10))) == [(2,)], "the refresh itself tells"
    book.started([2], at(10))
    book.skipped(2, "a gate", at(11).monotonic)
    assert members(book.plan(ALL, at(30))) == []
    book.read([replace(table, held=None) for table in book.tables.values()])
    assert members(book.plan(ALL, at(30))) == [(1, 2, 3)]


def test_a_cycle_is_not_awakened_by_itself() -> None:
    book = checked([table(1, [SOURCE, 2], None), table(2, [1], None), table(3, [2], None)])
    book.noticed({1})
    (item,) = book.plan(ALL, at(1)).refresh
    assert (item.unit.kind, item.unit.cycles) == (Kind.CYCLIC_SCC, ((1, 2),))
    book.started(item.members, at(1))
    assert book.refreshed({1: 5, 2: 5}, at(1.1).monotonic) == {3}
    assert members(book.plan(ALL, at(1.2))) == [(3,)]


@st.composite
def catalogs(draw: st.DrawFn) -> list[Table]:
    tables = []
    for pgt_id in range(1, draw(st.integers(1, 10)) + 1):
        above = draw(st.sets(st.integers(1, pgt_id - 1), max_size=2)) if pgt_id > 1 else set()
        sources = draw(st.sets(st.sampled_from([900, 901]), min_size=0 if above else 1, max_size=2))
        schedule = draw(st.sampled_from([None, "1s", "3s", "0 * * * *"]))
        more: dict[str, object] = {
            "tier": draw(st.sampled_from(list(Tier))),
            "is_atomic": draw(st.booleans()),
            "is_slowest": draw(st.booleans()),
            "refresh_group": draw(st.sampled_from([None, None, 1])),
            "refresh_mode": draw(st.sampled_from(["DIFFERENTIAL", "DIFFERENTIAL", "IMMEDIATE"])),
            "is_populated": draw(st.booleans()),
            "program_state": draw(st.sampled_from(["compiled", "compiled", "none"])),
        }
        tables.append(table(pgt_id, above | sources, schedule, **more))
    return tables


@given(catalogs(), st.integers(1, 3), st.randoms(use_true_random=False))
def test_nobody_starves_however_busy_it_is(tables: list[Table], children: int, chance: object) -> None:
    """Everything changes all the time: between two turns of a unit each other one has two at most."""
    ready = [replace(t, is_populated=True, program_state="compiled", tier=Tier.HOT, schedule=None) for t in tables]
    book = Book("", POLICY)
    book.read([replace(t, refresh_mode="DIFFERENTIAL", is_slowest=False) for t in ready])
    units = len(book.division.units)
    running: list[tuple[int, ...]] = []
    last_turn = dict.fromkeys((unit.key for unit in book.division.units), 0)
    turn, now = 0, 0.0
    for _ in range(20 * units):
        now += 6.0  # longer than anybody waits for an upstream
        book.noticed(book.tables)
        for item in book.plan(ALL, at(now)).refresh[: children - len(running)]:
            turn += 1
            assert turn - last_turn[item.unit.key] <= 2 * units + children, "it had to wait for too many"
            last_turn[item.unit.key] = turn
            book.started(item.members, at(now))
            running.append(item.members)
        book.refreshed(dict.fromkeys(running.pop(0), 1), at(now).monotonic)
    assert all(last_turn.values()), "each had a turn"


@pytest.mark.parametrize("quiet", [10_000])
def test_what_is_quiet_costs_no_look(quiet: int) -> None:
    """The work of a plan is counted in tables that were judged."""
    book = checked(table(i, [SOURCE + i], None) for i in range(1, quiet + 1))
    everything = frozenset(book.tables)
    book.plan(everything, at(1))
    judged: list[int] = []
    judge = book._judge
    book._judge = lambda table, moment: judged.append(table.pgt_id) or judge(table, moment)  # type: ignore
    book.noticed({7})
    assert members(book.plan(everything, at(2))) == [(7,)]
    assert judged == [7]
