"""The runbook of supervisors, line by line: what it names exists, what it tells to do helps.

Lies it would catch: a metric that is missing under the printed name, a lever that nothing reads, a stuck tenant that
stays stuck after the printed statement, a rolling restart that loses jobs or has many done again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.brokers import free_port
from support.databases import Database
from support.runners import await_that
from support.supervising import HANDLERS, Supervised, outputs, states

import trickle
from seeds.pages import Printed
from trickle.db.job_schema import private
from trickle.tenants import Budget, SupervisorOptions, Tenant

Conn = psycopg.Connection[Any]
METRICS = {
    "rcm_supervisor_hot_tenants": (),
    "rcm_supervisor_hot_pool_max": (),
    "rcm_supervisor_promote_total": ("enqueue", "cold-dispatch", "fanout", "manual"),
    "rcm_supervisor_demote_total": ("idle", "eviction", "shutdown", "error"),
    "rcm_supervisor_promote_duration_seconds_count": (),
    "rcm_cold_dispatcher_scan_duration_seconds_count": (),
    "rcm_cold_dispatcher_tenants_scanned_total": (),
    "rcm_cold_dispatcher_promotions_total": (),
    "rcm_connection_budget_ratio": (),
}
TENANTS = 6


@pytest.fixture
def conn(db: Database) -> Iterator[Conn]:
    with db.connect() as connection:
        connection.execute("SELECT pgtrickle.set_config('event_driven_wake', 'on')")
        for schema in ["pgboss", *(f"jobs_{number}" for number in range(TENANTS))]:
            connection.execute("SELECT pgtrickle.create_job_schema(%s)", (schema,))
        connection.execute("INSERT INTO pgtrickle.tenants (tenant_id, schema_name) VALUES ('stuck', 'pgboss')")
        connection.execute(
            "INSERT INTO pgtrickle.tenants (tenant_id, schema_name) SELECT 't' || n, 'jobs_' || n"
            " FROM generate_series(0, %s) n",
            (TENANTS - 1,),
        )
        yield connection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "handlers_of_tests.py").write_text(HANDLERS, encoding="utf-8")
    return tmp_path


class Process:
    """A supervisor as an operator runs it."""

    def __init__(self, url: str, folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "trickle", "supervisor", "run", "handlers_of_tests", "--postgres-url", url]
        command += ["--metrics-port", str(self.port), "--metrics-namespace", "rcm", *words]
        # The server of the tests has few connections, and all tenants are on it.
        known = {**os.environ, "PYTHONPATH": os.getcwd(), "TENANT_POOL_MAX": "2", **(environment or {})}
        self.process = subprocess.Popen(command, cwd=folder, env=known, stdin=subprocess.DEVNULL)

    def metrics(self) -> dict[tuple[str, str], float]:
        """By name and reason."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            families = text_string_to_metric_families(answer.read().decode())
            return {(s.name, s.labels.get("reason", "")): s.value for family in families for s in family.samples}

    def is_up(self) -> bool:
        try:
            return self.metrics().get(("rcm_supervisor_members", ""), 0) >= 1
        except OSError:
            assert self.process.poll() is None, "it has ended"
            return False

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


@contextmanager
def process(url: str, folder: Path, *words: str, **options: Any) -> Iterator[Process]:
    made = Process(url, folder, *words, **options)
    try:
        await_that(made.is_up, "the supervisor is up")
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def test_every_metric_and_lever_that_is_printed(db: Database, conn: Conn, folder: Path) -> None:
    levers = {"PGBOSS_HOT_POOL_MAX": "3", "TENANT_POOL_MAX": "4", "PGBOSS_TENANT_POOL_MAX": "2"}
    with process(db.url, folder, environment=levers) as running:
        trickle.enqueue(conn, "q", {"tenantId": "t0"}, schema="jobs_0")
        await_that(lambda: states(conn, "jobs_0") == {"completed": 1})
        await_that(lambda: running.metrics()["rcm_supervisor_hot_tenants", ""] == 1)
        found = running.metrics()
        for name, reasons in METRICS.items():
            assert {reason for known, reason in found if known == name} == set(reasons or ("",)), name
        assert found["rcm_supervisor_hot_pool_max", ""] == 3
        assert found["rcm_connection_budget", ""] == 3 * (4 + 2)
        assert 0 < found["rcm_connection_budget_ratio", ""] < 1
        assert found["rcm_supervisor_demote_total", "error"] == 0
        assert running.end() == 0


