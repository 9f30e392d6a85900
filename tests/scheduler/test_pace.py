"""When one must start to keep a deadline, and how often one may run that cannot keep its schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from trickle.scheduler.book import Book, Plan
from trickle.scheduler.due import Policy
from trickle.scheduler.memory import Moment
from trickle.scheduler.pace import Pace
from trickle.scheduler.schedule import parse_schedule
from trickle.scheduler.table import Table

START = datetime(2026, 6, 1, tzinfo=UTC)
POLICY = Policy(slack_seconds=0.0, check_seconds=1e6, tick_seconds=1.0)


def at(seconds: float) -> Moment:
    return Moment(START + timedelta(seconds=seconds), 1000 + seconds)


def book_of(*tables: Table) -> Book:
    """All looked at and refreshed in a moment, just now."""
    book = Book("7", POLICY)
    book.read(tables)
    for table in tables:
        book.started([table.pgt_id], at(0))
        book.refreshed({table.pgt_id: 0}, at(0).monotonic)
    return book


def table(pgt_id: int, schedule: str, deadline: float | None = None) -> Table:
    return Table(
        pgt_id,
        "public",
        f"t{pgt_id}",
        schedule=parse_schedule(schedule),
        last_refresh_at=START,
        program_version="7",
        deadline_seconds=deadline,
    )


def ids(plan: Plan) -> list[int]:
    return [i for item in plan.refresh for i in item.members]


def run(book: Book, pgt_id: int, begin: float, seconds: float) -> None:
    book.started([pgt_id], at(begin))
    book.refreshed({pgt_id: 1}, at(begin + seconds).monotonic, {pgt_id: seconds})


def test_a_deadline_comes_before_a_long_schedule() -> None:
    book = book_of(table(1, "1h", deadline=10.0))
    run(book, 1, 0.0, 2.0)
    book.noticed({1})
    assert ids(book.plan(frozenset({1}), at(20))) == [], "there are 10 s left"
    assert ids(book.plan(frozenset({1}), at(25.9))) == []
    assert ids(book.plan(frozenset({1}), at(26))) == [1], "10 s less a tick and 1.5 times what a refresh takes"
    run(book, 1, 26.0, 2.0)
    assert ids(book.plan(frozenset({1}), at(100))) == [], "nothing has changed"


def test_what_came_while_it_ran_counts_from_its_start() -> None:
    book = book_of(table(1, "1h", deadline=10.0))
    book.started([1], at(50))
    book.noticed({1})
    book.refreshed({1: 1}, at(54).monotonic, {1: 4.0})
    assert ids(book.plan(frozenset({1}), at(52.9))) == []
    assert ids(book.plan(frozenset({1}), at(53))) == [1], "50 + 10 - 1 - 6"


def test_the_earliest_start_goes_first_whatever_their_numbers() -> None:
    book = book_of(table(1, "1s"), table(2, "1s", deadline=30.0), table(3, "1s", deadline=5.0))
    book.noticed({1, 2, 3})
    assert ids(book.plan(frozenset({1, 2, 3}), at(5))) == [3, 2, 1]


def test_who_cannot_keep_its_schedule_is_refreshed_less_often() -> None:
    book = book_of(table(1, "10s"))
    mine = frozenset({1})
    for begin, seconds, waits in ((10, 9.6, 20), (30, 12, 40), (70, 30, 80), (150, 30, 80), (230, 9.4, 10)):
        book.noticed({1})
        assert ids(book.plan(mine, at(begin))) == [1]
        run(book, 1, begin, seconds)
        book.noticed({1})
        assert ids(book.plan(mine, at(begin + max(waits, seconds) - 0.1))) == []
    book.policy = Policy(slack_seconds=0.0, check_seconds=1e6, auto_backoff=False)
    assert ids(book.plan(mine, at(240))) == [1]


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0.1, 50)), min_size=1, max_size=20),
    st.floats(1, 1000),
    st.floats(0, 5),
)
def test_a_start_in_time_keeps_the_deadline(runs: list[tuple[float, float]], deadline: float, tick: float) -> None:
    """When a refresh takes no longer than the last one, and a tick late is the latest that it begins."""
    pace, now = Pace(), 0.0
    for wait, took in runs:
        now += wait
        pace.changed(1, now)
        latest = pace.latest_start(1, deadline, tick)
        assert now <= latest
        pace.refreshed(1, took, None)
        assert pace.latest_start(1, deadline, tick) == float("inf")
        pace.changed(1, now)
        if deadline >= 1.5 * took + tick:
            assert pace.latest_start(1, deadline, tick) + tick + took <= now + deadline + 1e-6
        pace.refreshed(1, took, None)
