"""Waiting for a condition, with a limit, instead of sleeping and hoping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def until(condition: Callable[[], Answer], *, seconds: float = 15.0, what: str = "") -> Answer:
    """Ask until the answer is true; fail with the last answer when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition} (last answer: {answer!r})")
        time.sleep(0.02)
