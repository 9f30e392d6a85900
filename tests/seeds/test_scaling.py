"""The scaling guide and the guide to many tenants, statement by statement, where something has happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.databases import Database
from support.waiting import until

from trickle import embedded
from trickle.catalog import migrate

from .pages import Printed, sections

Story = Callable[[Printed], None]


@pytest.fixture
def conn(db: Database) -> Iterator[psycopg.Connection[Any]]:
    """Two stream tables over one busy source and one over a quiet one; 30 changes wait, and one refresh was slow."""
    with db.connect() as connection:
        connection.execute("CREATE TABLE busy (id int PRIMARY KEY, v int); CREATE TABLE quiet (id int PRIMARY KEY)")
        connection.execute("SELECT pgtrickle.create_stream_table('a', 'SELECT v, count(*) AS n FROM busy GROUP BY v')")
        connection.execute("SELECT pgtrickle.create_stream_table('b', 'SELECT id FROM busy')")
        connection.execute("SELECT pgtrickle.create_stream_table('c', 'SELECT id FROM quiet')")
        connection.execute("INSERT INTO busy SELECT i, i FROM generate_series(1, 10) i")
        connection.execute("SELECT pgtrickle.refresh_stream_table('b')")
        connection.execute("INSERT INTO busy SELECT i, i FROM generate_series(11, 30) i")
        connection.execute("INSERT INTO quiet VALUES (1)")
        connection.execute(
            "UPDATE pgtrickle.pgt_refresh_history SET start_time = end_time - interval '3 seconds'"
            " WHERE refresh_id = (SELECT max(refresh_id) FROM pgtrickle.pgt_refresh_history)"
        )
        yield connection


def buffers(page: Printed) -> None:
    found = page.run("backlog")
    assert [(row["stream_table"], row["row_count"], row["pending_rows"]) for row in found] == [
        ("public.a", 30, 30),
        ("public.b", 30, 20),
        ("public.c", 1, 1),
    ]
    assert all(row["buffer_bytes"] > 0 and not row["is_estimate"] for row in found)


def health(page: Printed) -> None:
    page.rows("SELECT pgtrickle.alter_stream_table('c', status => 'suspended')")
    page.rows("UPDATE pgtrickle.pgt_stream_tables SET schedule = '1s', last_refresh_at = now() - interval '1 hour'")
    page.rows("SELECT pg_stat_force_next_flush()")
    page.rows("SELECT 1")
    found = page.row("summary")
    counts = {name: found[name] for name in ("total_stream_tables", "active_count", "suspended_count", "stale_count")}
    assert counts == {"total_stream_tables": 3, "active_count": 2, "suspended_count": 1, "stale_count": 3}
    assert found["max_staleness_seconds"] == pytest.approx(3600, abs=60)
    assert (found["error_count"], found["reinit_pending"], found["scheduler_status"]) == (0, 0, "STOPPED")
    assert 0 <= found["cache_hit_rate"] <= 1


def durations(page: Printed) -> None:
    found = page.run("longest")
    assert [(row["pgt_name"], row["refreshes"]) for row in found[:1]] == [("b", 2)]
    assert found[0]["max_sec"] == pytest.approx(3)
    assert {row["pgt_name"] for row in found} == {"a", "b", "c"}


def worker_pool(page: Printed) -> None:
    """Two refreshes are in progress, since somebody holds what they wait for, and one is waiting for its turn."""
    status = page.row("status")
    assert (status["active_workers"], status["max_workers"], status["per_db_cap"]) == (2, 2, 2)
    assert (status["parallel_mode"], status["idle_workers"]) == ("on", 0)
    # What the worker had to do before it was stopped is shown for five minutes.
    jobs = [job for job in page.run("jobs") if job["status"] != "SUCCEEDED"]
    assert sorted(job["status"] for job in jobs) == ["QUEUED", "RUNNING", "RUNNING"]
    running = [job for job in jobs if job["status"] == "RUNNING"]
    assert all(job["worker_pid"] and job["started_at"] and job["member_count"] == 1 for job in running)
    assert page.run("scheduler loop") == [{"active_workers": 2, "max_workers": 2}]
    assert page.run("saturated") == [{"saturated": True}]
    profile = page.row("profile")
    assert (profile["active"], profile["pool_size"], profile["queue_depth"]) == (2, 2, 1)


STORIES: dict[str, Story] = {"buffers": buffers, "health": health, "durations": durations}


@pytest.mark.parametrize("section", sorted(set(sections("scaling")) - {"worker pool"}))
def test_it_works_as_printed(conn: psycopg.Connection[Any], section: str) -> None:
    page = Printed("scaling", section, conn)
    STORIES[section](page)
    page.assert_all_run()


@pytest.fixture
def at_work(conn: psycopg.Connection[Any], db: Database) -> Iterator[psycopg.Connection[Any]]:
    """A worker with two refreshes in progress that cannot go on, and a third that waits for its turn."""
    conn.execute("SELECT pgtrickle.set_config('max_dynamic_refresh_workers', '2')")
    conn.execute("SELECT pgtrickle.set_config('max_concurrent_refreshes', '2')")
    command = [sys.executable, "-m", "trickle", "worker", "--postgres-url", db.url]
    with db.connect(autocommit=False) as holder:
        worker = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            done = "SELECT count(*) = 3 FROM pgtrickle.pgt_stream_tables WHERE program_state = 'compiled'"
            until(lambda: conn.execute(done).fetchone() == (True,), seconds=60)
            holder.execute("SELECT FROM pgtrickle.pgt_frontiers FOR UPDATE")
            conn.execute("INSERT INTO busy SELECT i, i FROM generate_series(100, 110) i; INSERT INTO quiet VALUES (2)")
            waiting = "SELECT count(*) FROM pgtrickle.parallel_job_status(5) WHERE status IN ('QUEUED', 'RUNNING')"
            until(lambda: conn.execute(waiting).fetchone() == (3,), seconds=60)
            until(lambda: conn.execute(ACTIVE).fetchone() == (2,), seconds=60)
            yield conn
            holder.rollback()
            succeeded = (
                "SELECT count(DISTINCT unit_key) = 3 FROM pgtrickle.parallel_job_status(60) WHERE status = 'SUCCEEDED'"
            )
            until(lambda: conn.execute(succeeded).fetchone() == (True,), seconds=60)
        finally:
            worker.terminate()
            worker.wait(30)


ACTIVE = "SELECT active_workers FROM pgtrickle.worker_pool_status()"


@pytest.mark.slow
def test_the_worker_pool_as_printed(at_work: psycopg.Connection[Any]) -> None:
    page = Printed("scaling", "worker pool", at_work)
    worker_pool(page)
    page.assert_all_run()
    (row,) = [r for r in Printed("tenants", "cluster", at_work).run("cluster_worker_summary") if r["active_workers"]]
    assert row["db_name"] == at_work.info.dbname and row["db_oid"] > 0
    assert (row["active_workers"], row["total_active_workers"], row["scheduler_running"]) == (2, 2, True)
    assert row["scheduler_pid"] > 0
    assert page.rows("SELECT scheduler_running FROM pgtrickle.quick_health") == [{"scheduler_running": True}]
    assert page.rows("SELECT scheduler_status AS s FROM pgtrickle.health_summary()") == [{"s": "ACTIVE"}]
    assert page.rows("SELECT active_workers AS n FROM pgtrickle.metrics_summary()") == [{"n": 2}]


def run_by_psql(db: Database, statement: str) -> None:
    """As printed, `\\c` included, which only psql understands."""
    psql = [str(embedded.tool("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1", db.superuser_url]
    made = subprocess.run(psql, input=statement, capture_output=True, text=True, env={**os.environ, "PGOPTIONS": ""})
    assert made.returncode == 0, made.stderr


@pytest.fixture
def tenants(db: Database) -> Iterator[Database]:
    """Two tenants' databases, as the guide names them."""
    names = ("tenant_a", "tenant_b")
    with db.superuser() as admin:
        for name in names:
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER app_owner").format(sql.Identifier(name)))
    for name in names:
        migrate.init(Database(name, db.server).url)
    yield db
    with db.superuser() as admin:
        for name in names:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        admin.execute("SET pg_trickle.max_dynamic_refresh_workers = 1")
        admin.execute("ALTER SYSTEM RESET pg_trickle.max_dynamic_refresh_workers")
        admin.execute("SELECT pg_reload_conf()")


