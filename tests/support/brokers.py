"""A broker as a process of the tests': started on a port of its own, killed and started again, gone with the tests."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

from support.frozen import freeze
from support.waiting import until


def missing(what: str, how: str) -> NoReturn:
    """Skip where a newcomer has no such program; fail where one was promised."""
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"CI is set, so a missing {what} is a failure: {how}")
    pytest.skip(f"{what} is not installed: {how}")


def free_port() -> int:
    """A port below those that outgoing connections get: one of them could take it while a killed broker is away."""
    for _ in range(200):
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@dataclass(slots=True)
class Broker:
    """A server of which one port answers when it is ready; its data outlives it, in `folder`."""

    command: Sequence[str]
    port: int
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_seconds: float = 30.0
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # What starts it must not outlive the tests, however they end.
        tied = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*tied, *self.command],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._is_up, seconds=self.ready_seconds, what=f"{self.command[0]} answers")

    def kill(self) -> None:
        """SIGKILL, and wait until it is dead."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and says nothing."""
        assert self._process is not None
        freeze(self._process.pid)

    def resume(self) -> None:
        """SIGCONT: it reads what was sent to it meanwhile."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _is_up(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"it ended: {(self.folder / 'log').read_text(errors='replace')[-2000:]}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
