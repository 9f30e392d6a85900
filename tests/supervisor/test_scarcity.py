"""The server runs out of something: connections, disk, time. Work waits, says so now and then, and goes on by itself.

Lies it would catch: a busy loop of attempts; an instance that ends where it should wait; a stream table that stays
behind, or half written, after the trouble is over.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.databases import Database
from support.server import require_server
from support.waiting import until

from trickle import embedded
from trickle.catalog import migrate
from trickle.supervisor import options as o

Start = Callable[..., Any]
WAITED = 6.0
ATTEMPTS = 30
"""So many lines of warning are not a busy loop within that time."""


def warnings(worker: Any) -> list[dict[str, Any]]:
    return [line for line in worker.lines() if line["level"] in ("warning", "error")]


def total(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query.encode()).fetchone()
    return row[0] if row else None


def prepare(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE TABLE source (id int PRIMARY KEY, v int NOT NULL)")
    conn.execute("SELECT pgtrickle.create_stream_table('st', 'SELECT sum(v) AS s FROM source', schedule => '1s')")


def allow(admin: psycopg.Connection[Any], db: Database, connections: int) -> None:
    limit = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}")
    admin.execute(limit.format(sql.Identifier(db.name), sql.Literal(connections)))


def end_sessions(admin: psycopg.Connection[Any], db: Database, role: str) -> None:
    """End the sessions of ours that have this role, or all."""
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND application_name ^@ %s",
        (db.name, f"pg_trickle_{role}"),
    )


def test_no_connections_are_left_for_the_children(db: Database, start_worker: Start) -> None:
    with db.superuser() as admin, db.connect() as conn:
        prepare(conn)
        worker = start_worker(children=2)
        until(lambda: total(conn, "SELECT count(*) FROM pgtrickle.ownership WHERE instance_id IS NOT NULL") == 1)
        # One is ours, three are the instance's own: its children get none.
        allow(admin, db, 4)
        end_sessions(admin, db, "refresh")
        conn.execute("INSERT INTO source VALUES (1, 7)")
        time.sleep(WAITED)
        assert worker.process.poll() is None
        assert 0 < len(warnings(worker)) < ATTEMPTS
        allow(admin, db, -1)
        until(lambda: total(conn, "SELECT s FROM st") == 7, seconds=60)
        worker.terminate()
        assert worker.wait() == o.EXIT_DRAINED


def test_no_connection_is_left_for_the_instance(db: Database, start_worker: Start) -> None:
    with db.superuser() as admin, db.connect() as conn:
        prepare(conn)
        worker = start_worker()
        until(lambda: total(conn, "SELECT count(*) FROM pgtrickle.ownership WHERE instance_id IS NOT NULL") == 1)
        allow(admin, db, 1)
        end_sessions(admin, db, "")
        conn.execute("INSERT INTO source VALUES (1, 7)")
        time.sleep(WAITED)
        assert worker.process.poll() is None
        assert 0 < len(warnings(worker)) < ATTEMPTS
        allow(admin, db, -1)
        until(lambda: total(conn, "SELECT s FROM st") == 7, seconds=60)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    where = tmp_path / "small"
    where.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(where)], capture_output=True)
    if made.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    yield where
    subprocess.run(["umount", "--lazy", str(where)], check=True)


@pytest.fixture
def server_on_it(small_disk: Path, tmp_path: Path) -> Iterator[embedded.Server]:
    """A server that came up after the file system was mounted, with a tablespace there."""
    require_server()
    server = embedded.start(tmp_path / "server", settings={"fsync": False}, die_with_parent=True)
    owner = (next((tmp_path / "server").rglob("PG_VERSION")).parent).stat()
    os.chown(small_disk, owner.st_uid, owner.st_gid)
    os.chmod(small_disk, 0o700)
    migrate.init(server.url())
    yield server
    embedded.stop(tmp_path / "server", "immediate")


def test_the_disk_is_full(server_on_it: embedded.Server, small_disk: Path, start_server_worker: Start) -> None:
    with psycopg.connect(server_on_it.url(), autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(str(small_disk))))
        conn.execute("CREATE TABLE source (id int PRIMARY KEY, filler text NOT NULL)")
        create = "SELECT pgtrickle.create_stream_table('st', 'SELECT id, filler FROM source', schedule => '1s')"
        conn.execute(create.encode())
        conn.execute("ALTER TABLE st SET TABLESPACE small")
        conn.execute("SELECT pgtrickle.set_config('max_consecutive_errors', '100')")
        worker = start_server_worker(url=server_on_it.url())
        conn.execute("INSERT INTO source VALUES (1, 'a')")
        until(lambda: total(conn, "SELECT count(*) FROM st") == 1, seconds=30)
        conn.execute("INSERT INTO source SELECT i, repeat('x', 900) FROM generate_series(2, 6000) i")
        until(lambda: [line for line in warnings(worker) if line.get("sqlstate") == "53100"], seconds=30)
        time.sleep(WAITED)
        assert worker.process.poll() is None
        assert len(warnings(worker)) < ATTEMPTS
        assert total(conn, "SELECT count(*) FROM st") == 1, "nothing half written"
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        until(lambda: total(conn, "SELECT count(*) FROM st") == 6000, seconds=90)
        differ = "SELECT count(*) FROM (SELECT id, filler FROM source EXCEPT ALL SELECT id, filler FROM st) x"
        assert total(conn, differ) == 0
        worker.terminate()
        assert worker.wait() == o.EXIT_DRAINED


def test_a_refresh_takes_too_long(db: Database, start_worker: Start) -> None:
    """It is ended by the server, the others go on, and it is not tried without pause."""
    with db.connect() as conn:
        conn.execute("CREATE TABLE source (id int PRIMARY KEY, v float8 NOT NULL)")
        conn.execute(
            "CREATE FUNCTION slow(seconds float8) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS"
            " $$ BEGIN PERFORM pg_sleep(seconds); RETURN seconds; END $$"
        )
        for name, query in (("slow_one", "SELECT id, slow(v) AS v FROM source"), ("quick", "SELECT id FROM source")):
            conn.execute("SELECT pgtrickle.create_stream_table(%s, %s, schedule => '1s')", (name, query))
        worker = start_worker(refresh_seconds=1.0)
        until(lambda: total(conn, "SELECT count(*) FROM pgtrickle.ownership WHERE instance_id IS NOT NULL") == 2)
        conn.execute("INSERT INTO source VALUES (1, 3600)")
        until(lambda: total(conn, "SELECT count(*) FROM quick") == 1, seconds=30)
        until(
            lambda: [line for line in worker.said("refresh failed") if line["table"] == "public.slow_one"], seconds=30
        )
        time.sleep(WAITED)
        failed = [line for line in worker.said("refresh failed") if line["table"] == "public.slow_one"]
        assert {line["sqlstate"] for line in failed} == {"57014"}
        assert len(failed) <= 3, "the pauses grow"
        conn.execute("UPDATE source SET v = 0")
        conn.execute("INSERT INTO source VALUES (2, 0)")
        until(lambda: total(conn, "SELECT count(*) FROM quick") == 2, seconds=30)
        worker.terminate()
        assert worker.wait() == o.EXIT_DRAINED
