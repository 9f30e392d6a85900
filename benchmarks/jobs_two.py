"""Two workers at a full queue: two runners, and two bare loops, each a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier

import psycopg
from psycopg import Connection

from trickle.jobs.registry import Registry
from trickle.jobs.runner import JobRunner, RunnerOptions

WORKERS = 2
_CONTEXT = multiprocessing.get_context("spawn")
_WAIT_SECONDS = 60.0


def drained(url: str, conn: Connection[object], batch: int, jobs: int) -> float:
    """Seconds from the first attempt to the last acknowledgement, by the server's clock."""
    processes = [_CONTEXT.Process(target=_run, args=(url, batch)) for _ in range(WORKERS)]
    for process in processes:
        process.start()
    try:
        signed_in = "SELECT count(*) FROM pg_locks WHERE classid = pgtrickle._job_worker_class()::oid"
        _await(lambda: conn.execute(signed_in).fetchone() == (WORKERS,))
        conn.execute("SELECT pgtrickle.enqueue_many('q', array_fill('{}'::jsonb, ARRAY[%s::int]))", (jobs,))
        _await(lambda: conn.execute("SELECT count(*) FROM pgtrickle.job WHERE completed_on IS NULL").fetchone() == (0,))
        span = "SELECT extract(epoch FROM max(completed_on) - min(started_on))::float8 FROM pgtrickle.job"
        row = conn.execute(span).fetchone()
    finally:
        for process in processes:
            process.terminate()
            process.join()
    assert isinstance(row, tuple)
    return float(row[0])


def _run(url: str, batch: int) -> None:
    registry = Registry()

    @registry.job("q")
    async def handle(_: object) -> None:
        return None

    JobRunner(url, registry, RunnerOptions(concurrency=2 * batch, batch=batch)).run_until_signalled()


def looped(url: str, batch: int, loop: Callable[[Connection[object], int], None]) -> float:
    """Seconds that the loops take together."""
    barrier = _CONTEXT.Barrier(WORKERS + 1)
    processes = [_CONTEXT.Process(target=_loop, args=(url, batch, loop, barrier)) for _ in range(WORKERS)]
    for process in processes:
        process.start()
    barrier.wait(_WAIT_SECONDS)
    began = time.perf_counter()
    for process in processes:
        process.join()
    return time.perf_counter() - began


def _loop(url: str, batch: int, loop: Callable[[Connection[object], int], None], barrier: Barrier) -> None:
    with psycopg.connect(url, autocommit=True, prepare_threshold=2) as conn:
        conn.execute("SELECT 1")
        barrier.wait(_WAIT_SECONDS)
        loop(conn, batch)
    os._exit(0)


def _await(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + _WAIT_SECONDS
    while not holds():
        if time.monotonic() > limit:
            raise ValueError("two runners did not end")
        time.sleep(0.01)
