"""Which of the due stream tables start now, and in which order.

An upstream that is due or running goes first: its downstream would otherwise be refreshed twice. It is waited
for only once, counted from the moment the downstream became due, and never longer than `PATIENCE_SECONDS`;
an upstream that is always due, or that takes minutes, must not starve what reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trickle.scheduler.graph import Graph
from trickle.scheduler.table import TIER_RANK, Table

PATIENCE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """The moments that decide who waits for whom; monotonic seconds."""

    due_since: Mapping[int, float]
    finished_at: Mapping[int, float]
    running: frozenset[int]


def ready(due: Iterable[Table], graph: Graph, waiting: Waiting, now: float) -> list[Table]:
    """The tables to start, first things first: depth, tier, then who has waited longest."""
    tables = list(due)
    busy = waiting.running | {table.pgt_id for table in tables}
    free = [table for table in tables if not _must_wait(table.pgt_id, busy, graph, waiting, now)]
    return sorted(free, key=lambda table: _rank(table, graph, waiting, now))


def _must_wait(pgt_id: int, busy: frozenset[int], graph: Graph, waiting: Waiting, now: float) -> bool:
    since = waiting.due_since.get(pgt_id, now)
    if now - since >= PATIENCE_SECONDS:
        return False
    return any(waiting.finished_at.get(above, -1.0) < since for above in graph.ancestors(pgt_id) & busy)


def _rank(table: Table, graph: Graph, waiting: Waiting, now: float) -> tuple[int, int, float, int]:
    return (
        graph.level.get(table.pgt_id, 0),
        TIER_RANK[table.tier],
        waiting.due_since.get(table.pgt_id, now),
        table.pgt_id,
    )
