"""Where an output column comes from: every stored column that its value is computed from.

Followed through expressions, aggregates and subqueries. Columns that only decide whether a row is there at all (join
conditions, filters) are not part of it; the mark of EXISTS is, where its truth is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.pairing import Mark
from trickle.ivm.algebra.relations import Aggregate, Block, Rel, Scan, UnionAll
from trickle.ivm.algebra.scalars import Scalar
from trickle.ivm.algebra.walk import children
from trickle.ivm.algebra.windows import Window


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """A column of a stored relation."""

    schema: str
    table: str
    column: str


Origins = Mapping[int, frozenset[Origin]]


def lineage(block: Block, names: Sequence[str]) -> tuple[tuple[str, tuple[Origin, ...]], ...]:
    """Return the origins of each output column of a query, by the name the user gave it."""
    known = _origins(block)
    return tuple(
        (name, tuple(sorted(known.get(item.column.number, frozenset()))))
        for name, item in zip(names, block.items, strict=False)
    )


def _origins(rel: Rel) -> Origins:
    below: dict[int, frozenset[Origin]] = {}
    for child in children(rel):
        below |= _origins(child)
    match rel:
        case Scan(table, attributes):
            return {c.number: frozenset({Origin(*table.shown_as, facts.name)}) for c, facts in attributes}
        case Block(_, _, items):
            return {item.column.number: _of(item.value, below) for item in items}
        case Aggregate(_, keys, calls):
            grouped = {key.column.number: _of(key.value, below) for key in keys}
            return grouped | {call.column.number: _of(call.value, below) for call in calls}
        case UnionAll(branches, outputs):
            return {
                column.number: _together(below.get(b.columns[i].number, frozenset()) for b in branches)
                for i, column in enumerate(outputs)
            }
        case Window(_, _, calls):
            return below | {call.column.number: _of(call.value, below) for call in calls}
        case Expand(_, functions, outputs):
            read = _together(_of(function, below) for function in functions)
            return below | {column.number: read for column in outputs}
        case Mark(_, _, predicates, mark):
            return below | {mark.number: _together(_of(p, below) for p in predicates)}
        case _:
            return below


def _of(value: Scalar, known: Origins) -> frozenset[Origin]:
    return _together(known.get(number, frozenset()) for number in value.columns)


def _together(sets: Iterable[frozenset[Origin]]) -> frozenset[Origin]:
    return frozenset().union(*sets)