def test_a_tenant_stuck_in_cold(db: Database, conn: Conn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker of another program holds its jobs: alive, and doing nothing."""
    page = Printed("supervisor", "When a tenant is stuck in cold", conn)
    trickle.enqueue_many(conn, "q", [{"tenantId": "stuck"}] * 3, schema="pgboss")
    with db.connect() as frozen, process(db.url, folder, "--tick", "0.2") as running:
        runners = f"pgboss.{private('_job_worker_class', 'pgboss')}()"
        frozen.execute(f"SELECT pg_advisory_lock({runners}, 4711)".encode())
        await_that(lambda: states(conn, "pgboss") == {"completed": 3})
        trickle.enqueue_many(conn, "q", [{"tenantId": "stuck"}] * 3, schema="pgboss", start_after="2999-01-01")
        conn.execute(
            "UPDATE pgboss.job SET state = 'active', started_on = now() - interval '6 min', worker_id = 4711,"
            " is_ready = true, epoch = 1 WHERE state = 'created'"
        )
        assert {row["state"]: row["count"] for row in page.run("states")} == {"completed": 3, "active": 3}
        page.run("reclaim")
        await_that(lambda: states(conn, "pgboss") == {"completed": 6}, "done after the printed statement")
        assert running.metrics()["rcm_supervisor_promote_duration_seconds_count", ""] >= 1
    page.assert_all_run()


def test_force_promote(db: Database, conn: Conn, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """await supervisor.promote('<tenant-id>', 'manual'), and the same from a shell."""
    monkeypatch.syspath_prepend(str(folder))
    made = Supervised(
        db.url,
        lambda: [Tenant("stuck", db.url, "pgboss")],
        ["handlers_of_tests"],
        SupervisorOptions(budget=Budget(hot_pool_max=2)),
    )
    made.start()
    try:
        await_that(lambda: made.metric("supervisor_tenants") == 1)
        made.do(lambda supervisor: supervisor.promote("stuck", "manual"))
        assert made.hot() == {"stuck"}
        assert made.metric("supervisor_promote_total", reason="manual") == 1
    finally:
        made.end()
    with process(db.url, folder) as running:
        await_that(lambda: running.metrics()["rcm_supervisor_tenants", ""] == TENANTS + 1)
        words = [sys.executable, "-m", "trickle", "supervisor", "promote", "t3", "--postgres-url", db.url]
        subprocess.run(words, check=True, timeout=60)
        await_that(lambda: running.metrics()["rcm_supervisor_promote_total", "manual"] == 1)


def test_a_rolling_restart_loses_nothing(db: Database, conn: Conn, folder: Path) -> None:
    """Three supervisors under load, replaced one by one: no job lost, fewer than 2 % tried again."""
    stop = threading.Event()
    made = 0

    def load() -> None:
        nonlocal made
        with db.connect() as writer:
            while not stop.is_set():
                number = made % TENANTS
                payload = {"tenantId": f"t{number}", "seconds": 0.02}
                trickle.enqueue(writer, "q", payload, schema=f"jobs_{number}")
                made += 1
                time.sleep(0.005)

    supervisors = [Process(db.url, folder) for _ in range(3)]
    writer = threading.Thread(target=load)
    try:
        for one in supervisors:
            await_that(one.is_up, "the supervisor is up")
        writer.start()
        for place in range(3):
            time.sleep(1.0)
            assert supervisors[place].end() == 0
            supervisors[place] = Process(db.url, folder)
            await_that(supervisors[place].is_up, "the new one is up")
        time.sleep(1.0)
        stop.set()
        writer.join()
        schemas = [f"jobs_{number}" for number in range(TENANTS)]
        await_that(
            lambda: sum(states(conn, schema).get("completed", 0) for schema in schemas) == made, "every job is done"
        )
        again = 0
        for schema in schemas:
            row = conn.execute(f"SELECT count(*) FILTER (WHERE retry_count > 0) FROM {schema}.job".encode()).fetchone()
            again += row[0] if row else 0
        print(f"{again} of {made} were tried again")
        assert made > 200 and again < 0.02 * made
        assert len({one["pid"] for schema in schemas for one in outputs(conn, schema)}) > TENANTS, "by many processes"
    finally:
        stop.set()
        for one in supervisors:
            one.process.kill()
            one.process.wait()
