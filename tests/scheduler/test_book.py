"""The scheduler's memory: what a refresh, a failure or a look teaches it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from trickle.scheduler.attempts import COMPILE_RETRY_SECONDS
from trickle.scheduler.book import Book, Plan
from trickle.scheduler.due import Policy
from trickle.scheduler.memory import Moment
from trickle.scheduler.schedule import parse_schedule
from trickle.scheduler.table import Table
from trickle.scheduler.units import Kind

START = datetime(2026, 6, 1, tzinfo=UTC)
ALL = frozenset({1, 2, 3})


def at(seconds: float) -> Moment:
    return Moment(START + timedelta(seconds=seconds), 1000 + seconds)


def ids(plan: Plan) -> tuple[int, ...]:
    """The stream tables that are refreshed, in their order."""
    return tuple(i for item in plan.refresh for i in item.members)


def polled(book: Book, changed: Iterable[int]) -> None:
    """The answer of a look at everything, just now."""
    book.polled(frozenset(changed), book.tables, at(0).monotonic)


def chain(second: str | None = None) -> Book:
    """1 ← 2 ← 3: the first on a period, the others calculated; all of them checked just now."""
    book = Book("7", Policy(slack_seconds=0.0, check_seconds=1e6))
    book.read(
        [
            Table(1, "public", "a", schedule=parse_schedule("10s"), last_refresh_at=START, program_version="7"),
            Table(
                2,
                "public",
                "b",
                schedule=parse_schedule(second),
                upstream=frozenset({1}),
                last_refresh_at=START,
                program_version="7",
            ),
            Table(3, "public", "c", upstream=frozenset({2}), last_refresh_at=START, program_version="7"),
        ]
    )
    for pgt_id in (1, 2, 3):
        book.started([pgt_id], at(0))
        book.refreshed({pgt_id: 0}, at(0).monotonic)
    return book


def test_a_refresh_with_changes_wakes_its_downstream_at_once() -> None:
    book = chain()
    polled(book, {1})
    assert ids(book.plan(ALL, at(10))) == (1,)
    book.started([1], at(10))
    assert ids(book.plan(ALL, at(10.1))) == ()
    assert book.refreshed({1: 5}, at(10.2).monotonic) == {2}
    (item,) = book.plan(ALL, at(10.2)).refresh
    assert (item.unit.kind, item.members) == (Kind.FUSED_CHAIN, (2, 3))
    book.started(item.members, at(10.2))
    assert book.refreshed({2: 1, 3: 1}, at(10.3).monotonic) == frozenset()
    assert book.plan(ALL, at(10.3)) == Plan()


def test_who_has_another_schedule_is_refreshed_alone() -> None:
    book = chain("10s")
    polled(book, {2})
    assert ids(book.plan(ALL, at(10))) == (2,)
    book.started([2], at(10))
    assert book.refreshed({2: 1}, at(10.3).monotonic) == {3}
    assert ids(book.plan(ALL, at(10.3))) == (3,)


def test_a_refresh_without_changes_wakes_nobody() -> None:
    book = chain()
    polled(book, {1})
    book.started([1], at(10))
    assert book.refreshed({1: 0}, at(10.1).monotonic) == frozenset()
    assert book.plan(ALL, at(10.2)) == Plan()


def test_due_without_changes_is_touched_once_per_period() -> None:
    book = chain()
    assert book.plan(ALL, at(10)).touch == (1,)
    book.touched([1], at(10))
    assert book.plan(ALL, at(19.9)).touch == ()
    assert book.plan(ALL, at(20)).touch == (1,)


def test_a_period_counts_from_the_start_of_the_last_refresh() -> None:
    book = chain()
    polled(book, {1})
    book.started([1], at(10))
    book.refreshed({1: 0}, at(18).monotonic)
    polled(book, {1})
    assert ids(book.plan(ALL, at(20))) == (1,)


def test_a_failure_waits_for_its_time_and_blocks_nobody() -> None:
    book = chain("10s")
    polled(book, {1, 2})
    book.started([1], at(10))
    book.failed(1, at(15).monotonic)
    assert book.failures(1) == 1
    assert ids(book.plan(ALL, at(10.1))) == (2,)
    assert 1 in ids(book.plan(ALL, at(15)))
    book.started([1], at(15))
    book.refreshed({1: 0}, at(15).monotonic)
    assert book.failures(1) == 0


def test_only_what_is_ours_is_planned() -> None:
    book = chain("10s")
    polled(book, ALL)
    assert ids(book.plan(frozenset({3}), at(10))) == (3,)


def test_a_table_without_a_program_is_compiled_before_it_is_refreshed() -> None:
    book = Book("7", Policy(slack_seconds=0.0))
    bare = Table(1, "public", "a", program_state="none", is_populated=False)
    book.read([bare])
    plan = book.plan(ALL, at(0))
    assert (plan.compile, ids(plan)) == ((1,), ())
    book.started_compiling(1, at(0).monotonic)
    book.compiled(1, "full_only")
    assert ids(book.plan(ALL, at(1))) == (1,)


def test_a_program_that_cannot_be_made_is_not_tried_at_every_tick_and_does_not_stop_refreshes() -> None:
    book = Book("7", Policy(slack_seconds=0.0))
    bare = Table(1, "public", "a", program_state="none", is_populated=False)
    book.read([bare])
    book.started_compiling(1, at(0).monotonic)
    book.dropped(1)
    assert ids(book.plan(ALL, at(2))) == (1,)
    assert book.plan(ALL, at(COMPILE_RETRY_SECONDS)).compile == (1,)
    book.read([replace(bare, program_state="stale")])
    assert book.plan(ALL, at(2)).compile == (1,), "the catalog says something new about the program"


def test_a_table_that_was_dropped_is_forgotten() -> None:
    book = chain()
    polled(book, ALL)
    book.read([])
    assert book.plan(ALL, at(100)) == Plan()


def test_what_became_ours_is_refreshed_only_where_a_look_finds_something() -> None:
    """Whoever takes over ten thousand stream tables has those at hand that changed meanwhile."""
    book = Book("7", Policy(slack_seconds=0.0))
    book.read([Table(number, "public", f"t{number}", program_version="7") for number in (1, 2, 3)])
    assert ids(book.plan(ALL, at(0))) == (1, 2, 3), "nobody has looked"
    book.polled({2}, {1, 2}, at(0).monotonic)
    assert ids(book.plan(ALL, at(0))) == (2, 3)


def test_a_quiet_table_is_still_checked_now_and_then() -> None:
    """Only a refresh notices that a source lost its capture, and then no change is ever seen again."""
    book = chain()
    book.policy = Policy(slack_seconds=0.0, check_seconds=30)
    assert 3 not in ids(book.plan(ALL, at(29)))
    assert 1 in ids(book.plan(ALL, at(30)))


def test_programs_are_made_upstream_first() -> None:
    book = Book("7", Policy(slack_seconds=0.0))
    tables = [
        Table(1, "public", "a", program_state="none"),
        Table(2, "public", "b", program_state="none", upstream=frozenset({1})),
        Table(3, "public", "c", program_state="none"),
    ]
    book.read(tables)
    assert book.plan(ALL, at(0)).compile == (1, 3)
    book.started_compiling(1, at(0).monotonic)
    assert 2 not in book.plan(ALL, at(0.1)).compile
    book.compiled(1, "compiled")
    assert 2 in book.plan(ALL, at(0.2)).compile


def test_what_is_held_back_says_so_once_and_goes_on_when_the_reason_has_gone() -> None:
    book = chain()
    polled(book, {1})
    tables = list(book.tables.values())
    book.read([replace(tables[0], held="a gate"), *tables[1:]])
    assert ids(book.plan(ALL, at(10))) == (1,), "the refresh itself tells"
    book.started([1], at(10))
    book.skipped(1, "a gate", at(11).monotonic)
    polled(book, {1})
    assert book.plan(ALL, at(20)) == Plan()
    book.read([replace(tables[0], held="another gate"), *tables[1:]])
    assert ids(book.plan(ALL, at(30))) == (1,)
    book.started([1], at(30))
    book.skipped(1, "another gate", at(31).monotonic)
    polled(book, {1})
    book.read(tables)
    assert ids(book.plan(ALL, at(30.1))) == (1,), "at once"


def test_what_was_noticed_of_a_paused_table_is_not_forgotten_by_a_look() -> None:
    """Nobody tells it twice: its source's writers have rung, and a look leaves out what is paused."""
    book = chain("10s")
    (third,) = (table for table in book.tables.values() if table.pgt_id == 3)
    rest = [table for table in book.tables.values() if table.pgt_id != 3]
    book.read([*rest, replace(third, status="PAUSED")])
    book.noticed({3})
    polled(book, set())
    assert 3 not in ids(book.plan(ALL, at(1)))
    book.read([*rest, third])
    assert 3 in ids(book.plan(ALL, at(1)))


