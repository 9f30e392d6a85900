"""A live system goes over from one group to another and back: no gap, and nothing done twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from support.databases import Database
from support.waiting import until

from trickle.ivm import COMPILER_VERSION
from trickle.supervisor import options as o

Start = Callable[..., Any]
NEWER = str(int(COMPILER_VERSION) + 1)
# A busy machine is slow; without a group at work nothing would arrive at all.
GAP_SECONDS = 10.0


class Traffic:
    """Rows that are written all the time, and how long each new one takes to arrive."""

    def __init__(self, url: str) -> None:
        self.written = 0
        self.longest_wait = 0.0
        self._url = url
        self._stop = threading.Event()

    @contextmanager
    def flowing(self) -> Iterator[Traffic]:
        threads = [threading.Thread(target=work) for work in (self._write, self._read)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _write(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as conn:
            while not self._stop.wait(0.02):
                conn.execute("INSERT INTO events (kind, amount) VALUES (%s, 1)", (self.written % 5,))
                self.written += 1

    def _read(self) -> None:
        seen, seen_at = -1, time.monotonic()
        with psycopg.connect(self._url, autocommit=True) as conn:
            while not self._stop.wait(0.05):
                row = conn.execute("SELECT coalesce(sum(total), 0) FROM totals").fetchone()
                assert row is not None
                if row[0] > seen:
                    seen, seen_at = row[0], time.monotonic()
                self.longest_wait = max(self.longest_wait, time.monotonic() - seen_at)


def prepare(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE TABLE events (id bigserial PRIMARY KEY, kind int NOT NULL, amount int NOT NULL)")
    for name, query in {
        "copied": "SELECT id, amount FROM events",
        "totals": "SELECT kind, sum(amount) AS total, count(*) AS n FROM events GROUP BY kind",
    }.items():
        conn.execute("SELECT pgtrickle.create_stream_table(%s, %s, schedule => '1s')", (name, query))


def owned(conn: psycopg.Connection[Any]) -> dict[str, int]:
    return dict(conn.execute("SELECT group_id, count(*) FROM pgtrickle.ownership GROUP BY 1").fetchall())


def versions(conn: psycopg.Connection[Any]) -> set[str]:
    return {v for (v,) in conn.execute("SELECT program_version FROM pgtrickle.pgt_stream_tables").fetchall()}


def assert_nothing_twice(conn: psycopg.Connection[Any], written: int) -> None:
    """Each row has come into the copy once, whoever brought it; and both stream tables are exact."""

    def has_arrived() -> bool:
        return conn.execute("SELECT count(*) FROM copied").fetchone() == (written,)

    until(has_arrived, seconds=30)
    row = conn.execute(
        "SELECT sum(h.rows_inserted), sum(h.rows_updated), sum(h.rows_deleted) FROM pgtrickle.pgt_refresh_history h"
        " JOIN pgtrickle.pgt_stream_tables s USING (pgt_id) WHERE s.pgt_name = 'copied' AND h.status = 'COMPLETED'"
    ).fetchone()
    assert row == (written, 0, 0)
    totals = "SELECT kind, total, n FROM totals ORDER BY 1"
    until(
        lambda: (
            conn.execute(totals).fetchall()
            == conn.execute("SELECT kind, sum(amount), count(*) FROM events GROUP BY 1 ORDER BY 1").fetchall()
        ),
        seconds=30,
    )


def test_a_live_system_goes_over_and_back(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        prepare(conn)
        blue = start_worker(group_id="blue", instance_id="blue-1", children=1)
        until(lambda: owned(conn) == {"blue": 2} and versions(conn) == {COMPILER_VERSION}, seconds=30)
        with Traffic(db.url).flowing() as traffic:
            green = start_worker(group_id="green", instance_id="green-1", children=1, compiler_version=NEWER)
            until(lambda: owned(conn) == {"blue": 2, "green": 2} and versions(conn) == {NEWER}, seconds=30)
            time.sleep(3)
            assert versions(conn) == {NEWER}, "the older version leaves the newer programs alone"
            assert len(green.said("compiled")) == 2
            blue.terminate()
            assert blue.wait() == o.EXIT_DRAINED
            assert owned(conn) == {"green": 2}
            time.sleep(2)
            blue = start_worker(group_id="blue", instance_id="blue-2", children=1)
            until(lambda: owned(conn) == {"blue": 2, "green": 2}, seconds=30)
            green.terminate()
            assert green.wait() == o.EXIT_DRAINED
            time.sleep(2)
            arrived_before = traffic.written
            until(lambda: (conn.execute("SELECT count(*) FROM copied").fetchone() or (0,))[0] > arrived_before)
        assert traffic.longest_wait < GAP_SECONDS
        assert_nothing_twice(conn, traffic.written)
        assert not [line for worker in (blue, green) for line in worker.said("refresh failed")]


def test_a_refresh_longer_than_the_patience_of_the_other_group_suspends_nothing(
    db: Database, start_worker: Start
) -> None:
    with db.connect() as conn:
        conn.execute(
            "CREATE FUNCTION slow(v int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
            " $$ BEGIN PERFORM pg_sleep(3); RETURN v; END $$"
        )
        conn.execute("CREATE TABLE events (v int)")
        conn.execute(
            "SELECT pgtrickle.create_stream_table('slowed', 'SELECT slow(v) AS v FROM events', schedule => '1s',"
            " refresh_mode => 'FULL')"
        )
        for group in ("blue", "green"):
            start_worker(group_id=group, instance_id=group, children=1, lock_seconds=0.5)
        until(lambda: owned(conn) == {"blue": 1, "green": 1})
        for number in range(1, 4):
            conn.execute("DELETE FROM events")
            conn.execute("INSERT INTO events VALUES (%s)", (number,))
            until(lambda n=number: conn.execute("SELECT v FROM slowed").fetchall() == [(n,)], seconds=40)  # type: ignore[misc]
        assert conn.execute("SELECT status FROM pgtrickle.pgt_stream_tables").fetchone() == ("ACTIVE",)
