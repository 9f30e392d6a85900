"""Stream tables and pipelines of tenants with databases of their own, under the supervisor that runs their jobs.

Lies it would catch: a stream table of a cold tenant that nobody refreshes; a tenant that stays hot for nothing, or
flaps; more connections than the budget says; a worker or relay that outlives its tenant's process or its supervisor; a
pipeline of a tenant that reads the secrets of the host or of another tenant.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from support.databases import Database
from support.runners import await_that
from support.supervising import Supervised, outputs, states, supervised
from tenants.conftest import Conn

import trickle
from trickle.tenants import Budget, Kinds, Tenant

BOTH = Kinds(refreshes=True, pipelines=True)
ONLY_REFRESHES = Kinds(refreshes=True)


def run_in(tenant: Tenant, *statements: str) -> list[tuple[Any, ...]]:
    """The rows of the last of these statements."""
    with psycopg.connect(tenant.url, autocommit=True) as conn:
        for statement in statements:
            cursor = conn.execute(statement)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def create_total(tenant: Tenant, schedule: str = "1s") -> None:
    query = "SELECT count(*) AS n, sum(v) AS total FROM source"
    with trickle.connect(tenant.url) as client:
        client.connection.execute("CREATE TABLE source (id int PRIMARY KEY, v int NOT NULL)")
        client.create_stream_table("total", query, schedule=schedule)


def insert(tenant: Tenant, number: int) -> None:
    # What was written is told to the statistics at once, as a session tells it that ends.
    run_in(tenant, f"INSERT INTO source VALUES ({number}, 1)")


def total(tenant: Tenant) -> int:
    [(n,)] = run_in(tenant, "SELECT n FROM total")
    return int(n)


def is_cold(running: Supervised) -> bool:
    return running.ask(lambda s: s.list_hot()) == []


def pipeline_to(tenant: Tenant, path: Path) -> None:
    sink = json.dumps({"type": "file", "path": str(path)})
    run_in(tenant, "SELECT pgtrickle.create_outbox('box')")
    run_in(tenant, f"SELECT pgtrickle.set_relay_outbox('carry', 'box', sink => '{sink}')")


def test_a_cold_tenant_is_refreshed_without_any_handler(db: Database, conn: Conn, others: list[Tenant]) -> None:
    for tenant in others:
        create_total(tenant)
    options = {"budget": Budget(beside=ONLY_REFRESHES), "tick_seconds": 0.2, "idle_seconds": 1.0}
    with supervised(db.url, lambda: others, [], **options) as running:
        await_that(lambda: running.metric("cold_dispatcher_tenants_scanned_total") >= 3)
        await_that(lambda: is_cold(running))
        for turn in range(1, 3):
            for tenant in others[:2]:
                insert(tenant, turn)
            await_that(lambda turn=turn: all(total(tenant) == turn for tenant in others[:2]))
            await_that(lambda: is_cold(running))
        before = running.metric("supervisor_promote_total", reason="cold-dispatch")
        time.sleep(3)
        assert running.metric("supervisor_promote_total", reason="cold-dispatch") == before, "nobody wrote anything"
        assert run_in(others[0], "SELECT equal FROM pgtrickle.verify('total')") == [(True,)]


def test_jobs_refreshes_and_pipelines_of_one_tenant(
    db: Database, conn: Conn, others: list[Tenant], handlers: list[str], tmp_path: Path
) -> None:
    """All at once, and no more connections than the budget says."""
    tenant = others[0]
    create_total(tenant)
    pipeline_to(tenant, tmp_path / "carried")
    budget = Budget(hot_pool_max=1, tenant_pool_max=1, beside=BOTH)
    with supervised(db.url, lambda: others[:1], handlers, budget=budget, tick_seconds=0.2, idle_seconds=2.0) as running:
        most = 0
        for turn in range(1, 6):
            insert(tenant, turn)
            with psycopg.connect(tenant.url, autocommit=True) as application:
                trickle.enqueue(application, "coroutine", {"tenantId": "t0"})
                application.execute("SELECT pgtrickle.publish('box', 'k', '{\"n\": 1}')")
            await_that(lambda turn=turn: total(tenant) == turn)
            most = max(most, sessions(tenant))
        await_that(lambda: states_of(tenant) == {"completed": 5})
        await_that(lambda: (tmp_path / "carried").read_text().count("\n") == 5)
        assert most <= budget.per_tenant
        await_that(lambda: is_cold(running))
        await_that(lambda: sessions(tenant) == 0)


def sessions(tenant: Tenant) -> int:
    """But for those that look at a cold tenant for a moment."""
    [(count,)] = run_in(
        tenant,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend' AND application_name <> 'pg_trickle_supervisor_probe'",
    )
    return int(count)


def states_of(tenant: Tenant) -> dict[str, int]:
    with psycopg.connect(tenant.url, autocommit=True) as conn:
        return states(conn, "pgtrickle")


def test_what_is_due_later_is_waited_for_in_the_cold(db: Database, conn: Conn, others: list[Tenant]) -> None:
    tenant = others[0]
    create_total(tenant, schedule="6s")
    options = {"budget": Budget(beside=ONLY_REFRESHES), "tick_seconds": 0.2, "idle_seconds": 0.5}
    with supervised(db.url, lambda: others[:1], [], **options) as running:
        await_that(lambda: running.metric("cold_dispatcher_tenants_scanned_total") >= 1)
        await_that(lambda: is_cold(running))
        insert(tenant, 1)
        began = time.monotonic()
        await_that(lambda: total(tenant) == 1)
        assert time.monotonic() - began < 20


def test_a_companion_that_dies_takes_the_tenant_down_and_it_comes_back(
    db: Database, conn: Conn, others: list[Tenant]
) -> None:
    tenant = others[0]
    create_total(tenant)
    options = {"budget": Budget(beside=ONLY_REFRESHES), "tick_seconds": 0.2, "idle_seconds": 30.0}
    with supervised(db.url, lambda: others[:1], [], **options) as running:
        insert(tenant, 1)
        await_that(lambda: total(tenant) == 1)
        psutil.Process(worker_pid(tenant)).kill()
        await_that(lambda: running.metric("supervisor_demote_total", reason="error") == 1)
        insert(tenant, 2)
        await_that(lambda: total(tenant) == 2)


def test_a_catalog_that_is_not_understood_costs_no_jobs(
    db: Database, conn: Conn, others: list[Tenant], handlers: list[str]
) -> None:
    """As in the middle of an upgrade of many tenants."""
    tenant = others[0]
    create_total(tenant)
    run_in(tenant, "ALTER TABLE pgtrickle.pgt_stream_tables RENAME COLUMN refresh_tier TO formerly")
    budget = Budget(beside=ONLY_REFRESHES)
    with supervised(db.url, lambda: others[:1], handlers, budget=budget, tick_seconds=0.2, idle_seconds=1.0) as running:
        insert(tenant, 1)
        with psycopg.connect(tenant.url, autocommit=True) as application:
            trickle.enqueue(application, "q", {"tenantId": "t0"})
        await_that(lambda: states_of(tenant) == {"completed": 1})
        await_that(lambda: is_cold(running))
        await_that(lambda: "cannot be looked at" in running.ask(lambda s: s.explain("t0")))
    run_in(tenant, "ALTER TABLE pgtrickle.pgt_stream_tables RENAME COLUMN formerly TO refresh_tier")


def test_a_worker_that_can_never_work_costs_no_jobs(
    db: Database, conn: Conn, others: list[Tenant], handlers: list[str], tmp_path: Path
) -> None:
    """No instance may have so long a group."""
    tenant = others[0]
    create_total(tenant)
    options = {
        "budget": Budget(beside=ONLY_REFRESHES),
        "tick_seconds": 0.2,
        "idle_seconds": 60.0,
        "group_id": "g" * 1100,
    }
    log = tmp_path / "log"
    with logged_to(log), supervised(db.url, lambda: others[:1], handlers, **options) as running:
        insert(tenant, 1)
        await_that(lambda: "what should work for a tenant cannot" in log.read_text())
        assert "more than 1000" in log.read_text()
        with psycopg.connect(tenant.url, autocommit=True) as application:
            trickle.enqueue(application, "q", {"tenantId": "t0"})
        await_that(lambda: states_of(tenant) == {"completed": 1})
        assert running.hot() == {"t0"}
        assert running.metric("supervisor_demote_total", reason="error") == 0


@contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """What the processes of tenants log, in a file that loses nothing while it is read; shown at the end."""
    usual, log = os.dup(2), os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 2)
    os.close(log)
    try:
        yield
    finally:
        os.dup2(usual, 2)
        os.close(usual)
        print(path.read_text())


def worker_pid(tenant: Tenant) -> int:
    [(pid,)] = run_in(tenant, "SELECT pid FROM pgtrickle.pgt_instances")
    return int(pid)


def test_a_killed_supervisor_leaves_no_companion_behind(
    db: Database, conn: Conn, others: list[Tenant], tmp_path: Path
) -> None:
    tenant = others[0]
    create_total(tenant)
    insert(tenant, 1)
    conn.execute("INSERT INTO pgtrickle.tenants (tenant_id, url) VALUES ('t0', %s)", (tenant.url,))
    command = [sys.executable, "-m", "trickle", "supervisor", "run", "--refreshes", "--postgres-url", db.url]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL)
    try:
        await_that(lambda: total(tenant) == 1)
        family = psutil.Process(process.pid).children(recursive=True)
        assert worker_pid(tenant) in {member.pid for member in family}
        process.send_signal(signal.SIGKILL)
        process.wait()
        _, alive = psutil.wait_procs(family, timeout=40)
        assert not alive
    finally:
        process.kill()
        process.wait()


def test_a_tenant_sees_nothing_of_the_hosts_secrets(
    db: Database, conn: Conn, others: list[Tenant], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRICKLE_T1_PASSWORD", "of another")
    monkeypatch.setenv("APPLICATION_KEY", "of the application")
    (tmp_path / "handlers_that_look.py").write_text(
        "import os, trickle\n\n@trickle.job('look')\nasync def look(payload, context):\n    return dict(os.environ)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = ["handlers_that_look"]
    (tmp_path / "t0").mkdir()
    (tmp_path / "t1").mkdir()
    (tmp_path / "t0" / "name").write_text(str(tmp_path / "carried"))
    (tmp_path / "t1" / "name").write_text(str(tmp_path / "stolen"))
    tenant = others[0]
    pipeline_to(tenant, tmp_path / "x")
    paths = {
        "own": f"${{file:{tmp_path}/t0/name}}",
        "foreign": f"${{file:{tmp_path}/t1/name}}",
        "variable": "${env:APPLICATION_KEY}",
    }
    for name, path in paths.items():
        sink = json.dumps({"type": "file", "path": path})
        run_in(tenant, f"SELECT pgtrickle.set_relay_outbox('{name}', 'box', sink => '{sink}')")
    run_in(tenant, "SELECT pgtrickle.publish('box', 'k', '{}')")
    with psycopg.connect(tenant.url, autocommit=True) as application:
        trickle.enqueue(application, "look", {"tenantId": "t0"})
        budget = Budget(beside=Kinds(pipelines=True))
        with supervised(db.url, lambda: others[:1], modules, budget=budget, secrets=tmp_path, tick_seconds=0.2):
            await_that(lambda: states(application, "pgtrickle") == {"completed": 1})
            await_that(lambda: (tmp_path / "carried").exists())
            await_that(lambda: reasons(tenant).keys() >= {"foreign", "variable"})
        [seen] = outputs(application, "pgtrickle")
    assert seen["APPLICATION_KEY"] == "of the application"
    assert not [name for name in seen if name.startswith("TRICKLE_")]
    assert not (tmp_path / "stolen").exists()
    assert "may not be read" in reasons(tenant)["foreign"]
    assert "may not be read" in reasons(tenant)["variable"]


def reasons(tenant: Tenant) -> dict[str, str]:
    rows = run_in(tenant, "SELECT name, reason FROM pgtrickle.relay_status() WHERE reason LIKE '%read%'")
    return {str(name): str(reason) for name, reason in rows}
