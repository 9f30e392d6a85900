"""A hundred stream tables, one instance, two, four, three: fair shares, few moves, and every schedule is kept."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from support.databases import Database
from support.waiting import until

Start = Callable[..., Any]
TABLES = 100
PERIOD_SECONDS = 5
# How late a refresh may be on a machine that does other things as well.
LATE_SECONDS = 4


def prepare(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE TABLE source (id int PRIMARY KEY, v int NOT NULL)")
    conn.execute("INSERT INTO source SELECT n, 0 FROM generate_series(1, 10) AS n")
    for number in range(TABLES):
        conn.execute(
            "SELECT pgtrickle.create_stream_table(%s, %s, schedule => %s, initialize => false,"
            " refresh_mode => 'DIFFERENTIAL')",
            (f"st_{number}", f"SELECT id, v + {number} AS v FROM source", f"{PERIOD_SECONDS}s"),
        )


def owners(conn: psycopg.Connection[Any]) -> dict[str, str]:
    rows = conn.execute("SELECT pgt_name, instance_id FROM pgtrickle.ownership").fetchall()
    assert len(rows) == len({name for name, _ in rows}), "two owners"
    return dict(rows)


@contextmanager
def changes(url: str) -> Iterator[None]:
    """The source changes all the time, so that every refresh has something to do."""
    stop = threading.Event()

    def write() -> None:
        with psycopg.connect(url, autocommit=True) as conn:
            while not stop.wait(0.3):
                conn.execute("UPDATE source SET v = v + 1 WHERE id = 1 + floor(random() * 10)::int")

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def longest_gap(conn: psycopg.Connection[Any]) -> float:
    """Seconds between the beginnings of two refreshes of one stream table, once there were programs."""
    rows = conn.execute(
        "SELECT h.pgt_id, extract(epoch FROM h.start_time)::float8 FROM pgtrickle.pgt_refresh_history h"
        " WHERE h.action = 'DIFFERENTIAL' AND h.status = 'COMPLETED' ORDER BY 1, 2"
    ).fetchall()
    counted = Counter(pgt_id for pgt_id, _ in rows)
    assert len(counted) == TABLES and min(counted.values()) > 1
    return max(late - early for (one, early), (other, late) in pairwise(rows) if one == other)


@pytest.mark.slow
def test_one_two_four_three(db: Database, start_worker: Start) -> None:
    with db.connect() as conn, changes(db.url):
        prepare(conn)
        workers = {"i0": start_worker(instance_id="i0")}

        def is_divided() -> bool:
            found = owners(conn)
            sizes = Counter(found.values())
            ideal = TABLES / len(workers)
            return (
                len(found) == TABLES
                and sizes.keys() == workers.keys()
                and all(abs(size - ideal) <= 1 for size in sizes.values())
            )

        def have_programs() -> bool:
            query = "SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE program_state = 'compiled' AND is_populated"
            return conn.execute(query).fetchone() == (TABLES,)

        until(lambda: is_divided() and have_programs(), seconds=120)
        moved: list[int] = []
        for instances in (2, 4, 3):
            before = owners(conn)
            for number in range(len(workers), instances):
                workers[f"i{number}"] = start_worker(instance_id=f"i{number}")
            if instances < len(workers):
                leaving = workers.pop("i1")
                leaving.terminate()
                assert leaving.wait() == 0
            until(is_divided, seconds=30, what=f"{instances} instances have their shares")
            after = owners(conn)
            moved.append(sum(before[name] != after[name] for name in before))
            since = conn.execute("SELECT now()").fetchone()

            def is_all_refreshed(since: Any = since) -> bool:
                query = (
                    "SELECT count(DISTINCT pgt_id) FROM pgtrickle.pgt_refresh_history"
                    " WHERE start_time > %s AND status = 'COMPLETED'"
                )
                return conn.execute(query, since).fetchone() == (TABLES,)

            until(is_all_refreshed, seconds=30)
        # At least 50, 50 and 25 must move.
        assert all(count <= limit for count, limit in zip(moved, (50, 60, 35), strict=True)), moved
        failed = "SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE status <> 'COMPLETED'"
        assert conn.execute(failed).fetchone() == (0,)
        assert longest_gap(conn) <= PERIOD_SECONDS + LATE_SECONDS, moved
