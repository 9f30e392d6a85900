"""Time as an argument: what decides is given `now`, and only the shell around it reads a clock.

Two clocks, never mixed: `monotonic` seconds for limits and back-off inside one process, and wall-clock
datetimes (UTC, the database's clock) for schedules, because those are compared with stored timestamps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the shell asks for the time; tests hand in one that they turn themselves."""

    def now(self) -> datetime:
        """Wall-clock time in UTC."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never steps back."""


class SystemClock:
    """The clocks of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class Anchor:
    """The database's time, carried forward by our monotonic clock, so a skewed host still schedules right."""

    database_now: datetime
    monotonic: float

    def now(self, monotonic: float) -> datetime:
        return self.database_now + timedelta(seconds=monotonic - self.monotonic)


def backoff_seconds(attempt: int, *, base: float, cap: float, draw: float) -> float:
    """Exponential back-off with ±25 % jitter; `draw` in [0, 1) is the caller's random number.

    >>> [round(backoff_seconds(n, base=1, cap=60, draw=0.5), 2) for n in (1, 2, 3, 10)]
    [1.0, 2.0, 4.0, 60.0]
    """
    exponent = min(max(attempt, 1) - 1, 30)
    return float(min(cap, base * 2**exponent) * (0.75 + 0.5 * draw))
