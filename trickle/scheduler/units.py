"""Units: the stream tables that are refreshed in one transaction, and those that must have one owner.

kind                    what                                                                  band
immediate_closure       an IMMEDIATE stream table, or one whose refresh keeps IMMEDIATE ones   0
atomic_group            the members of diamonds, or of a refresh group                         1
repeatable_read_group   a refresh group that is to be of one snapshot                          1
fused_chain             calculated stream tables in a row                                      1
singleton               a stream table alone                                                   2
cyclic_scc              stream tables that read each other                                     3

Each stream table is in exactly one unit. Where groups overlap they are one; where one lies between members of another,
or two lie crosswise, they are one as well: between units the order of refreshes is that of a graph without cycles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from trickle.scheduler import together
from trickle.scheduler.graph import Graph, build
from trickle.scheduler.partition import Partition
from trickle.scheduler.table import Table


class Kind(StrEnum):
    """What makes stream tables a unit."""

    IMMEDIATE_CLOSURE = "immediate_closure"
    ATOMIC_GROUP = "atomic_group"
    REPEATABLE_READ_GROUP = "repeatable_read_group"
    FUSED_CHAIN = "fused_chain"
    SINGLETON = "singleton"
    CYCLIC_SCC = "cyclic_scc"


BAND = {
    Kind.IMMEDIATE_CLOSURE: 0,
    Kind.ATOMIC_GROUP: 1,
    Kind.REPEATABLE_READ_GROUP: 1,
    Kind.FUSED_CHAIN: 1,
    Kind.SINGLETON: 2,
    Kind.CYCLIC_SCC: 3,
}
_PREFIX = {
    Kind.IMMEDIATE_CLOSURE: "i",
    Kind.ATOMIC_GROUP: "a",
    Kind.REPEATABLE_READ_GROUP: "rg",
    Kind.FUSED_CHAIN: "fc",
    Kind.SINGLETON: "s",
    Kind.CYCLIC_SCC: "c",
}


@dataclass(frozen=True, slots=True)
class Unit:
    """Stream tables that are refreshed together."""

    kind: Kind
    members: tuple[int, ...]  # upstream first; the members of a cycle one after the other
    cycles: tuple[tuple[int, ...], ...] = ()  # the parts of it that are refreshed again and again until nothing changes
    has_one_snapshot: bool = False
    is_slowest: bool = False  # due when every member is, and not when any is

    @property
    def key(self) -> int:
        """What the unit is known by: no other unit has this member."""
        return min(self.members)

    @property
    def name(self) -> str:
        """`a:3,4,5`, as in pgt_scheduler_jobs."""
        return f"{_PREFIX[self.kind]}:{','.join(map(str, sorted(self.members)))}"

    @property
    def band(self) -> int:
        return BAND[self.kind]

    @property
    def is_all_or_none(self) -> bool:
        """Whether the failure of one member undoes what the others have done."""
        return self.kind is not Kind.FUSED_CHAIN


@dataclass(frozen=True)
class Division:
    """All stream tables of a database by unit."""

    tables: Mapping[int, Table]
    graph: Graph  # of the stream tables
    units: tuple[Unit, ...]

    @cached_property
    def of(self) -> Mapping[int, Unit]:
        """The unit of each stream table."""
        return {pgt_id: unit for unit in self.units for pgt_id in unit.members}

    @cached_property
    def by_key(self) -> Mapping[int, Unit]:
        return {unit.key: unit for unit in self.units}

    @cached_property
    def between(self) -> Graph:
        """Who reads whom among the units, by their keys."""
        return build({unit.key: _above(unit.members, self.graph, self.of) for unit in self.units})

    @cached_property
    def owners(self) -> tuple[frozenset[int], ...]:
        """The stream tables that must have one owner; each is in one part, most are alone in theirs."""
        partition = Partition(self.tables)
        for unit in self.units:
            partition.join(unit.members)
        for closure in together.immediate_closures(self.tables, self.graph):
            partition.join(closure)
        for diamond in together.atomic_diamonds(self.tables, self.graph):
            partition.join(diamond.members)
        return partition.parts()


def divide(tables: Mapping[int, Table], fuses_chains: bool = True) -> Division:
    """Divide the stream tables of a database into units."""
    graph = build({table.pgt_id: table.upstream for table in tables.values()})
    upstream = {table.pgt_id: table.upstream & tables.keys() for table in tables.values()}
    rings = together.cycles(upstream, graph)
    groups = together.refresh_groups(tables)
    diamonds = tuple(d for d in together.atomic_diamonds(tables, graph) if len(_kept(d.members, tables)) > 1)
    partition = Partition(tables)
    for joined in (*rings, *groups, *(_kept(diamond.members, tables) for diamond in diamonds)):
        partition.join(joined)
    grouped = frozenset(i for part in partition.parts() if len(part) > 1 for i in part)
    for link in together.chain_links(tables, graph) if fuses_chains else ():
        if not link & grouped:
            partition.join(link)
    parts = {min(part): _Part(part) for part in _untangled(partition, graph)}
    of = {pgt_id: part for part in parts.values() for pgt_id in part.members}
    for ring in rings:
        of[min(ring)].rings.append(ring)
    for group in groups:
        of[min(group)].groups.append(group)
    for diamond in diamonds:
        of[min(_kept(diamond.members, tables))].diamonds.append(diamond)
    return Division(tables, graph, tuple(_unit(part, tables, graph) for part in parts.values()))


@dataclass(slots=True)
class _Part:
    """The members of a unit, and what made them one."""

    members: frozenset[int]
    rings: list[frozenset[int]] = field(default_factory=list)
    groups: list[frozenset[int]] = field(default_factory=list)
    diamonds: list[together.Diamond] = field(default_factory=list)


def _kept(members: frozenset[int], tables: Mapping[int, Table]) -> frozenset[int]:
    """Those that a worker keeps, and not their writers."""
    return frozenset(i for i in members if not tables[i].is_immediate)


def _untangled(partition: Partition[int], graph: Graph) -> tuple[frozenset[int], ...]:
    """The parts, with those made one that read each other: no order could be given to them."""
    of = {node: min(part) for part in partition.parts() for node in part}
    above: dict[int, set[int]] = {key: set() for key in of.values()}
    for node, key in of.items():
        above[key].update(of[i] for i in graph.upstream[node])
    between = build(above)
    for tangle in together.cycles(between.upstream, between):
        partition.join(tangle)
    return partition.parts()


def _unit(part: _Part, tables: Mapping[int, Table], graph: Graph) -> Unit:
    keeps_immediate = any(tables[i].is_immediate for node in part.members for i in (node, *graph.downstream[node]))
    wants_snapshot = any(tables[min(group)].group_has_one_snapshot for group in part.groups)
    if wants_snapshot:
        kind = Kind.REPEATABLE_READ_GROUP
    elif part.groups or part.diamonds:
        kind = Kind.ATOMIC_GROUP
    elif part.rings:
        kind = Kind.CYCLIC_SCC
    elif len(part.members) > 1:
        kind = Kind.FUSED_CHAIN
    else:
        kind = Kind.IMMEDIATE_CLOSURE if keeps_immediate else Kind.SINGLETON
    return Unit(
        kind,
        _in_order(part.members, part.rings, graph),
        tuple(tuple(sorted(ring)) for ring in part.rings),
        # An IMMEDIATE stream table below refuses to be brought up to date under an old snapshot.
        has_one_snapshot=bool(wants_snapshot or part.diamonds or part.rings) and not keeps_immediate,
        is_slowest=any(tables[diamond.meeting].is_slowest for diamond in part.diamonds),
    )


def _in_order(members: frozenset[int], rings: Iterable[frozenset[int]], graph: Graph) -> tuple[int, ...]:
    """Upstream first; a cycle stands as one."""
    if len(members) == 1:
        return tuple(members)
    ring_of = {node: ring for ring in rings for node in ring}
    steps = {min(step): step for step in (ring_of.get(node, frozenset({node})) for node in members)}
    of = {node: key for key, step in steps.items() for node in step}
    level = build(
        {key: {of[i] for node in step for i in graph.upstream[node] if i in of} for key, step in steps.items()}
    ).level
    return tuple(i for key in sorted(steps, key=lambda key: (level[key], key)) for i in sorted(steps[key]))


def _above(members: tuple[int, ...], graph: Graph, of: Mapping[int, Unit]) -> frozenset[int]:
    return frozenset(of[i].key for node in members for i in graph.upstream[node])
