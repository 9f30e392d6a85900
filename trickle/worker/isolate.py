"""The first moments of a forked child: cut it loose from everything of its parent that is not its own."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterable

_PR_SET_PDEATHSIG = 1
_STANDARD_STREAMS = (0, 1, 2)


def die_with_parent(parent_pid: int, by: int = signal.SIGKILL) -> bool:
    """Ask the kernel to send us this signal when our parent dies; False when it has died already.

    Elsewhere than on Linux the end of the pipe serves alone.
    """
    prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, by, 0, 0, 0)
    return os.getppid() == parent_pid


def ignore_signals() -> None:
    """The parent decides when we leave; its handlers and its wake-up descriptor are not ours."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def drop_descriptors(keep: Iterable[int]) -> None:
    """Put /dev/null in the place of every inherited descriptor that is not in `keep`.

    Closing them would free their numbers, and an inherited object that is collected later would then close
    a connection of ours that got the same number.
    """
    kept = {*keep, *_STANDARD_STREAMS}
    null = os.open(os.devnull, os.O_RDWR)
    for number in _open_descriptors():
        if number not in kept and number != null:
            try:
                os.dup2(null, number, inheritable=False)
            except OSError:
                continue  # it was the listing's own descriptor
    os.close(null)


def _open_descriptors() -> list[int]:
    for directory in ("/proc/self/fd", "/dev/fd"):
        try:
            return [int(name) for name in os.listdir(directory)]
        except OSError:
            continue
    return list(range(3, 256))
