"""A relation of exactly one row changes by its old row and its new one. Where it is only compared with, that concerns
those rows for which the two decide otherwise:

    J ⋈_p ΔS  =  { +j | p(j, new) ∧ ¬p(j, old) }  ⊎  { −j | p(j, old) ∧ ¬p(j, new) }

`amount > (SELECT avg(amount) …)`: with another average all rows above the old one would go, and all above the new one
come. They cancel, but each of them has to be carried there. Legal where p alone reads S. Those that do not cancel lie
between the two averages, where an index finds them; if one of the two is NULL, all rows are asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trickle.ivm.algebra.bounds import Bound, bound
from trickle.ivm.algebra.keeping import Kept
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.properties import origins
from trickle.ivm.algebra.relations import Aggregate, Block, Item, Rel
from trickle.ivm.algebra.scalars import Scalar, equated_columns, expression, reference, substitute
from trickle.ivm.delta.derivative import Delta
from trickle.ivm.facts import ColumnFacts


@dataclass(frozen=True, slots=True)
class Turned:
    """What takes the place of a change in a join: both rows side by side, the weight of a row, and the arms."""

    inputs: tuple[Rel, ...]
    weight: Scalar
    arms: tuple[tuple[tuple[Scalar, ...], Rel | None], ...]
    """Predicates, and what has to be there for an arm to be looked at."""


def turned(
    here: Rel,
    change: Delta,
    predicates: Sequence[Scalar],
    read: frozenset[int],
    others: Sequence[Rel],
    numbering: Numbering,
) -> Turned | None:
    """Compare with the old row and the new one, or None where that is not all that is done with them.

    `predicates` are those of the join of `others` with `here`, `read` the columns that its outputs read.
    """
    columns = {column.number: column for column in here.columns}
    comparing = [p for p in predicates if p.columns & columns.keys()]
    if not has_one_row(here) or read & columns.keys() or not comparing:
        return None
    if any(equated_columns(p) for p in comparing):
        return None  # the few rows that are equal are looked up
    sides: list[Rel] = []
    values: list[dict[int, Scalar]] = []
    for weight in ("-1", "1"):
        items = tuple(Item(numbering.like(column), reference(column)) for column in columns.values())
        of_this = expression(f"w = {weight}", w=reference(change.weight))
        sides.append(Block((change.rel,), (of_this,), items))
        values.append({number: reference(item.column) for number, item in zip(columns, items, strict=True)})
    then, now = (_decided(comparing, side) for side in values)
    differing = (
        *(p for p in predicates if not p.columns & columns.keys()),
        expression("(a) <> (b)", a=then, b=now),
    )
    bounded = _bounded(comparing, frozenset(columns), others)
    arms: tuple[tuple[tuple[Scalar, ...], Rel | None], ...] = ((differing, None),)
    if bounded is not None:
        old, new = (substitute(bounded.total, side) for side in values)
        unknown = Block(tuple(sides), (expression("a IS NULL OR b IS NULL", a=old, b=new),), ())
        arms = (((*differing, *bounded.between(old, new)), None), (differing, unknown))
    return Turned(tuple(sides), expression("CASE WHEN b THEN 1 ELSE -1 END", b=now), arms)


def _decided(comparing: Sequence[Scalar], side: Mapping[int, Scalar]) -> Scalar:
    conjuncts = {f"p{n}": substitute(p, side) for n, p in enumerate(comparing)}
    return expression(f"({' AND '.join(conjuncts)}) IS TRUE", **conjuncts)


def _bounded(comparing: Sequence[Scalar], totals: frozenset[int], others: Sequence[Rel]) -> Bound | None:
    if len(comparing) != 1:
        return None
    known: dict[int, ColumnFacts] = {}
    for rel in others:
        known |= origins(rel)
    return bound(comparing[0], totals, known)


def has_one_row(rel: Rel) -> bool:
    """Does the relation always have exactly one row?"""
    match rel:
        case Kept(_, kept):
            return has_one_row(kept)
        case Aggregate():
            return rel.scalar
        case Block(inputs, predicates, gate=None):
            return not predicates and len(inputs) == 1 and has_one_row(inputs[0])
        case _:
            return False
