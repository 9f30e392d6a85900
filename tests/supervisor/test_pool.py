"""The server's pool between real databases: a quota kept, a burst lent and taken back; and what SQL says of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from support.databases import Database, _database
from support.waiting import until

from trickle import embedded

Start = Callable[..., Any]

SLOW = """
CREATE FUNCTION slow(seconds float8) RETURNS float8 LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN PERFORM pg_sleep(seconds); RETURN seconds; END $$
"""
ACTIVE = "SELECT db_name, active_workers FROM pgtrickle.cluster_worker_summary()"


def value(conn: psycopg.Connection[Any], query: str) -> Any:
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def settle(conn: psycopg.Connection[Any], **settings: object) -> None:
    for name, given in settings.items():
        conn.execute("SELECT pgtrickle.set_config(%s, %s)", (name, str(given)))


def busy(conn: psycopg.Connection[Any], count: int, seconds: float) -> None:
    """Stream tables that are always due, each refresh of which takes so long."""
    settle(conn, auto_backoff="off")  # who cannot keep his schedule goes on trying
    conn.execute(SLOW)
    for number in range(count):
        conn.execute(f"CREATE TABLE src_{number} (id serial PRIMARY KEY)".encode())
        # Not of constants alone: those would be computed once and for all.
        query = f"SELECT count(*) AS n, slow({seconds} + 0 * coalesce(max(id), 0)) AS s FROM src_{number}"
        create = (
            f"SELECT pgtrickle.create_stream_table('st_{number}', $q${query}$q$, '1s', 'FULL', initialize => false)"
        )
        conn.execute(create.encode())


def keep_busy(conn: psycopg.Connection[Any], count: int, over: threading.Event) -> threading.Thread:
    """Write to all sources all the time."""

    def write() -> None:
        while not over.is_set():
            for number in range(count):
                conn.execute(f"INSERT INTO src_{number} DEFAULT VALUES".encode())
            time.sleep(0.05)

    thread = threading.Thread(target=write)
    thread.start()
    return thread


@pytest.fixture
def other(server: embedded.Server, template: str) -> Iterator[Database]:
    with _database(server, template) as database:
        with database.connect() as owner:
            owner.execute("SELECT pgtrickle.restore_stream_tables()")
        yield database


def watch(conn: psycopg.Connection[Any], seconds: float) -> list[dict[str, int]]:
    """How many refreshes run in each database, looked at again and again."""
    seen, until_then = [], time.monotonic() + seconds
    while time.monotonic() < until_then:
        seen.append(dict(conn.execute(ACTIVE).fetchall()))
        time.sleep(0.02)
    return seen


def test_two_databases_share_the_pool(
    db: Database, other: Database, start_worker: Start, start_server_worker: Start
) -> None:
    """Catches: a pool exceeded, a quota that a burst does not give back, a quiet tenant that is pushed aside."""
    over = threading.Event()
    with ExitStack() as stack:
        loud, quiet = stack.enter_context(db.connect()), stack.enter_context(other.connect())
        writers = [stack.enter_context(each.connect()) for each in (db, other)]
        for conn in (loud, quiet):
            settle(conn, max_dynamic_refresh_workers=5, per_database_worker_quota=2)
        busy(loud, 8, 0.5)
        busy(quiet, 4, 0.7)
        threads = [keep_busy(writers[0], 8, over)]
        try:
            start_worker(children=6)
            until(lambda: dict(loud.execute(ACTIVE).fetchall()).get(db.name) == 3, seconds=20, what="a burst of 150 %")
            alone = watch(loud, 3)
            assert max(seen.get(db.name, 0) for seen in alone) == 3, "150 % of 2, while less than 80 % of 5 are in use"
            start_server_worker(url=other.url, children=6)
            until(lambda: value(quiet, "SELECT count(*) FROM pgtrickle.ownership") == 4, seconds=20)
            threads.append(keep_busy(writers[1], 4, over))
            until(lambda: dict(loud.execute(ACTIVE).fetchall()).get(other.name) == 2, seconds=20, what="its quota")
            time.sleep(2.0)  # a cycle and the jobs in hand
            both = watch(loud, 4)
            assert max(sum(seen.values()) for seen in both) <= 5
            assert max(seen.get(db.name, 0) for seen in both) == 2, "the burst was taken back"
            assert max(seen.get(other.name, 0) for seen in both) == 2
            rows = loud.execute("SELECT * FROM pgtrickle.worker_allocation_status()").fetchone()
            assert rows is not None and rows[0] == db.name and rows[2] in (2, 3) and rows[5] == 5
        finally:
            over.set()
            for thread in threads:
                thread.join()


def test_the_limit_of_a_database_holds_for_all_its_instances(db: Database, start_worker: Start) -> None:
    over = threading.Event()
    with db.connect() as conn, db.connect() as writer:
        settle(conn, max_dynamic_refresh_workers=16, max_concurrent_refreshes=2)
        busy(conn, 6, 0.6)
        for _ in range(2):
            start_worker(children=3)
        thread = keep_busy(writer, 6, over)
        try:
            until(lambda: dict(conn.execute(ACTIVE).fetchall()).get(db.name) == 2, seconds=20)
            time.sleep(2.0)
            seen = watch(conn, 3)
        finally:
            over.set()
            thread.join()
    counts = [each.get(db.name, 0) for each in seen]
    assert max(counts) == 2
    assert sum(counts) / len(counts) > 1.2, "and it is used"


@pytest.mark.parametrize("mode", ["off", "dry_run"])
def test_without_parallel_refreshes_one_runs_at_a_time(db: Database, start_worker: Start, mode: str) -> None:
    with db.connect() as conn:
        settle(conn, parallel_refresh_mode=mode)
        busy(conn, 3, 0.3)
        worker = start_worker(children=3)
        until(lambda: dict(conn.execute(ACTIVE).fetchall()).get(db.name) == 1, seconds=20)
        assert max(seen.get(db.name, 0) for seen in watch(conn, 2)) == 1
        until(lambda: value(conn, "SELECT bool_and(is_populated) FROM pgtrickle.pgt_stream_tables"), seconds=20)
        planned = worker.said("would be given out together")
        assert bool(planned) == (mode == "dry_run")
        if planned:
            assert any("s:" in line["units"] for line in planned)


def test_what_sql_says_of_the_pool_and_its_jobs(db: Database, start_worker: Start) -> None:
    with db.connect() as conn, db.connect() as writer:
        pool = "SELECT * FROM pgtrickle.worker_pool_status()"
        assert conn.execute(pool).fetchone() == (0, 4, 4, "on", 4, None, 0, 0)
        assert conn.execute("SELECT * FROM pgtrickle.cluster_worker_summary()").fetchall() == [
            (None, None, None, None, False, 0)
        ]
        settle(conn, max_dynamic_refresh_workers=2)
        busy(conn, 5, 1.0)
        worker = start_worker(children=4, tick_seconds=0.2)
        until(lambda: value(conn, "SELECT active_workers FROM pgtrickle.worker_pool_status()") == 2, seconds=20)
        assert conn.execute(pool).fetchone()[:5] == (2, 2, 4, "on", 0)  # type: ignore[index]
        jobs = "SELECT count(*) FROM pgtrickle.parallel_job_status(60) WHERE status = "
        until(lambda: value(conn, jobs + "'QUEUED'") == 3, seconds=5)
        assert value(conn, jobs + "'RUNNING'") == 2
        assert value(conn, "SELECT workers_queued FROM pgtrickle.worker_allocation_status()") == 3
        running = conn.execute(
            "SELECT j.unit_key, j.unit_kind, j.member_count, j.attempt_no, a.application_name, b.application_name"
            " FROM pgtrickle.parallel_job_status() j JOIN pg_stat_activity a ON a.pid = j.scheduler_pid"
            " JOIN pg_stat_activity b ON b.pid = j.worker_pid WHERE j.status = 'RUNNING' ORDER BY 1"
        ).fetchall()
        assert [row[1:4] for row in running] == [("singleton", 1, 1)] * 2
        assert all(row[0].startswith("s:") and row[4].startswith("pg_trickle_lock") for row in running)
        assert all(row[5].startswith("pg_trickle_refresh") for row in running)
        summary = conn.execute(
            "SELECT db_name, active_workers, scheduler_running, total_active_workers"
            " FROM pgtrickle.cluster_worker_summary()"
        ).fetchall()
        assert summary == [(db.name, 2, True, 2)]
        # Each is due again after a second, and then has nothing to do.
        first = (
            "SELECT DISTINCT ON (unit_key) duration_ms FROM pgtrickle.parallel_job_status() ORDER BY unit_key, job_id"
        )
        until(lambda: value(conn, f"SELECT count(duration_ms) FROM ({first}) j") == 5, seconds=30)
        assert value(conn, f"SELECT min(duration_ms) FROM ({first}) j") > 900
        writer.execute("INSERT INTO src_0 DEFAULT VALUES")
        until(lambda: value(conn, jobs + "'RUNNING'") == 1, seconds=10)
        worker.kill()
        until(lambda: value(conn, jobs + "'RETRYABLE_FAILED'") == 1, seconds=10, what="what was lost with the instance")


def test_failed_jobs_say_why_and_old_ones_are_removed(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        conn.execute("CREATE TABLE src (id int PRIMARY KEY, v int NOT NULL)")
        conn.execute("SELECT pgtrickle.create_stream_table('inverse', 'SELECT id, 1 / v AS x FROM src', '1s', 'FULL')")
        start_worker()
        until(lambda: value(conn, "SELECT count(*) FROM pgtrickle.ownership") == 1)
        conn.execute("INSERT INTO src VALUES (1, 0)")
        failed = (
            "SELECT unit_key, outcome_detail, retryable FROM pgtrickle.pgt_scheduler_jobs"
            " WHERE status = 'PERMANENT_FAILED'"
        )
        until(lambda: conn.execute(failed).fetchall(), seconds=20)
        assert conn.execute(failed).fetchall() == [("s:1", "division by zero", False)]
        conn.execute("UPDATE pgtrickle.pgt_scheduler_jobs SET finished_at = now() - interval '61 minutes'")
        conn.execute("SELECT pgtrickle._tidy_jobs()")
        assert value(conn, "SELECT count(*) FROM pgtrickle.pgt_scheduler_jobs") == 0
