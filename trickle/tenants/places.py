"""What there is to know of the hot pool: who has a place, who waits for one, who rests. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    """Where a tenant with a place stands."""

    PROMOTING = "promoting"
    HOT = "hot"
    DEMOTING = "demoting"


class Why(StrEnum):
    """The reasons for which a tenant becomes hot, or ceases to be."""

    ENQUEUE = "enqueue"
    COLD_DISPATCH = "cold-dispatch"
    FANOUT = "fanout"
    MANUAL = "manual"
    IDLE = "idle"
    EVICTION = "eviction"
    SHUTDOWN = "shutdown"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many places there are, and times in seconds."""

    most: int = 50
    at_once: int = 4  # becoming hot: on a few cores each of many would take as long as all together
    idle_seconds: float = 60.0  # without a job before a place is given up
    least_seconds: float = 2.0  # hot before an idle tenant has to make room
    turn_seconds: float = 30.0  # hot before a busy tenant of weight 1 has to make room
    slow_seconds: float = 1.0  # becoming hot before a tenant ceases to count among those
    promote_seconds: float = 30.0  # before a tenant that does not become hot is given up
    drain_seconds: float = 30.0  # for jobs in hand to end
    backoff_base_seconds: float = 1.0
    backoff_cap_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """A tenant that is hot, or on its way to or from there."""

    phase: Phase
    why: Why
    since: float
    is_busy: bool = False
    idle_since: float = 0.0
    weight: float = 1.0
    deadline: float | None = None  # when to kill it
    was_killed: bool = False
    is_slow: bool = False  # to become hot: its server keeps it waiting, and the others do not wait for it

    @property
    def is_starting(self) -> bool:
        return self.phase is Phase.PROMOTING and not self.is_slow

    def turn_seconds(self, limits: Limits) -> float:
        """So long it keeps its place while others wait."""
        return limits.turn_seconds * self.weight if self.is_busy else limits.least_seconds


@dataclass(frozen=True, slots=True)
class Want:
    """A tenant that waits for a place."""

    why: Why
    since: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Rest:
    """A tenant that could not become hot, or did not stay so: until when it is left alone."""

    until: float
    failures: int


@dataclass(frozen=True, slots=True)
class Pool:
    """All places, and all who wait, by tenant."""

    limits: Limits = field(default_factory=Limits)
    places: Mapping[str, Place] = field(default_factory=dict)
    waiting: Mapping[str, Want] = field(default_factory=dict)
    resting: Mapping[str, Rest] = field(default_factory=dict)
    is_stopping: bool = False

    @property
    def hot(self) -> frozenset[str]:
        return frozenset(name for name, place in self.places.items() if place.phase is Phase.HOT)

    @property
    def is_finished(self) -> bool:
        return self.is_stopping and not self.places

    @property
    def starting(self) -> list[Place]:
        """Those that become hot just now, but for the slow ones."""
        return [place for place in self.places.values() if place.is_starting]

    def next_moment(self) -> float | None:
        """When time alone will change something."""
        limits = self.limits
        moments = [place.deadline for place in self.places.values() if place.deadline is not None]
        hot = [place for place in self.places.values() if place.phase is Phase.HOT]
        moments += [place.idle_since + limits.idle_seconds for place in hot if not place.is_busy]
        moments += [self.resting[name].until for name in self.waiting if name in self.resting]
        if self.waiting:
            moments += [place.since + place.turn_seconds(limits) for place in hot]
            moments += [place.since + limits.slow_seconds for place in self.starting]
        return min(moments, default=None)
