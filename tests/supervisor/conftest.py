"""Running instances: each in a process of its own, ended with the test whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.databases import Database
from support.waiting import until

_PROGRAM = """
import json, sys
import trickle.ivm
trickle.ivm.COMPILER_VERSION = sys.argv[2] or trickle.ivm.COMPILER_VERSION
from trickle.supervisor import WorkerOptions, run_worker
sys.exit(run_worker(WorkerOptions(**json.loads(sys.argv[1]))))
"""
_SHOWN = 20


@dataclass
class Worker:
    """One instance and what it logs."""

    process: subprocess.Popen[str]
    log: Path
    known_children: set[psutil.Process] = field(default_factory=set)

    @property
    def pid(self) -> int:
        return self.process.pid

    def lines(self) -> list[dict[str, Any]]:
        """The whole lines logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def said(self, message: str) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["message"] == message]

    def children(self) -> list[psutil.Process]:
        """Refresh subprocesses that run now."""
        try:
            found = psutil.Process(self.pid).children()
        except psutil.NoSuchProcess:
            return []
        alive = [child for child in found if child.status() != psutil.STATUS_ZOMBIE]
        self.known_children.update(alive)
        return alive

    def kill(self) -> None:
        self.children()
        self.process.kill()
        self.process.wait(10)

    def terminate(self, number: int = signal.SIGTERM) -> None:
        self.children()
        os.kill(self.pid, number)

    def wait(self, seconds: float = 20) -> int:
        return self.process.wait(seconds)


@pytest.fixture
def start_server_worker(tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    """Starts an instance; options are those of WorkerOptions.

    `prefix` is a command that runs a command; `compiler_version` is what it says of itself.
    """
    started: list[Worker] = []

    def start(prefix: Sequence[str] = (), compiler_version: str = "", **options: Any) -> Worker:
        log = tmp_path / f"worker-{len(started)}.log"
        given = {"children": 2, "tick_seconds": 0.2, "log_format": "json", "log_level": "debug", **options}
        with log.open("w") as sink:
            process = subprocess.Popen(
                [*prefix, sys.executable, "-c", _PROGRAM, json.dumps(given), compiler_version],
                stderr=sink,
                stdin=subprocess.DEVNULL,
                text=True,
            )
        started.append(Worker(process, log))
        return started[-1]

    yield start
    for worker in started:
        print(f"the last of {worker.log.name}:", *worker.lines()[-_SHOWN:], sep="\n")  # shown when the test failed
        if worker.process.poll() is None:
            worker.kill()
        worker.process.wait(10)
        _assert_no_orphans(worker)


@pytest.fixture
def start_worker(db: Database, start_server_worker: Callable[..., Worker]) -> Callable[..., Worker]:
    """The same on the test's own database."""
    return lambda **options: start_server_worker(**{"url": db.url, **options})


def _assert_no_orphans(worker: Worker) -> None:
    """Whatever became of the parent, no refresh subprocess outlives it."""
    until(
        lambda: not [child for child in worker.known_children if child.is_running()],
        seconds=5,
        what="every refresh subprocess is gone",
    )
