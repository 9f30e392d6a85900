"""A supervisor of tenants in a thread of the test, with a loop of its own and handlers in a module of the test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from trickle.tenants import SupervisorOptions, Tenant, TenantJobSupervisor, listing

T = TypeVar("T")
PATIENCE_SECONDS = 60.0

HANDLERS = """
import asyncio, os, time
import trickle
from trickle import tenants

@trickle.job("q")
async def q(payload, context):
    await asyncio.sleep(payload.get("seconds", 0))
    return {"pid": os.getpid(), "tenant": tenants.here().id}

@trickle.job("thread")
def thread(payload, context):
    with tenants.here().blocking_connection() as conn:
        return {"database": conn.execute("SELECT current_database()").fetchone()[0]}

@trickle.job("coroutine")
async def coroutine(payload, context):
    async with tenants.here().connection() as conn:
        cursor = await conn.execute("SELECT current_user")
        return {"user": (await cursor.fetchone())[0]}

@trickle.job("crash")
async def crash(payload, context):
    os._exit(3)
"""


class Supervised:
    """A supervisor in a thread."""

    def __init__(
        self, url: str, tenants: Callable[[], Sequence[Tenant]], modules: Sequence[str], options: SupervisorOptions
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main)
        self._made = threading.Event()
        self._arguments = (url, listing.function(tenants), modules, options)
        self.supervisor: TenantJobSupervisor
        self.error: BaseException | None = None

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._run())
        except BaseException as error:
            self.error = error
            self._made.set()

    async def _run(self) -> None:
        self.supervisor = TenantJobSupervisor(*self._arguments)
        self._made.set()
        await self.supervisor.run()

    def start(self) -> None:
        self._thread.start()
        assert self._made.wait(PATIENCE_SECONDS)

    def do(self, work: Callable[[TenantJobSupervisor], Coroutine[Any, Any, T]]) -> T:
        """Something of the supervisor's, in its loop."""
        return asyncio.run_coroutine_threadsafe(work(self.supervisor), self._loop).result(PATIENCE_SECONDS)

    def ask(self, what: Callable[[TenantJobSupervisor], T]) -> T:
        async def work(supervisor: TenantJobSupervisor) -> T:
            return what(supervisor)

        return self.do(work)

    def hot(self) -> set[str]:
        return {one.id for one in self.ask(lambda s: s.list_hot()) if one.phase == "hot"}

    def metric(self, name: str, **labels: str) -> float:
        value = self.supervisor.metrics.registry.get_sample_value(f"pg_trickle_{name}", labels)
        return 0.0 if value is None else value

    def end(self, graceful: bool = True) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self.supervisor.request_stop, graceful)
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the supervisor did not stop"
        self._loop.close()
        if self.error is not None:
            raise self.error


@contextmanager
def supervised(
    url: str, tenants: Callable[[], Sequence[Tenant]], modules: Sequence[str], **options: Any
) -> Iterator[Supervised]:
    made = Supervised(url, tenants, modules, SupervisorOptions(**options))
    made.start()
    try:
        yield made
    finally:
        made.end()


def states(conn: psycopg.Connection[Any], schema: str) -> dict[str, int]:
    """How many jobs of a schema are in which state."""
    statement = sql.SQL("SELECT state, count(*) FROM {} GROUP BY 1").format(sql.Identifier(schema, "job"))
    return dict(conn.execute(statement).fetchall())


def outputs(conn: psycopg.Connection[Any], schema: str) -> list[Any]:
    statement = sql.SQL("SELECT output FROM {} WHERE state = 'completed' ORDER BY id").format(
        sql.Identifier(schema, "job")
    )
    return [output for (output,) in conn.execute(statement).fetchall()]
