"""A token bucket: at most so many messages a second, and so many at once after a pause. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """Tokens flow in at `rate` a second, up to `burst`; a rate of 0 means no limit. Moments are monotonic seconds."""

    rate: float = 0.0
    burst: float = 1.0
    tokens: float = 0.0
    filled_at: float | None = None

    def available(self, now: float, wanted: int) -> int:
        """How many messages may go now, of so many wanted."""
        if self.rate <= 0:
            return wanted
        if self.filled_at is None:
            self.tokens = self.burst
        else:
            self.tokens = min(self.burst, self.tokens + max(0.0, now - self.filled_at) * self.rate)
        self.filled_at = now
        return min(wanted, int(self.tokens))

    def spend(self, count: int) -> None:
        if self.rate > 0:
            self.tokens -= count

    def next_at(self, now: float) -> float | None:
        """When the next message may go; None when there is no limit."""
        return now + max(0.0, 1.0 - self.tokens) / self.rate if self.rate > 0 else None
