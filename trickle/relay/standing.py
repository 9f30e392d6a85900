"""How a pipeline fares, counted where it is carried and told to the parent, which shows it."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class State(StrEnum):
    """The words of `pgtrickle.relay_status()`."""

    STARTING = "starting"
    RUNNING = "running"
    HELD = "held"  # the destination or origin does not answer, or the database: it is tried again
    FAILED = "failed"  # the configuration is wrong: somebody has to change it
    STOPPED = "stopped"


@dataclass(slots=True)
class Standing:
    """One pipeline, since it was started, changed, or its process began."""

    began: float = field(default_factory=time.time)  # tells one from the one before
    state: State = State.STARTING
    reason: str | None = None
    published: int = 0  # accepted by the destination
    consumed: int = 0  # read from the outbox, or received from the source
    filtered: int = 0
    duplicates: int = 0  # received before
    buried: int = 0
    redriven: int = 0
    in_hand: int = 0
    circuit: str = "closed"
    failures: Counter[str] = field(default_factory=Counter)  # by kind
    latency: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BUCKETS) + 1))
    latency_sum: float = 0.0

    @property
    def facts(self) -> tuple[object, ...]:
        """The same as long as nothing about it is new."""
        counts = (self.published, self.consumed, self.filtered, self.duplicates, self.buried, self.redriven)
        return (self.began, self.state, self.reason, self.in_hand, self.circuit, self.failures.total(), *counts)

    def turn(self, state: State, reason: str | None = None) -> bool:
        """Whether that is new."""
        is_new = (self.state, self.reason) != (state, reason)
        self.state, self.reason = state, reason
        return is_new

    def took(self, seconds: Iterable[float]) -> None:
        """Seconds between publishing and the answer of the destination."""
        buckets = self.latency
        for value in seconds:
            buckets[bisect_left(LATENCY_BUCKETS, value)] += 1
            self.latency_sum += value
