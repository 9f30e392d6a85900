"""Starting the processes of the demo so that none of them can outlive it.

On Linux a child asks the kernel to be killed when the demo ends, however it ends; elsewhere a watchdog on a
pipe does it. Each child is in a session of its own: Ctrl-C at the terminal is for the demo, which ends its
children in order.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trickle.embedded.guard import watch

_REPORT_LINES = 15


@dataclass(frozen=True, slots=True)
class Process:
    """A child, its log, and its watchdog where the kernel gives no guarantee."""

    process: subprocess.Popen[bytes]
    log: Path
    watchdog: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    def exit_code(self) -> int | None:
        """None while it runs; −9 after `kill -9`, as subprocess counts."""
        code = self.process.poll()
        if code is not None:
            self._dismiss_watchdog()
        return code

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def said(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_REPORT_LINES:])

    def _dismiss_watchdog(self) -> None:
        if self.watchdog is not None and self.watchdog.poll() is None:
            self.watchdog.kill()
            self.watchdog.wait()


def start(role: str, told: Mapping[str, object], log: Path) -> Process:
    """Start this interpreter anew as `role` of `child`, told what it needs as JSON."""
    command = [sys.executable, "-m", "trickle.demo.child", str(os.getpid()), role, json.dumps(told)]
    with open(log, "ab") as sink:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True)
    return Process(process, log, None if sys.platform.startswith("linux") else watch(process.pid))


def end(processes: Iterable[Process], *, wait_seconds: float) -> None:
    """Ask all of them to stop, and kill those that have not in time."""
    asked = [process for process in processes if process.exit_code() is None]
    for process in asked:
        process.signal(signal.SIGTERM)
    deadline = time.monotonic() + wait_seconds
    for process in asked:
        try:
            process.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.signal(signal.SIGKILL)
            process.process.wait()
        process.exit_code()
