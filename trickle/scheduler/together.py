"""What belongs together, found in who reads whom and in the settings of the stream tables.

diamond             two ways from one source meet in one stream table: what lies on both ways, and where they meet
cycle               stream tables that read each other, or one that reads itself
immediate closure   an IMMEDIATE stream table and the stream tables whose writers keep it
chain               calculated stream tables, each the only reader of the one before and reading nothing else
refresh group       stream tables that somebody put together by name
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from trickle.scheduler.graph import Graph
from trickle.scheduler.partition import Partition
from trickle.scheduler.schedule import Calculated
from trickle.scheduler.table import Table


@dataclass(frozen=True, slots=True)
class Diamond:
    """What lies on two ways that meet; the meeting point is among the members."""

    meeting: int
    members: frozenset[int]


def atomic_diamonds(tables: Mapping[int, Table], graph: Graph) -> Iterator[Diamond]:
    """The diamonds of which every member is to be seen together with the others."""
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
            if found and all(tables[i].is_atomic for i in found):
                yield Diamond(pgt_id, found)


def cycles(upstream: Mapping[int, Iterable[int]], graph: Graph) -> tuple[frozenset[int], ...]:
    """The strongly connected components that are more than one node, or one node that reads itself."""
    left = _without_ends(_without_ends(frozenset(upstream), graph.upstream), graph.downstream)
    partition = Partition(upstream)
    for node in left:
        partition.join([node, *(i for i in graph.upstream[node] if node in graph.ancestors(i))])
    return tuple(part for part in partition.parts() if len(part) > 1 or _reads_itself(min(part), upstream))


def _reads_itself(node: int, upstream: Mapping[int, Iterable[int]]) -> bool:
    return node in upstream[node]


def immediate_closures(tables: Mapping[int, Table], graph: Graph) -> Iterator[frozenset[int]]:
    """Each IMMEDIATE stream table with what it reads."""
    for table in tables.values():
        if table.is_immediate:
            yield frozenset({table.pgt_id, *graph.upstream[table.pgt_id]})


def chain_links(tables: Mapping[int, Table], graph: Graph) -> Iterator[frozenset[int]]:
    """Pairs of a stream table and its only reader, which reads nothing else."""

    def is_link(pgt_id: int) -> bool:
        # A full refresh may take long, and all that one transaction has done is seen when the last of it is done.
        return isinstance(tables[pgt_id].schedule, Calculated) and tables[pgt_id].refresh_mode == "DIFFERENTIAL"

    for pgt_id, readers in graph.downstream.items():
        if len(readers) == 1 and is_link(pgt_id):
            (reader,) = readers
            reads_nothing_else = len(graph.upstream[reader]) == 1 and not tables[reader].sources
            if reads_nothing_else and is_link(reader):
                yield frozenset({pgt_id, reader})


def refresh_groups(tables: Mapping[int, Table]) -> tuple[frozenset[int], ...]:
    """The groups that somebody made, as far as their members exist and are refreshed by a worker."""
    groups: dict[int, set[int]] = {}
    for table in tables.values():
        if table.refresh_group is not None and not table.is_immediate:
            groups.setdefault(table.refresh_group, set()).add(table.pgt_id)
    return tuple(frozenset(members) for members in groups.values() if len(members) > 1)


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


def _closure(graph: Graph, pgt_id: int) -> frozenset[int]:
    return graph.ancestors(pgt_id) | {pgt_id}
