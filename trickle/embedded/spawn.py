"""The server as a process: started with its guard, awaited, reaped.

Only what this process must reap or close is remembered here; whether a server runs is never read from memory.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trickle.embedded.cluster import server_environment
from trickle.embedded.guard import choose_guard, guarded, watch
from trickle.embedded.run_as import RunAs

_LOG_BYTES = 8 * 1024 * 1024
_REPORT_BYTES = 4000
_ASK_AGAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Child:
    """A server this process has started, its watchdog if it has one, and where its words begin in the log."""

    process: subprocess.Popen[bytes]
    watchdog: subprocess.Popen[bytes] | None
    log: Path
    log_start: int

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def abandon(self) -> None:
        """End a start that is not wanted any more.

        Asked again and again: whoever is started in the background inherits from the shell that SIGQUIT is ignored, and
        so does the server until it handles signals itself.
        """
        while not self.ended:
            self.process.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_ASK_AGAIN_SECONDS)
        reap(self.process.pid)

    def said(self) -> str:
        with open(self.log, "rb") as log:
            log.seek(self.log_start)
            return log.read()[-_REPORT_BYTES:].decode("utf-8", "replace").strip()


# A child that is never waited for stays a zombie; a watchdog whose pipe is closed ends its server.
_children: dict[int, Child] = {}


def spawn(command: Sequence[str], run_as: RunAs, log: Path, *, die_with_parent: bool) -> Child:
    for pid in [pid for pid, child in _children.items() if child.ended]:
        reap(pid)
    guard = choose_guard(die_with_parent)
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    # The log may quote data, and its directory need not be private.
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with open(descriptor, "ab") as sink:
        log_start = sink.tell()
        # A session of its own: Ctrl-C at the terminal is for the caller, who stops the server last.
        process = subprocess.Popen(
            [*run_as.prefix, *guarded(command, guard)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            cwd="/",
            env=server_environment(),
            start_new_session=True,
        )
    watchdog = watch(process.pid) if guard == "watchdog" else None
    child = Child(process, watchdog, log, log_start)
    _children[process.pid] = child
    return child


def reap(pid: int) -> None:
    """Let go of a server that has ended, or is past its last act, if this process started it."""
    child = _children.pop(pid, None)
    if child is None:
        return
    child.process.wait()
    if child.watchdog is not None:
        child.watchdog.kill()
        if child.watchdog.stdin is not None:
            child.watchdog.stdin.close()
        child.watchdog.wait()


def free_port() -> int:
    """A port that is free now. Somebody may take it before the server does; the caller then asks again."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number
