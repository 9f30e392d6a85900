"""Supervisors that end in every way, and what becomes of their tenants.

Lies it would catch: a process of a tenant that outlives its supervisor; a tenant that nobody takes over; a job that is
lost, or done twice at once, when a supervisor, or the nursery, is killed or frozen.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from support.databases import Database
from support.runners import await_that
from support.supervising import HANDLERS, outputs, states, supervised
from tenants.conftest import Conn

import trickle
from trickle.jobs.registry import Registry
from trickle.tenants import Tenant, wire
from trickle.tenants.hot import TenantProcess


@pytest.fixture
def victim(db: Database, conn: Conn, tenants: list[Tenant], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor in a process of its own, alone at first."""
    (tmp_path / "handlers_of_tests.py").write_text(HANDLERS, encoding="utf-8")
    conn.execute(
        "INSERT INTO pgtrickle.tenants (tenant_id, schema_name)"
        " SELECT 't' || n, 'jobs_t' || n FROM generate_series(0, 4) n"
    )
    command = [sys.executable, "-m", "trickle", "supervisor", "run", "handlers_of_tests", "--postgres-url", db.url]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.getcwd()}, stdin=subprocess.DEVNULL
    )
    for name in ("t0", "t1", "t2"):
        trickle.enqueue(conn, "q", {"tenantId": name}, schema=f"jobs_{name}")
    await_that(lambda: all(states(conn, f"jobs_t{number}") == {"completed": 1} for number in range(3)))
    yield process
    for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
        child.kill()
    process.kill()
    process.wait()


def hot_pids(conn: Conn) -> set[int]:
    return {one["pid"] for number in range(3) for one in outputs(conn, f"jobs_t{number}")}


def enqueue_all(conn: Conn) -> None:
    for number in range(5):
        trickle.enqueue(conn, "q", {"tenantId": f"t{number}"}, schema=f"jobs_t{number}")


def all_are_done(conn: Conn) -> bool:
    return all(states(conn, f"jobs_t{number}").keys() == {"completed"} for number in range(5))


def test_a_killed_supervisor_leaves_nobody_behind(
    conn: Conn, victim: subprocess.Popen[bytes], db: Database, tenants: list[Tenant], handlers: list[str]
) -> None:
    family = psutil.Process(victim.pid).children(recursive=True)
    assert hot_pids(conn) <= {process.pid for process in family} and len(family) == 4
    trickle.enqueue(conn, "q", {"tenantId": "t0", "seconds": 10}, schema="jobs_t0")
    await_that(lambda: states(conn, "jobs_t0").get("active") == 1)
    with supervised(db.url, lambda: tenants, handlers) as running:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        _, alive = psutil.wait_procs(family, timeout=30)
        assert not alive
        enqueue_all(conn)
        await_that(lambda: all_are_done(conn), "the other takes over")
        assert running.metric("supervisor_tenants") == 5


def test_a_frozen_supervisor_is_relieved(
    conn: Conn, victim: subprocess.Popen[bytes], db: Database, tenants: list[Tenant], handlers: list[str]
) -> None:
    with supervised(db.url, lambda: tenants, handlers, say_seconds=0.5, silent_seconds=3.0) as running:
        await_that(lambda: running.metric("supervisor_members") == 2)
        victim.send_signal(signal.SIGSTOP)
        await_that(lambda: running.metric("supervisor_members") == 1, "its session is ended")
        enqueue_all(conn)
        await_that(lambda: all_are_done(conn))
        victim.send_signal(signal.SIGCONT)
        await_that(lambda: running.metric("supervisor_members") == 2, "it comes back")
        enqueue_all(conn)
        await_that(lambda: all_are_done(conn))


def test_without_its_nursery_it_makes_another(conn: Conn, victim: subprocess.Popen[bytes]) -> None:
    (nursery,) = psutil.Process(victim.pid).children()
    nursery.kill()
    time.sleep(0.2)
    enqueue_all(conn)
    await_that(lambda: all_are_done(conn))


def test_a_second_signal_does_not_wait_for_jobs(conn: Conn, victim: subprocess.Popen[bytes]) -> None:
    trickle.enqueue(conn, "q", {"tenantId": "t1", "seconds": 600}, schema="jobs_t1")
    await_that(lambda: states(conn, "jobs_t1").get("active") == 1)
    family = psutil.Process(victim.pid).children(recursive=True)
    victim.terminate()
    time.sleep(0.5)
    assert victim.poll() is None
    victim.terminate()
    assert victim.wait(30) == 0
    assert states(conn, "jobs_t1") == {"completed": 1, "created": 1}
    _, alive = psutil.wait_procs(family, timeout=30)
    assert not alive


def test_a_process_ends_though_its_supervisor_left_words_unread(db: Database, tenants: list[Tenant]) -> None:
    """The other end of a socket that is closed with something unread is an error, and no end of the stream."""
    registry = Registry()
    registry.job("q")(lambda data: None)

    async def live() -> None:
        ours, theirs = socket.socketpair()
        process = TenantProcess(wire.Plan(tenants[0]), theirs, registry)
        task = asyncio.create_task(process.live())
        while not await asyncio.to_thread(lambda: select.select([ours], [], [], 0.1)[0]):
            pass
        await asyncio.sleep(0.5)
        ours.close()
        async with asyncio.timeout(30):
            await task

    asyncio.run(live())
