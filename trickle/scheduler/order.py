"""Which of the due units start now, and in which order.

First come those that have not been started since everybody who was due had a turn: however busy it is, nobody is
started twice before somebody who waits. Among them the bands of their kinds decide, then the tiers (not of
immediate closures), then who has to start earliest to keep a deadline, then the depth in the graph, then who has waited
longest.

An upstream that is due or running goes first: its downstream would otherwise be refreshed twice. It is waited
for only once, counted from the moment the downstream became due, and never longer than `PATIENCE_SECONDS`;
an upstream that is always due, or that takes minutes, must not starve what reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from trickle.scheduler.graph import Graph
from trickle.scheduler.table import TIER_RANK, Tier
from trickle.scheduler.units import Kind, Unit

PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Due:
    """A unit that has something to do, and the members of it that take part."""

    unit: Unit
    members: tuple[int, ...]
    tier: Tier = Tier.HOT  # the hottest of its members
    latest_start: float = float("inf")  # of its members' deadlines, in monotonic seconds


@dataclass(frozen=True, slots=True)
class Waiting:
    """What decides who waits for whom, by the keys of the units; moments in monotonic seconds."""

    due_since: Mapping[int, float]
    finished_at: Mapping[int, float]
    running: frozenset[int]
    served: Collection[int] = frozenset()  # who had a turn since everybody who was due had one


def ready(due: Iterable[Due], between: Graph, waiting: Waiting, now: float) -> list[Due]:
    """The units to start, first things first."""
    asked = list(due)
    busy = waiting.running | {item.unit.key for item in asked}
    free = [item for item in asked if not _must_wait(item.unit.key, busy, between, waiting, now)]
    return sorted(free, key=lambda item: _rank(item, between, waiting, now))


def _must_wait(key: int, busy: frozenset[int], between: Graph, waiting: Waiting, now: float) -> bool:
    since = waiting.due_since.get(key, now)
    if now - since >= PATIENCE_SECONDS:
        return False
    return any(waiting.finished_at.get(above, -1.0) < since for above in between.ancestors(key) & busy)


def _rank(item: Due, between: Graph, waiting: Waiting, now: float) -> tuple[bool, int, int, float, int, float, int]:
    key = item.unit.key
    return (
        key in waiting.served,
        item.unit.band,
        0 if item.unit.kind is Kind.IMMEDIATE_CLOSURE else TIER_RANK[item.tier],
        item.latest_start,
        between.level.get(key, 0),
        waiting.due_since.get(key, now),
        key,
    )
