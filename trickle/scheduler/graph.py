"""The dependency graph of stream tables: who reads whom, and how deep each stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Graph:
    """Read-only adjacency in both directions, over stream tables only.

    A member of a cycle has the level of the deepest input outside its cycle plus one, like any other table:
    cycles are refused at creation, and a catalog that holds one all the same must not stop the scheduler.
    """

    upstream: Mapping[int, frozenset[int]]
    downstream: Mapping[int, frozenset[int]]
    level: Mapping[int, int]
    _ancestors: dict[int, frozenset[int]] = field(default_factory=dict, compare=False, repr=False)

    def ancestors(self, pgt_id: int) -> frozenset[int]:
        """Everything above, direct or not; remembered, because the graph never changes."""
        known = self._ancestors.get(pgt_id)
        if known is None:
            known = self._ancestors[pgt_id] = _reach(self.upstream, pgt_id)
        return known


def build(upstream: Mapping[int, Iterable[int]]) -> Graph:
    """The graph of these edges; an edge to a table that is not listed is dropped."""
    up = {
        node: frozenset(source for source in sources if source in upstream and source != node)
        for node, sources in upstream.items()
    }
    down: dict[int, set[int]] = {node: set() for node in up}
    for node, sources in up.items():
        for source in sources:
            down[source].add(node)
    return Graph(up, {node: frozenset(readers) for node, readers in down.items()}, _levels(up, down))


def _levels(up: Mapping[int, frozenset[int]], down: Mapping[int, set[int]]) -> dict[int, int]:
    """Kahn's algorithm; what a cycle keeps from becoming ready is ended at the level reached so far."""
    level = dict.fromkeys(up, 0)
    waiting = {node: len(sources) for node, sources in up.items()}
    ready = [node for node, count in waiting.items() if count == 0]
    left = set(up)
    while left:
        if not ready:
            ready = [min(left, key=lambda node: (waiting[node], node))]
        node = ready.pop()
        if node not in left:
            continue
        left.discard(node)
        for reader in down[node]:
            if reader not in left:
                continue
            level[reader] = max(level[reader], level[node] + 1)
            waiting[reader] -= 1
            if waiting[reader] == 0:
                ready.append(reader)
    return level


def _reach(edges: Mapping[int, frozenset[int]], start: int) -> frozenset[int]:
    seen: set[int] = set()
    pending = list(edges.get(start, ()))
    while pending:
        node = pending.pop()
        if node not in seen:
            seen.add(node)
            pending.extend(edges.get(node, ()))
    return frozenset(seen - {start})
