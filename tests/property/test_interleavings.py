"""Concurrent transactions interleaved in every way, with refreshes between and inside them.

Lies it would catch: a change that is skipped because its transaction committed late, was prepared, or went on
after the refresh; one that is counted twice; one that survives a rolled-back savepoint; a pruner that removes
what somebody has not read yet.
Oracle: PostgreSQL, which evaluates the defining query in the transaction of the refresh, so at the snapshot of its
frontier; and at the end, when everything is committed, by anybody.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.databases import Database

import trickle
from property.steps import QUERIES, TABLES, Stage, Step, compare, stage, steps
from property.trial import Trial, trial

COMMON = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
_numbers = itertools.count(1)


@pytest.fixture
def theatre(client: trickle.Client) -> Iterator[Trial]:
    """The tables and all stream tables, made once; every example begins by emptying and filling them."""
    with trial(client, TABLES) as made:
        for name, query in QUERIES.items():
            made.create(name, query)
        yield made


def play(db: Database, theatre: Trial, taken: Sequence[Step]) -> Stage:
    """Take the steps; then let everybody finish and compare once more."""
    for statement in ("DELETE FROM orders", "DELETE FROM customers", *TABLES[2:]):
        theatre.connection.execute(statement.encode())
    for name in QUERIES:
        theatre.client.refresh_stream_table(f"{theatre.schema}.{name}")
    with stage(db, theatre.schema) as opened:
        for step in taken:
            opened.take(step)
        _finish(opened)
        for name in QUERIES:
            opened.refresh(0, name)
        for name in QUERIES:
            assert not compare(opened.connections[1], name), name
            assert opened.refresh(0, name) == "NO_DATA", name
    return opened


def _finish(opened: Stage) -> None:
    for session, connection in enumerate(opened.connections):
        try:
            connection.commit()
        except psycopg.Error:
            connection.rollback()
        opened.savepoints[session].clear()
    for number, name in enumerate(opened.prepared):
        word = "COMMIT" if number % 2 == 0 else "ROLLBACK"
        opened.connections[0].execute(f"{word} PREPARED '{name}'".encode())
    opened.prepared.clear()


def scripts(most: int) -> st.SearchStrategy[list[Step]]:
    return st.lists(steps(), min_size=most // 3, max_size=most)


@settings(COMMON, max_examples=40)
@given(taken=scripts(60))
def test_every_refresh_equals_its_query_at_its_frontier(db: Database, theatre: Trial, taken: list[Step]) -> None:
    play(db, theatre, taken)


@pytest.mark.full
@pytest.mark.timeout(3600)
@settings(COMMON, max_examples=2000)
@given(taken=scripts(120))
def test_every_refresh_equals_its_query_at_its_frontier_at_length(
    db: Database, theatre: Trial, taken: list[Step]
) -> None:
    play(db, theatre, taken)


# Known ways to lose or double a change, told step by step ---------------------------------------------------

INSERT = "INSERT INTO orders VALUES (7, 1, 70)"
AGAIN = "INSERT INTO orders VALUES (8, 1, 80)"


def told(*lines: str) -> list[Step]:
    """`0 write INSERT …`: session, word, the rest."""
    made: list[Step] = []
    for line in lines:
        session, rest = line.split(" ", 1)
        word = next(w for w in ("commit prepared", "roll back prepared", rest.split(" ")[0]) if rest.startswith(w))
        made.append(Step(int(session), word, rest[len(word) :].strip()))
    return made


STORIES = {
    "a transaction commits after later ones were consumed": told(
        f"0 write {INSERT}", f"3 write {AGAIN}", "3 refresh totals", "0 commit", "3 refresh totals"
    ),
    "a transaction refreshes, others commit, it writes on": told(
        f"0 write {INSERT}",
        "3 noise",
        "0 refresh totals",
        "3 noise",
        f"0 write {AGAIN}",
        "0 commit",
        "3 refresh totals",
    ),
    "a transaction refreshes twice": told(
        "0 refresh totals", f"0 write {INSERT}", "0 refresh totals", f"0 write {AGAIN}", "0 refresh totals", "0 commit"
    ),
    "a refresh is rolled back to a savepoint": told(
        f"0 write {INSERT}",
        "0 savepoint",
        "0 refresh totals",
        "0 undo",
        f"0 write {AGAIN}",
        "0 commit",
        "3 refresh totals",
    ),
    "a write is rolled back to a savepoint after others committed": told(
        "0 savepoint", f"0 write {INSERT}", "3 noise", "0 undo", f"0 write {AGAIN}", "0 commit", "3 refresh totals"
    ),
    "a released savepoint counts": told(
        "0 savepoint", f"0 write {INSERT}", "0 release", "3 refresh totals", "0 commit", "3 refresh totals"
    ),
    "a prepared transaction commits late": told(
        f"0 write {INSERT}",
        "0 prepare",
        f"3 write {AGAIN}",
        "3 refresh totals",
        "3 commit prepared",
        "3 refresh totals",
    ),
    "a prepared transaction rolls back": told(
        f"0 write {INSERT}", "0 prepare", "3 refresh totals", "3 roll back prepared", "3 refresh totals"
    ),
    "a transaction that refreshed is prepared": told(
        f"0 write {INSERT}",
        "0 refresh totals",
        "0 prepare",
        "3 refresh totals",
        "3 commit prepared",
        "3 refresh totals",
    ),
    "the pruner comes between two readers": told(
        f"0 write {INSERT}",
        f"3 write {AGAIN}",
        "3 refresh totals",
        "3 prune",
        "3 refresh plain",
        "0 commit",
        "3 prune",
        "3 refresh totals",
        "3 prune",
        "3 refresh regions",
    ),
    "a table is emptied by a transaction that commits late": told(
        "0 write TRUNCATE customers",
        "0 write INSERT INTO customers VALUES (1, 'q')",
        "3 refresh plain",
        "0 commit",
        f"3 write {INSERT}",
        "3 refresh regions",
        "3 refresh bag",
    ),
    "a chain is refreshed out of order": told(
        f"3 write {INSERT}",
        "3 refresh above",
        "3 refresh totals",
        "0 write DELETE FROM orders WHERE id = 7",
        "0 refresh totals",
        "3 refresh above",
        "0 refresh above",
        "0 rollback",
        "3 refresh above",
    ),
}


@pytest.mark.parametrize("taken", STORIES.values(), ids=STORIES.keys())
def test_known_ways_to_lose_or_double_a_change(db: Database, theatre: Trial, taken: list[Step]) -> None:
    opened = play(db, theatre, taken)
    assert not [line for line in opened.taken if "InFailed" in line]
