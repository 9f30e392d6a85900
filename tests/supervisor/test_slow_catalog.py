"""Questions to the catalog hang: the instance keeps what it has, says that it lives, and goes on when it is answered.

Lies it would catch: an instance that is taken for a frozen one, because it waits for an answer and cannot say that it
lives meanwhile; claims that are dropped, or held twice; a health page that hangs with it; an instance whose turns take
longer than its tick, and which does nothing but ask: its children get one job in each turn.
"""

from __future__ import annotations

import os
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from support.databases import Database
from support.frozen import freeze
from support.waiting import until

Start = Callable[..., Any]
HANGS = 8.0
"""Seconds: much longer than a silent instance is left alone, and than the server waits for a lock for it."""
TABLES = 6


def prepare(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE TABLE source (id int PRIMARY KEY, v int NOT NULL)")
    for number in range(TABLES):
        conn.execute(
            "SELECT pgtrickle.create_stream_table(%s, %s, schedule => '1s')",
            (f"st_{number}", f"SELECT sum(v) + {number} AS s FROM source"),
        )


def claims(conn: psycopg.Connection[Any]) -> dict[int, int]:
    """Who holds which key of the group, read without the catalog."""
    rows = conn.execute(
        "SELECT objid::bigint, pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND classid::bigint = hashtext('default')::bigint & 4294967295"
    ).fetchall()
    assert len(rows) == len(dict(rows)), "no key is held twice"
    return dict(rows)


def ages(conn: psycopg.Connection[Any]) -> list[float]:
    """Seconds since each heartbeat."""
    query = "SELECT extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 FROM pgtrickle.pgt_instances"
    return [float(age) for (age,) in conn.execute(query).fetchall()]


@contextmanager
def catalog_locked(db: Database, _: psycopg.Connection[Any]) -> Iterator[None]:
    """Somebody holds the table that every question reads."""
    with db.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE pgtrickle.pgt_stream_tables IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def one_session_hangs(db: Database, conn: psycopg.Connection[Any]) -> Iterator[None]:
    """The server's process behind the questions of one instance stands still; all others are well."""
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'pg_trickle_scheduler' AND datname = %s LIMIT 1"
    row = conn.execute(query, (db.name,)).fetchone()
    assert row is not None
    freeze(row[0])
    try:
        yield
    finally:
        os.kill(row[0], signal.SIGCONT)


@pytest.mark.parametrize("trouble", [pytest.param(catalog_locked, marks=pytest.mark.full), one_session_hangs])
def test_claims_and_heartbeats_outlast_a_slow_catalog(
    db: Database, start_worker: Start, trouble: Callable[..., Any]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with db.connect() as conn:
        prepare(conn)
        workers = [start_worker(instance_id="a", metrics_port=port), start_worker(instance_id="b")]
        until(lambda: len(claims(conn)) == TABLES + 2 and len(set(claims(conn).values())) == 2, seconds=30)
        until(lambda: sum(len(worker.said("compiled")) for worker in workers) >= TABLES, seconds=30)
        time.sleep(4)  # whoever has been awake for less than that judges nobody
        before = claims(conn)
        with trouble(db, conn):
            ends_at = time.monotonic() + HANGS
            while time.monotonic() < ends_at:
                assert claims(conn) == before
                assert max(ages(conn)) < 2.5, "it goes on saying that it lives"
                page = urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=1)
                assert page.status == 200
                time.sleep(0.2)
        conn.execute("INSERT INTO source VALUES (1, 10)")
        for number in range(TABLES):
            query = f"SELECT s FROM st_{number}".encode()
            until(lambda q=query, n=number: conn.execute(q).fetchone() == (10 + n,), seconds=20)  # type: ignore[misc]
        assert claims(conn) == before
        for worker in workers:
            assert not [line for line in worker.lines() if "silent" in line["message"]]


def test_work_is_given_out_between_turns_that_take_longer_than_a_tick(db: Database, start_worker: Start) -> None:
    tables, asks = 30, 0.5
    with db.connect() as conn:
        conn.execute("CREATE TABLE source (id int PRIMARY KEY, v int NOT NULL)")
        conn.execute("SELECT pgtrickle.set_config('event_driven_wake', 'off')")
        for number in range(tables):
            conn.execute(
                "SELECT pgtrickle.create_stream_table(%s, %s, schedule => 'calculated')",
                (f"st_{number}", f"SELECT sum(v) + {number} AS s FROM source"),
            )
        worker = start_worker(children=1, tick_seconds=0.1)
        until(lambda: len(worker.said("compiled")) == tables, seconds=60)
        conn.execute("ALTER FUNCTION pgtrickle.pending(bigint[], boolean) RENAME TO pending_at_once")
        conn.execute(
            "CREATE FUNCTION pgtrickle.pending(asked bigint[], captured boolean DEFAULT true)"
            " RETURNS TABLE (pgt_id bigint, has_changes boolean) LANGUAGE plpgsql AS $$ BEGIN"
            f" PERFORM pg_sleep({asks}); RETURN QUERY"
            " SELECT p.pgt_id, p.has_changes FROM pgtrickle.pending_at_once(asked, captured) AS p; END $$".encode()
        )
        time.sleep(2 * asks)
        conn.execute("INSERT INTO source VALUES (1, 10)")
        right = " UNION ALL ".join(f"SELECT s = 10 + {number} AS is_right FROM st_{number}" for number in range(tables))
        query = f"SELECT count(*) FROM ({right}) AS st WHERE is_right".encode()
        until(lambda: conn.execute(query).fetchone() == (tables,), seconds=tables * asks / 2)
