"""Whether a destination may be asked: closed while it answers, open after failures in a row, then a probe. Pure.

    closed ──failures in a row──▶ open ──its time is over──▶ half open ──success──▶ closed
                                    ▲───────────failure───────────┘

An open circuit holds the source: nothing is read beyond what is in hand, and nothing is given up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from trickle.clock import backoff_seconds


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class Circuit:
    """The circuit of one destination; moments are monotonic seconds."""

    failure_threshold: int = 5
    half_open_seconds: float = 30.0  # longest time between two probes
    backoff: float = 0.1
    failures: int = 0
    opened: bool = False
    retry_at: float = field(default=float("-inf"))

    def state(self, now: float) -> State:
        if not self.opened:
            return State.CLOSED
        return State.HALF_OPEN if now >= self.retry_at else State.OPEN

    def may_try(self, now: float) -> bool:
        return now >= self.retry_at

    def failed(self, now: float, draw: float, retry_after: float | None = None) -> None:
        """It did not answer, or refused everything."""
        self.failures += 1
        self.opened = self.failures >= self.failure_threshold
        pause = backoff_seconds(self.failures, base=self.backoff, cap=self.half_open_seconds, draw=draw)
        self.retry_at = now + max(pause, retry_after or 0.0)

    def succeeded(self) -> None:
        """It answered."""
        self.failures, self.opened, self.retry_at = 0, False, float("-inf")
