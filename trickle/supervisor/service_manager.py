"""What a service manager is told about us, by the protocol of systemd's sd_notify(3).

    READY=1       joined, or waiting on a standby: others that wait for us may start
    STATUS=…      the last turn in words, as `systemctl status` shows it
    WATCHDOG=1    the loop turns; missed for WatchdogSec, we are killed and started anew
    RELOADING=1   settings are being read anew, until the next READY=1
    STOPPING=1    no new work is begun

Source: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html. Without a service manager, or with one
that does not listen, nothing is said and nothing is missed.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

_LONGEST_STATUS = 200


@dataclass(frozen=True, slots=True)
class Expected:
    """What the environment says of a service manager: where it listens, and how often it wants to hear from us."""

    address: str | None = None
    watchdog_seconds: float | None = None


def expected(environment: Mapping[str, str], pid: int) -> Expected:
    """Read the environment; a watchdog that is meant for another process is not ours."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return Expected()
    microseconds = environment.get("WATCHDOG_USEC", "")
    is_ours = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
    if not microseconds.isdecimal() or int(microseconds) == 0 or not is_ours:
        return Expected(address)
    return Expected(address, int(microseconds) / 1_000_000)


class ServiceManager:
    """Says each thing once, until it changes; the watchdog is fed twice in its time."""

    def __init__(self, manager: Expected) -> None:
        self._manager = manager
        self._socket: socket.socket | None = None
        self._status = ""
        self._is_ready = False
        self._fed_at = float("-inf")
        if manager.address is not None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    @classmethod
    def of_this_process(cls) -> ServiceManager:
        return cls(expected(os.environ, os.getpid()))

    def ready(self) -> None:
        if not self._is_ready:
            self._is_ready = True
            self._say("READY=1")

    def reloading(self, monotonic: float) -> None:
        self._is_ready = False
        self._say(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic * 1_000_000)}")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def status(self, words: str) -> None:
        line = " ".join(words.split())[:_LONGEST_STATUS]
        if line != self._status:
            self._status = line
            self._say(f"STATUS={line}")

    def turned(self, monotonic: float) -> None:
        """The loop has turned."""
        every = self._manager.watchdog_seconds
        if every is not None and monotonic - self._fed_at >= every / 2:
            self._fed_at = monotonic
            self._say("WATCHDOG=1")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _say(self, text: str) -> None:
        address = self._manager.address
        if self._socket is None or address is None:
            return
        # A leading @ stands for the abstract namespace.
        with contextlib.suppress(OSError):
            self._socket.sendto(text.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
