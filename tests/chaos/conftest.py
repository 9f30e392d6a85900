"""Instances to be maltreated, each a process of its own, and a database under load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from support.databases import Database
from support.waiting import until

import trickle
from chaos.load import QUERIES, SETUP

_PROGRAMS = {
    "worker": """
import json, sys
from trickle.supervisor import WorkerOptions, run_worker
sys.exit(run_worker(WorkerOptions(**json.loads(sys.argv[1]))))
""",
    "relay": """
import json, sys
from trickle.supervisor.options import RelayOptions
from trickle.supervisor.relay_loop import run_relay
sys.exit(run_relay(RelayOptions(**json.loads(sys.argv[1]))))
""",
}
_OPTIONS: dict[str, dict[str, Any]] = {"worker": {"children": 2, "tick_seconds": 0.1}, "relay": {"children": 1}}
Start = Callable[..., "Instance"]


@dataclass
class Instance:
    """A running worker or relay, its log, and every subprocess it was ever seen with."""

    process: subprocess.Popen[bytes]
    log: Path
    seen: set[psutil.Process] = field(default_factory=set)

    def children(self) -> list[psutil.Process]:
        """The subprocesses that run now."""
        try:
            found = psutil.Process(self.process.pid).children()
            alive = [child for child in found if child.status() != psutil.STATUS_ZOMBIE]
        except psutil.NoSuchProcess:
            return []
        self.seen.update(alive)
        return alive

    def wait_for_children(self) -> list[psutil.Process]:
        return until(self.children, seconds=30, what="the instance has subprocesses")

    def log_size(self) -> int:
        return self.log.stat().st_size

    def kill(self) -> None:
        self.children()
        self.process.kill()
        self.process.wait(10)

    def drain(self) -> int:
        """Ask politely, once it is far enough to hear; the exit code."""
        self.wait_for_children()
        self.process.terminate()
        return self.process.wait(60)

    def orphans(self) -> list[psutil.Process]:
        """Subprocesses that outlived the instance."""
        return [child for child in self.seen if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def prepare(url: str) -> None:
    """The tables and the stream tables over them."""
    with trickle.connect(url) as client:
        for statement in SETUP:
            client.connection.execute(statement.encode())
        for name, query in QUERIES.items():
            client.create_stream_table(name, query, schedule="1s", refresh_mode="DIFFERENTIAL")


@pytest.fixture
def start_on(tmp_path: Path) -> Iterator[Start]:
    """Starts an instance on a URL; all are gone with the test, and so are their subprocesses."""
    started: list[Instance] = []

    def start(url: str, runs: str = "worker", prefix: Sequence[str] = (), **options: Any) -> Instance:
        log = tmp_path / f"instance-{len(started)}.log"
        given = {"url": url, "log_format": "json", "discovery_seconds": 2, **_OPTIONS[runs], **options}
        with log.open("wb") as sink:
            command = [*prefix, sys.executable, "-c", _PROGRAMS[runs], json.dumps(given)]
            process = subprocess.Popen(command, stderr=sink, stdin=subprocess.DEVNULL)
        started.append(Instance(process, log))
        return started[-1]

    yield start
    for instance in started:
        if instance.process.poll() is None:
            instance.kill()
    for instance in started:
        until(lambda instance=instance: not instance.orphans(), seconds=10, what="no subprocess outlives its instance")


@pytest.fixture
def shop(db: Database) -> Database:
    """A database with stream tables to keep."""
    prepare(db.url)
    return db


@pytest.fixture
def start(shop: Database, start_on: Start) -> Start:
    return lambda **options: start_on(shop.url, **options)


@pytest.fixture
def watcher(shop: Database) -> Iterator[psycopg.Connection[Any]]:
    """A session of the test itself."""
    with shop.connect() as connection:
        yield connection
