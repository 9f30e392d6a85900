"""Which stream tables must have one owner, decided from who reads whom and from their settings.

atomic group        two ways from one source meet in one stream table: what lies on both ways, and where
                    they meet; overlapping groups are one. Only where every member is `atomic`.
cycle               stream tables that read each other
immediate closure   an IMMEDIATE stream table and the stream tables whose writers keep it
chain               calculated stream tables, each the only reader of the one before and reading nothing else
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from trickle.scheduler.graph import Graph
from trickle.scheduler.partition import Partition
from trickle.scheduler.schedule import Calculated
from trickle.scheduler.table import Table


def units(tables: Mapping[int, Table], graph: Graph) -> tuple[frozenset[int], ...]:
    """The stream tables by unit; each is in exactly one, most are alone in theirs."""
    partition = Partition(tables)
    for found in (_atomic_groups, _cycles, _immediate_closures, _chains):
        for together in found(tables, graph):
            partition.join(together)
    return partition.parts()


def _atomic_groups(tables: Mapping[int, Table], graph: Graph) -> Iterator[frozenset[int]]:
    roots: dict[int, frozenset[int]] = {}

    def roots_of(pgt_id: int) -> frozenset[int]:
        if pgt_id not in roots:
            roots[pgt_id] = frozenset().union(*(tables[i].sources for i in _closure(graph, pgt_id)))
        return roots[pgt_id]

    def group(meeting: int, left: int, right: int) -> frozenset[int]:
        """What lies on the ways that meet; empty when they come from different places, or one is part of the other."""
        one, other = _closure(graph, left), _closure(graph, right)
        common, sources = one & other, roots_of(left) & roots_of(right)
        if left in common or right in common or not (common or sources):
            return frozenset()
        between = (i for i in one ^ other if _closure(graph, i) & common or roots_of(i) & sources)
        return frozenset({meeting, *between})

    for pgt_id in tables:
        for left, right in combinations(sorted(graph.upstream[pgt_id]), 2):
            found = group(pgt_id, left, right)
            if all(tables[i].is_atomic for i in found):
                yield found


def _cycles(tables: Mapping[int, Table], graph: Graph) -> Iterator[Iterable[int]]:
    left = _without_ends(_without_ends(frozenset(tables), graph.upstream), graph.downstream)
    for pgt_id in left:
        yield [pgt_id, *(i for i in graph.upstream[pgt_id] if pgt_id in graph.ancestors(i))]


def _without_ends(nodes: frozenset[int], edges: Mapping[int, frozenset[int]]) -> frozenset[int]:
    """What is left when nodes that no edge leads out of are taken away until there are none."""
    back: dict[int, list[int]] = {node: [] for node in nodes}
    count = dict.fromkeys(nodes, 0)
    for node in nodes:
        for other in edges[node] & nodes:
            back[other].append(node)
            count[node] += 1
    ends = [node for node, leading in count.items() if not leading]
    gone: set[int] = set()
    while ends:
        node = ends.pop()
        gone.add(node)
        for other in back[node]:
            count[other] -= 1
            if not count[other]:
                ends.append(other)
    return nodes - gone


def _immediate_closures(tables: Mapping[int, Table], graph: Graph) -> Iterator[Iterable[int]]:
    for table in tables.values():
        if table.is_immediate:
            yield [table.pgt_id, *graph.upstream[table.pgt_id]]


def _chains(tables: Mapping[int, Table], graph: Graph) -> Iterator[Iterable[int]]:
    def is_link(pgt_id: int) -> bool:
        return isinstance(tables[pgt_id].schedule, Calculated) and not tables[pgt_id].is_immediate

    for pgt_id, readers in graph.downstream.items():
        if len(readers) == 1 and is_link(pgt_id):
            (reader,) = readers
            reads_nothing_else = len(graph.upstream[reader]) == 1 and not tables[reader].sources
            if reads_nothing_else and is_link(reader):
                yield (pgt_id, reader)


def _closure(graph: Graph, pgt_id: int) -> frozenset[int]:
    return graph.ancestors(pgt_id) | {pgt_id}
