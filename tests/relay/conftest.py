"""Running relays: each `trickle relay` in a process of its own, ended with the test whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.databases import Database
from support.waiting import until


@dataclass
class Relay:
    """One relay and what it logs."""

    process: subprocess.Popen[str]
    log: Path
    carriers: set[psutil.Process] = field(default_factory=set)

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self, message: str) -> list[dict[str, Any]]:
        """What it logged in whole lines under this heading."""
        lines = [line for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [told for told in map(json.loads, lines) if told["message"] == message]

    def children(self) -> list[psutil.Process]:
        try:
            found = psutil.Process(self.pid).children()
        except psutil.NoSuchProcess:
            return []
        alive = [child for child in found if child.status() != psutil.STATUS_ZOMBIE]
        self.carriers.update(alive)
        return alive

    def send(self, number: int, *, to_all: bool = False) -> None:
        """A signal, to its carriers too if wanted."""
        for child in self.children() if to_all else []:
            child.send_signal(number)
        os.kill(self.pid, number)

    def wait(self, seconds: float = 20) -> int:
        return self.process.wait(seconds)

    def end(self) -> None:
        if self.process.poll() is None:
            self.children()
            self.process.kill()
        self.process.wait(10)
        until(
            lambda: not [one for one in self.carriers if one.is_running() and one.status() != psutil.STATUS_ZOMBIE],
            seconds=5,
            what="no carrier outlives its relay",
        )


StartRelay = Callable[..., Relay]


@pytest.fixture
def start_relay(db: Database, tmp_path: Path) -> Iterator[StartRelay]:
    """Starts a relay on the test's database; flags as on the command line, `environment` beside ours."""
    started: list[Relay] = []

    def start(*flags: str, environment: Mapping[str, str] | None = None, command: tuple[str, ...] = ()) -> Relay:
        log = tmp_path / f"relay-{len(started)}.log"
        given = [*flags, "--log-format", "json", "--log-level", "debug"]
        if "--postgres-url" not in given:
            given += ["--postgres-url", db.url]
        with log.open("w") as output:
            process = subprocess.Popen(
                [*(command or (sys.executable, "-m", "trickle", "relay")), *given],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                text=True,
                env={**os.environ, **(environment or {})},
            )
        started.append(Relay(process, log))
        return started[-1]

    yield start
    for relay in started:
        if relay.process.poll() is None:
            # One that was frozen must be able to die.
            relay.send(signal.SIGCONT, to_all=True)
        relay.end()
