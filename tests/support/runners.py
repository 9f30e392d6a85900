"""Runners of jobs: in a thread of the test with a loop of its own, and in a process that can be killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from trickle.db.job_schema import SCHEMA
from trickle.jobs.registry import Registry
from trickle.jobs.runner import JobRunner, RunnerOptions

Conn = psycopg.Connection[Any]
PATIENCE_SECONDS = 60.0


def await_that(holds: Callable[[], object], what: str = "what was waited for") -> None:
    """Until it holds, for a minute at most."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < limit, f"{what} did not come"
        time.sleep(0.005)


def states(conn: Conn) -> dict[str, int]:
    return dict(conn.execute("SELECT state, count(*) FROM pgtrickle.job GROUP BY 1").fetchall())


class Running:
    """A runner in a thread."""

    def __init__(self, url: str, registry: Registry, schema: str = SCHEMA, **options: Any) -> None:
        self.runner = JobRunner(url, registry, RunnerOptions(**{"drain_seconds": 20.0, **options}), schema)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._main)
        self.error: BaseException | None = None

    def _main(self) -> None:
        try:
            self._loop.run_until_complete(self.runner.run())
        except BaseException as error:
            self.error = error

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self.runner.stop)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> None:
        """Stop it, wait, and fail with what it failed with."""
        if self.is_alive:
            self.stop()
        self._thread.join(PATIENCE_SECONDS)
        assert not self.is_alive, "the runner did not stop"
        self._loop.close()
        if self.error is not None:
            raise self.error


@contextmanager
def running(url: str, registry: Registry, schema: str = SCHEMA, **options: Any) -> Iterator[Running]:
    runner = Running(url, registry, schema, **options)
    runner.start()
    try:
        yield runner
    finally:
        runner.end()


@contextmanager
def process(url: str, program: str, folder: Path, options: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A runner in a process of its own: `program` registers handlers with `trickle.job`."""
    script = folder / "runner.py"
    script.write_text(
        f"import asyncio, os, signal, sys, time\nimport trickle\n{program}\n"
        f"trickle.JobRunner(sys.argv[1], options=trickle.RunnerOptions({options})).run_until_signalled()\n",
        encoding="utf-8",
    )
    child = subprocess.Popen([sys.executable, str(script), url])
    try:
        yield child
    finally:
        child.kill()
        child.wait()
