"""What is done around handlers: in order, within the attempt, and never in the way of what the handler says."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from support.databases import Database
from support.runners import Conn, await_that, running, states

import trickle
from trickle import GiveUp, JobContext, JobMetrics
from trickle.errors import ConfigurationError
from trickle.jobs.around import Proceed
from trickle.jobs.registry import Registry


def test_the_first_is_the_outermost(db: Database, conn: Conn, registry: Registry) -> None:
    told: list[Any] = []

    @registry.around
    async def outer(context: JobContext, proceed: Proceed) -> Any:
        told.append(("outer", context.queue, context.data))
        return {"of": await proceed()}

    @registry.around
    async def inner(context: JobContext, proceed: Proceed) -> Any:
        told.append("inner")
        return await proceed()

    @registry.job("q")
    def handle(data: Any) -> int:
        told.append("handler")
        return int(data)

    trickle.enqueue(conn, "q", 7)
    with running(db.url, registry):
        await_that(lambda: states(conn) == {"completed": 1})
    assert told == [("outer", "q", 7), "inner", "handler"]
    assert conn.execute("SELECT output FROM pgtrickle.job").fetchone() == ({"of": 7},)


def test_the_handler_sees_its_context_variables_and_shows_its_own_to_nobody(
    db: Database, conn: Conn, registry: Registry
) -> None:
    """A span that was started around it is its parent, in a thread too; threads are used again."""
    span, own = ContextVar("span", default="none"), ContextVar("own", default="none")

    @registry.around
    async def traced(context: JobContext, proceed: Proceed) -> Any:
        span.set(f"span {context.data}")
        return await proceed()

    def handle(data: Any) -> list[str]:
        seen = [span.get(), own.get()]
        own.set(f"own {data}")
        return seen

    async def handle_in_the_loop(data: Any) -> list[str]:
        return handle(data)

    registry.job("q")(handle)
    registry.job("r")(handle_in_the_loop)
    for n in range(10):
        trickle.enqueue(conn, "qr"[n % 2], n)
    with running(db.url, registry):
        await_that(lambda: states(conn) == {"completed": 10})
    rows = conn.execute("SELECT data, output FROM pgtrickle.job ORDER BY id").fetchall()
    assert rows == [(n, [f"span {n}", "none"]) for n in range(10)]


def test_what_it_raises_fails_the_attempt(db: Database, conn: Conn, registry: Registry) -> None:
    @registry.around
    async def guard(context: JobContext, proceed: Proceed) -> Any:
        if context.queue == "closed":
            raise GiveUp("not here")
        try:
            return await proceed()
        except ValueError:
            return "mended"

    @registry.job("closed")
    @registry.job("open")
    async def handle(data: Any) -> None:
        raise ValueError(data)

    trickle.enqueue(conn, "closed")
    trickle.enqueue(conn, "open")
    with running(db.url, registry):
        await_that(lambda: states(conn) == {"completed": 1, "failed": 1})
    rows = conn.execute("SELECT name, output, retry_count FROM pgtrickle.job ORDER BY id").fetchall()
    assert rows == [("closed", {"error": "not here", "type": "GiveUp"}, 0), ("open", "mended", 0)]


def test_its_time_is_the_jobs(db: Database, conn: Conn, registry: Registry) -> None:
    @registry.around
    async def slow(context: JobContext, proceed: Proceed) -> Any:
        await asyncio.sleep(60)

    registry.job("q")(lambda data: None)
    conn.execute("SELECT pgtrickle.enqueue('q', expire_in => '100 ms', retry_limit => 0)")
    with running(db.url, registry):
        await_that(lambda: states(conn) == {"failed": 1})


def test_metrics_tell_how_attempts_ended(db: Database, conn: Conn, registry: Registry) -> None:
    into = CollectorRegistry()
    registry.around(JobMetrics(into))

    @registry.job("q")
    async def handle(data: Any) -> None:
        if data == "wait":
            await asyncio.sleep(60)
        if data == "fail":
            raise ValueError

    for data in ("well", "well", "fail", "wait"):
        trickle.enqueue(conn, "q", data, retry_limit=0)

    def count(outcome: str) -> float | None:
        return into.get_sample_value("pg_trickle_job_attempts_total", {"queue": "q", "outcome": outcome})

    with running(db.url, registry):
        await_that(lambda: (count("completed"), count("failed")) == (2.0, 1.0))
        await_that(lambda: into.get_sample_value("pg_trickle_jobs_active", {"queue": "q"}) == 1.0)
        conn.execute("SELECT pgtrickle.cancel_job(4)")
        await_that(lambda: count("cancelled") == 1.0)
    assert into.get_sample_value("pg_trickle_jobs_active", {"queue": "q"}) == 0.0
    assert into.get_sample_value("pg_trickle_job_duration_seconds_count", {"queue": "q"}) == 4.0


def test_what_cannot_be_awaited_is_refused(registry: Registry) -> None:
    with pytest.raises(ConfigurationError, match="has to be `async`"):
        registry.around(lambda context, proceed: proceed())
