"""Signals become events of the loop. A handler only appends a name: no logging, no locks, no decisions.

SIGTERM, SIGINT   stop: finish what is in hand; the second one ends at once, safely
SIGHUP            read settings and catalog anew; from a terminal that is closed it means stop
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections import deque
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Self

_Handler = Callable[[int, FrameType | None], object] | int | None

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
RELOAD = signal.SIGHUP.name


class SignalInbox:
    """Collects signals and wakes whoever waits on its descriptor; restores everything on exit."""

    def __init__(self) -> None:
        self._pending: deque[str] = deque()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._previous: dict[signal.Signals, _Handler] = {}
        self._previous_wakeup = -1
        self._has_terminal = os.isatty(0)

    def __enter__(self) -> Self:
        self._previous_wakeup = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (*STOP_SIGNALS, signal.SIGHUP):
            self._previous[number] = signal.signal(number, self._enqueue)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_wakeup)
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """Readable when a signal has arrived."""
        return self._reader.fileno()

    def take(self) -> list[str]:
        """The names of the signals since the last look, in order."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass
        taken: list[str] = []
        while self._pending:
            taken.append(self._pending.popleft())
        return taken

    def stops(self) -> bool:
        """Whether a signal to stop has arrived since the last look; the others are forgotten."""
        return any(name != RELOAD for name in self.take())

    def _enqueue(self, number: int, _: FrameType | None) -> None:
        # Whoever closes the terminal of a program does not expect it to live on.
        is_hang_up = number == signal.SIGHUP and self._has_terminal
        self._pending.append(signal.SIGTERM.name if is_hang_up else signal.Signals(number).name)
