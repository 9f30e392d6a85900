"""When each cold tenant is looked at next. Pure.

A tenant of which the home's server tells when something is written there is looked at now and then all the same; one of
which nobody tells is looked at every tick. What a look has said of the next job or schedule that is due
brings the next look forward; a tenant that cannot be reached puts it off, further each time.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass

from trickle.clock import backoff_seconds


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds."""

    tick_seconds: float = 1.0  # between looks at tenants that cannot ring
    sweep_seconds: float = 60.0  # between looks at those that can
    backoff_cap_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a tenant has shown."""

    has_work: bool
    next_seconds: float | None = None  # until something is due
    problem: str | None = None  # why it could not be looked at


@dataclass(frozen=True, slots=True)
class Cold:
    """One cold tenant."""

    due: float
    failures: int = 0
    problem: str | None = None
    looked: float | None = None


class Watchlist:
    """All cold tenants of a supervisor."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._cold: dict[str, Cold] = {}

    @property
    def tenants(self) -> Mapping[str, Cold]:
        return self._cold

    def keep(self, tenants: Collection[str], now: float) -> None:
        """These are cold: new ones are due at once, others are forgotten."""
        wanted = set(tenants)
        for gone in self._cold.keys() - wanted:
            del self._cold[gone]
        for tenant in wanted - self._cold.keys():
            self._cold[tenant] = Cold(now)

    def ring(self, tenants: Iterable[str], now: float) -> None:
        """Something has happened there. One that could not be reached keeps its pause."""
        for tenant in tenants:
            cold = self._cold.get(tenant)
            if cold is not None and cold.failures == 0 and cold.due > now:
                self._cold[tenant] = Cold(now, looked=cold.looked)

    def due(self, now: float, most: int) -> list[str]:
        """The tenants to look at now, the longest overdue first."""
        waiting = ((cold.due, tenant) for tenant, cold in self._cold.items() if cold.due <= now)
        return [tenant for _, tenant in heapq.nsmallest(most, waiting)]

    def next_due(self, but: Container[str] = ()) -> float | None:
        """When the next look is due, but for those that are being looked at."""
        return min((cold.due for tenant, cold in self._cold.items() if tenant not in but), default=None)

    def looked(self, tenant: str, look: Look, can_ring: bool, now: float, draw: float) -> None:
        """What to do about it next; `draw` in [0, 1) is chance for the back-off."""
        cold = self._cold.get(tenant)
        if cold is None:
            return
        pace = self._pace
        if look.problem is not None:
            failures = cold.failures + 1
            pause = backoff_seconds(failures, base=pace.tick_seconds, cap=pace.backoff_cap_seconds, draw=draw)
            self._cold[tenant] = Cold(now + pause, failures, look.problem, now)
            return
        pause = pace.sweep_seconds * (0.75 + 0.5 * draw) if can_ring else pace.tick_seconds
        if look.next_seconds is not None:
            pause = min(pause, max(0.0, look.next_seconds))
        self._cold[tenant] = Cold(now + pause, looked=now)