def setting(db: Database, name: str, database: str) -> Any:
    with Database(database, db.server).connect() as connection:
        row = connection.execute("SELECT pgtrickle._setting(%s, NULL)", (name,)).fetchone()
    assert row is not None
    return row[0]


def test_quotas_as_printed(tenants: Database) -> None:
    page = sections("tenants")["quotas"]
    with tenants.superuser() as admin:
        if admin.info.server_version < 170000:
            # Before 17 the server writes only names that its session knows.
            admin.execute("SET pg_trickle.max_dynamic_refresh_workers = 1")
        admin.execute(page["cluster"].encode())
        admin.execute("SELECT pg_reload_conf()")
    run_by_psql(tenants, page["database"])
    assert setting(tenants, "max_dynamic_refresh_workers", "tenant_a") == "4"
    assert setting(tenants, "max_dynamic_refresh_workers", "tenant_b") == "8"


def test_ports_of_metrics_as_printed(tenants: Database) -> None:
    for statement in sections("tenants")["metrics ports"].values():
        run_by_psql(tenants, statement)
    assert setting(tenants, "metrics_port", "tenant_a") == "9101"
    assert setting(tenants, "metrics_port", "tenant_b") == "9102"


def test_an_alert_is_heard_as_printed(conn: psycopg.Connection[Any], db: Database) -> None:
    with db.connect() as listener:
        listener.execute(sections("tenants")["alerts"]["listen"].encode())
        conn.execute("SELECT pgtrickle.alter_stream_table('a', status => 'suspended')")
        conn.execute("SELECT pgtrickle.resume_stream_table('a')")
        (heard,) = listener.notifies(timeout=10, stop_after=1)
    assert heard.channel == "pg_trickle_alert"
    payload = json.loads(heard.payload)
    assert (payload["event"], payload["pgt_schema"], payload["pgt_name"]) == ("resumed", "public", "a")
