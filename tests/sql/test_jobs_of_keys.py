"""Throttled and debounced jobs: one for many calls, and never none.

Lies it would catch: two jobs where two callers came at once; a call that is swallowed by a job that has begun; a job
that is put off for ever.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.errors import InvalidParameterValue
from support.databases import Database

import trickle

Conn = psycopg.Connection[Any]


@pytest.fixture
def conn(db: Database) -> Iterator[Conn]:
    with db.connect() as connection:
        yield connection


def one(conn: Conn, query: str) -> Any:
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def throttled(conn: Conn, key: str = "k", every: str = "1 hour") -> Any:
    return one(conn, f"SELECT pgtrickle.enqueue_throttled('q', '{key}', interval '{every}')")


def debounced(conn: Conn, n: int, more: str = "", pause: str = "1 hour") -> Any:
    data = f"jsonb_build_object('n', {n})"
    return one(conn, f"SELECT pgtrickle.enqueue_debounced('q', 'k', interval '{pause}', {data}{more})")


def jobs(conn: Conn) -> int:
    return int(one(conn, "SELECT count(*) FROM pgtrickle.job"))


def test_one_within_the_interval(conn: Conn) -> None:
    first = throttled(conn)
    assert first is not None and throttled(conn) is None
    conn.execute("UPDATE pgtrickle.job SET state = 'completed'")
    assert throttled(conn) is None, "whatever became of it"
    assert throttled(conn, "other") is not None
    conn.execute("UPDATE pgtrickle.job_throttles SET open_again = now() - interval '1 second'")
    assert throttled(conn) not in (None, first)
    assert one(conn, "SELECT job_id FROM pgtrickle.job_throttles WHERE key = 'k'") == 3


def test_a_call_that_is_rolled_back_throttles_nobody(conn: Conn) -> None:
    with conn.transaction(force_rollback=True):
        throttled(conn)
    assert throttled(conn) is not None


def test_many_at_once_make_one(db: Database, conn: Conn) -> None:
    found: list[Any] = []

    def call() -> None:
        with db.connect() as other:
            found.append(throttled(other))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len([job for job in found if job is not None]) == 1
    assert jobs(conn) == 1


def test_what_throttled_is_forgotten_when_it_is_over(conn: Conn) -> None:
    throttled(conn, every="1 ms")
    throttled(conn, "other")
    one(conn, "SELECT pgtrickle._prune_jobs(1000)")
    assert one(conn, "SELECT array_agg(key) FROM pgtrickle.job_throttles") == ["other"]


def test_the_last_call_counts(conn: Conn) -> None:
    first = debounced(conn, 1, pause="1 minute")
    before = one(conn, "SELECT start_after FROM pgtrickle.job")
    assert debounced(conn, 2) == first
    assert jobs(conn) == 1
    assert one(conn, "SELECT data FROM pgtrickle.job") == {"n": 2}
    assert one(conn, "SELECT start_after FROM pgtrickle.job") > before
    assert not one(conn, "SELECT is_ready FROM pgtrickle.job")


def test_one_whose_time_has_come_is_put_off_as_well(conn: Conn) -> None:
    debounced(conn, 1, pause="1 ms")
    assert one(conn, "SELECT pg_sleep(0.01) IS NOT NULL AND pgtrickle._due_jobs(10) = 1")
    debounced(conn, 2)
    assert not one(conn, "SELECT is_ready FROM pgtrickle.job")


def test_it_is_not_put_off_for_ever(conn: Conn) -> None:
    most = ", at_most => interval '20 ms'"
    debounced(conn, 1, most)
    conn.execute("SELECT pg_sleep(0.03)")
    debounced(conn, 2, most)
    assert one(conn, "SELECT pgtrickle._due_jobs(10)") == 1
    debounced(conn, 3, most)
    assert one(conn, "SELECT is_ready FROM pgtrickle.job"), "nobody takes its turn away again"
    assert one(conn, "SELECT data FROM pgtrickle.job") == {"n": 3}


def test_one_that_has_begun_swallows_no_call(conn: Conn) -> None:
    first = debounced(conn, 1)
    conn.execute("UPDATE pgtrickle.job SET is_ready = true")
    assert one(conn, "SELECT id FROM pgtrickle._lease_jobs('{q}', 1, 10)") == first
    second = debounced(conn, 2)
    assert second != first and jobs(conn) == 2


def test_the_same_from_python(conn: Conn) -> None:
    minute = timedelta(minutes=1)
    assert trickle.enqueue_throttled(conn, "q", "k", minute, {"n": 1}, priority=3) is not None
    assert trickle.enqueue_throttled(conn, "q", "k", minute) is None
    job = trickle.enqueue_debounced(conn, "q", "k", minute, [1], at_most=minute)
    assert trickle.enqueue_debounced(conn, "q", "k", minute, [2]) == job


@pytest.mark.parametrize(
    "call",
    [
        "enqueue_throttled('q', NULL, '1 s')",
        "enqueue_throttled('q', 'k', '0 s')",
        "enqueue_throttled('q', 'k', NULL)",
        "enqueue_debounced('q', NULL, '1 s')",
        "enqueue_debounced('q', 'k', '-1 s')",
    ],
)
def test_wrong_calls_are_refused(conn: Conn, call: str) -> None:
    with pytest.raises(InvalidParameterValue, match="needs a key"):
        conn.execute(f"SELECT pgtrickle.{call}".encode())
    assert jobs(conn) == 0


def test_whoever_may_enqueue_may_do_it_so(db: Database, conn: Conn) -> None:
    clerk = db.create_role()
    conn.execute(f"SELECT pgtrickle.grant_enqueue('{clerk}')".encode())
    with db.connect_as(clerk) as theirs:
        assert throttled(theirs) is not None and debounced(theirs, 1) is not None
