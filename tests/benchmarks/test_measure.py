"""A comparison that finds every difference, and turns that give everybody the first place."""

from __future__ import annotations

import pytest
from psycopg import sql
from support.databases import Database

from benchmarks import machine
from benchmarks.measure import ResultsDiffer, Samples, check_equal, in_turn, ratio, round_trips
from benchmarks.report import judge

QUERY = "SELECT n FROM (VALUES (1), (1), (2)) v(n)"


@pytest.mark.parametrize(
    "kept",
    ["(1), (2)", "(1), (1), (2), (2)", "(1), (2), (2)", "(1), (1), (3)", "(1), (1), (NULL)"],
    ids=["a row too few", "a row too many", "another count", "another row", "a null"],
)
def test_a_difference_is_found(empty_db: Database, kept: str) -> None:
    with empty_db.connect() as conn:
        conn.execute(sql.SQL("CREATE TEMP TABLE kept AS SELECT n FROM (VALUES {}) v(n)").format(sql.SQL(kept)))
        with pytest.raises(ResultsDiffer):
            check_equal(conn, sql.Identifier("kept"), QUERY, sql.Identifier("n"))


def test_equal_bags_are_equal(empty_db: Database) -> None:
    with empty_db.connect() as conn:
        conn.execute("CREATE TEMP TABLE kept AS SELECT n FROM (VALUES (2), (1), (1)) v(n)")
        check_equal(conn, sql.Identifier("kept"), QUERY, sql.Identifier("n"))


def test_round_trips_are_counted(empty_db: Database) -> None:
    with empty_db.connect() as conn:
        assert round_trips(conn, lambda: conn.execute("SELECT 1")) == 1
        assert round_trips(conn, lambda: [conn.execute("SELECT 1"), conn.execute("SELECT 2")]) == 2


def test_everybody_is_first_once() -> None:
    assert [in_turn("abc", turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]


def test_samples_become_medians() -> None:
    samples: Samples[str] = Samples()
    for milliseconds in (9.0, 1.0, 2.0):
        samples.add("x", milliseconds)
    assert samples.median("x") == 2.0
    assert samples.median("y") is None
    assert ratio(samples.median("y"), 1.0) is None


def test_a_goal_is_judged_only_at_its_size() -> None:
    assert judge("g", 1.4, "×", "at most", 1.5, counts=True).met is True
    assert judge("g", 1.6, "×", "at most", 1.5, counts=True).met is False
    assert judge("g", 1.6, "×", "at most", 1.5, counts=False).met is None
    assert judge("g", None, "×", "at least", 100, counts=True).met is None


def test_what_the_host_gave_to_others_is_read_from_the_system() -> None:
    before = machine.read("cpu  100 0 50 800 10 0 5 35 7 0\ncpu0 1 2 3\n")
    after = machine.read("cpu  150 0 60 820 10 0 5 55 9 0\ncpu0 1 2 3\n")
    assert before == machine.Ticks(stolen=35, all=1000)
    assert machine.stolen_between(before, after) == 0.2
    assert machine.stolen_between(None, after) is None
    assert machine.stolen_between(after, after) is None