def test_a_plan_is_worked_off_without_what_is_no_longer_to_be_done() -> None:
    book = Book("7", Policy(slack_seconds=0.0))
    book.read([Table(number, "public", f"t{number}", program_version="7") for number in range(1, 7)])
    book.noticed(range(1, 7))
    owned = frozenset(range(1, 6))
    plan = book.plan(owned, at(0))
    assert ids(plan) == (1, 2, 3, 4, 5)
    assert ids(book.left_of(plan, 2, at(0).monotonic)) == (1, 2)
    book.started([1], at(0))
    book.started([2], at(0))
    book.refreshed({2: 1}, at(0.1).monotonic)
    book.started([3], at(0))
    book.failed(3, at(9).monotonic)
    assert ids(book.left_of(plan, 9, at(0.2).monotonic)) == (4, 5)
    book.read([table for table in book.tables.values() if table.pgt_id != 4])
    assert ids(book.left_of(plan, 9, at(0.2).monotonic)) in ((5,), ()), "another division asks for another plan"


def test_a_program_is_made_once_however_long_a_plan_is_followed() -> None:
    book = Book("7", Policy(slack_seconds=0.0))
    book.read([Table(number, "public", f"t{number}", program_state="none") for number in (1, 2, 3, 4)])
    plan = book.plan(frozenset({1, 2, 3, 4}), at(0))
    assert plan.compile == (1, 2, 3, 4)
    for pgt_id in (1, 2):
        book.started_compiling(pgt_id, at(0).monotonic)
    book.compiled(1, "compiled")
    book.dropped(2)  # it failed, and is tried again much later
    assert book.left_of(plan, 2, at(0.1).monotonic).compile == (3, 4)
    book.read([table for table in book.tables.values() if table.pgt_id != 3])
    assert book.left_of(plan, 2, at(0.1).monotonic).compile == (4,)
