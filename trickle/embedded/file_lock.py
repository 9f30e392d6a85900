"""A lock on a file that dies with its holder."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trickle.errors import TryAgain

_POLL_SECONDS = 0.02


def try_lock(path: Path) -> int | None:
    """An open descriptor that holds the lock, or None when another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


@contextmanager
def locked(path: Path, *, wait_seconds: float) -> Iterator[None]:
    """Hold the lock, waiting for it: the kernel's own wait has no limit, so this one polls."""
    deadline = time.monotonic() + wait_seconds
    descriptor = try_lock(path)
    while descriptor is None:
        if time.monotonic() > deadline:
            raise TryAgain(f"another process has held {path} for {wait_seconds:.0f} s")
        time.sleep(_POLL_SECONDS)
        descriptor = try_lock(path)
    try:
        yield
    finally:
        os.close(descriptor)
