"""Instances to be killed, and what the server says about their claims: the inside of the benchmark `failover`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection

_HELD = "SELECT o.pgt_id, o.backend_pid FROM pgtrickle.ownership AS o"
_COUNT = "SELECT count(*) FROM pgtrickle.pgt_stream_tables"
_PATIENCE_SECONDS = 60.0


class NotTakenOver(Exception):
    """Claims stayed without an owner, or instances did not come to their shares."""


@dataclass(frozen=True, slots=True)
class Running:
    """One instance: a process group of its own."""

    name: str
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def reload(self) -> None:
        """Have it read the settings of the database anew."""
        self.process.send_signal(signal.SIGHUP)

    def freeze(self) -> None:
        """The parent and its subprocesses: as a virtual machine that is suspended."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)


class Fleet:
    """A few instances, started by the command line that users start them with."""

    def __init__(self, url: str, folder: Path, workers: int) -> None:
        self._url = url
        self._workers = workers
        self._folder = folder
        self._number = 0
        self.running: dict[str, Running] = {}

    def start(self) -> None:
        self._number += 1
        name = f"instance-{self._number}"
        command = [sys.executable, "-m", "trickle", "worker", "--postgres-url", self._url, "--instance-id", name]
        command += ["--workers", str(self._workers)]
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--workers", str(self._workers)],
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.running[name] = Running(name, process)

    def kill(self, name: str) -> None:
        self.running.pop(name).kill()

    def close(self) -> None:
        for name in list(self.running):
            self.running[name].thaw()
            self.kill(name)


@contextmanager
def fleet(url: str, folder: Path, size: int, workers: int = 1) -> Iterator[Fleet]:
    made = Fleet(url, folder, workers)
    try:
        for _ in range(size):
            made.start()
        yield made
    finally:
        made.close()


class Claims:
    """Who holds which stream table, by its name or with its shard, asked as often as the server answers."""

    def __init__(self, conn: Connection[Any]) -> None:
        self._conn = conn
        row = conn.execute(_COUNT).fetchone()
        assert row is not None
        self._count = int(row[0])

    def holders(self) -> dict[int, int]:
        """The process id of the session that has claimed each stream table."""
        return {int(pgt_id): int(pid) for pgt_id, pid in self._conn.execute(_HELD).fetchall()}

    def await_all(self, without: int) -> float:
        """Wait until every claim is held, none by the session `without`; when that was, by `time.perf_counter`."""

        def are_held() -> bool:
            holders = self.holders()
            return len(holders) == self._count and without not in holders.values()

        return await_that(are_held, "not all claims were held again", pause=0.001)

    def await_shares(self, names: set[str]) -> dict[str, int]:
        """Wait until these instances share all claims and each has some; the lock session of each."""
        found: dict[str, int] = {}

        def are_shared() -> bool:
            query = "SELECT instance_id, backend_pid, count(*) FROM pgtrickle.ownership GROUP BY 1, 2"
            rows = self._conn.execute(query).fetchall()
            live = self._conn.execute("SELECT instance_id FROM pgtrickle.instances WHERE is_live").fetchall()
            found.clear()
            found.update({str(name): int(pid) for name, pid, _ in rows})
            held = sum(int(count) for _, _, count in rows)
            return set(found) == names == {str(name) for (name,) in live} and held == self._count

        await_that(are_shared, f"{', '.join(sorted(names))} did not come to their shares", pause=0.05)
        return found


def await_that(condition: Callable[[], bool], failure: str, pause: float) -> float:
    """Ask until it is true; when that was. A server that is away is asked again."""
    deadline = time.perf_counter() + _PATIENCE_SECONDS
    while time.perf_counter() < deadline:
        if condition():
            return time.perf_counter()
        time.sleep(pause)
    raise NotTakenOver(f"{failure} within {_PATIENCE_SECONDS:g} s")


def connect(url: str) -> Connection[Any]:
    """A session that only looks."""
    return psycopg.connect(url, autocommit=True, application_name="trickle_benchmark")
