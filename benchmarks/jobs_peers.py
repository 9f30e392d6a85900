"""Other queues for Python in PostgreSQL, where they are installed: `pip install 'pgqueuer[asyncpg]' procrastinate`.

Each drains a full queue with one worker and a handler that does nothing, with the batch that is asked for where it has
such a thing, and as its documentation runs it otherwise. Its tables are in the same database as ours.
"""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict

Drain = Callable[[str, int, int], Coroutine[Any, Any, float]]


@dataclass(slots=True)
class _Watch:
    """From the first handler to the last acknowledgement."""

    jobs: int
    done: int = 0
    began: float = 0.0

    def tick(self) -> None:
        self.done += 1
        if self.done == 1:
            self.began = time.perf_counter()


def found() -> dict[str, Callable[[Connection[Any], str, int, int], float]]:
    """The peers that are installed: each drains so many jobs in batches, and says how many seconds that took."""
    named: dict[str, tuple[tuple[str, ...], Drain, str]] = {
        "PgQueuer": (("pgqueuer", "asyncpg"), _pgqueuer, "TRUNCATE pgqueuer, pgqueuer_log"),
        "Procrastinate": (("procrastinate",), _procrastinate, "TRUNCATE procrastinate_jobs CASCADE"),
    }
    return {
        name: _timed(drain, clear)
        for name, (modules, drain, clear) in named.items()
        if all(importlib.util.find_spec(module) for module in modules)
    }


def _timed(drain: Drain, clear: str) -> Callable[[Connection[Any], str, int, int], float]:
    def run(conn: Connection[Any], url: str, batch: int, jobs: int) -> float:
        logging.getLogger("procrastinate").setLevel(logging.WARNING)
        logging.getLogger("pgqueuer").setLevel(logging.WARNING)
        took = asyncio.run(drain(url, batch, jobs))
        conn.execute(clear.encode())
        return took

    return run


async def _pgqueuer(url: str, batch: int, jobs: int) -> float:
    import asyncpg
    from pgqueuer import PgQueuer
    from pgqueuer.db import AsyncpgDriver
    from pgqueuer.queries import Queries
    from pgqueuer.types import QueueExecutionMode

    place = conninfo_to_dict(url)
    conn = await asyncpg.connect(
        host=place.get("host"), port=place.get("port"), user=place.get("user"), database=place.get("dbname")
    )
    try:
        driver = AsyncpgDriver(conn)
        queries = Queries(driver)
        if await conn.fetchval("SELECT to_regclass('pgqueuer') IS NULL"):
            await queries.install()
        await queries.enqueue(["q"] * jobs, [b"{}"] * jobs, [0] * jobs)
        watch = _Watch(jobs)
        worker = PgQueuer(driver)

        @worker.entrypoint("q")
        async def handle(_: Any) -> None:
            watch.tick()

        await worker.run(batch_size=batch, mode=QueueExecutionMode.drain)
        took = time.perf_counter() - watch.began
        left = await conn.fetchval("SELECT count(*) FROM pgqueuer")
        assert left == 0 and watch.done == jobs, f"PgQueuer left {left} of {jobs}"
        return took
    finally:
        await conn.close()


async def _procrastinate(url: str, batch: int, jobs: int) -> float:
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=url, min_size=1, max_size=batch))
    watch = _Watch(jobs)

    @app.task(name="q", queue="q")
    async def handle() -> None:
        watch.tick()

    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        await handle.batch_defer_async(*[{}] * jobs)
        await app.run_worker_async(
            queues=["q"], wait=False, concurrency=batch, install_signal_handlers=False, listen_notify=False
        )
    assert watch.done == jobs, f"Procrastinate did {watch.done} of {jobs}"
    return time.perf_counter() - watch.began
