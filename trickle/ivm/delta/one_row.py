"""A relation of exactly one row changes by its old row and its new one. Where it is only compared with, that concerns
those rows for which the two decide otherwise:

    J ⋈_p ΔS  =  { +j | p(j, new) ∧ ¬p(j, old) }  ⊎  { −j | p(j, old) ∧ ¬p(j, new) }

`amount > (SELECT avg(amount) …)`: with another average all rows above the old one would go, and all above the new one
come. They cancel, but each of them has to be carried there. Legal where p alone reads S.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trickle.ivm.algebra.keeping import Kept
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Aggregate, Block, Item, Rel
from trickle.ivm.algebra.scalars import Scalar, equated_columns, expression, reference, substitute
from trickle.ivm.delta.derivative import Delta


@dataclass(frozen=True, slots=True)
class Turned:
    """What takes the place of a change in a join: both rows side by side, the predicates, and the weight of a row."""

    inputs: tuple[Rel, ...]
    predicates: tuple[Scalar, ...]
    weight: Scalar


def turned(
    here: Rel, change: Delta, predicates: Sequence[Scalar], read: frozenset[int], numbering: Numbering
) -> Turned | None:
    """Compare with the old row and the new one, or None where that is not all that is done with them.

    `predicates` are those of the join with `here`, `read` the columns that its outputs read.
    """
    columns = {column.number: column for column in here.columns}
    comparing = [p for p in predicates if p.columns & columns.keys()]
    if not _has_one_row(here) or read & columns.keys() or not comparing:
        return None
    if any(equated_columns(p) for p in comparing):
        return None  # the few rows that are equal are looked up
    sides: list[Rel] = []
    decided: list[Scalar] = []
    for weight in ("-1", "1"):
        items = tuple(Item(numbering.like(column), reference(column)) for column in columns.values())
        of_this = expression(f"w = {weight}", w=reference(change.weight))
        sides.append(Block((change.rel,), (of_this,), items))
        values = {number: reference(item.column) for number, item in zip(columns, items, strict=True)}
        conjuncts = {f"p{n}": substitute(p, values) for n, p in enumerate(comparing)}
        decided.append(expression(f"({' AND '.join(conjuncts)}) IS TRUE", **conjuncts))
    then, now = decided
    others = tuple(p for p in predicates if not p.columns & columns.keys())
    return Turned(
        tuple(sides),
        (*others, expression("(a) <> (b)", a=then, b=now)),
        expression("CASE WHEN b THEN 1 ELSE -1 END", b=now),
    )


def _has_one_row(rel: Rel) -> bool:
    match rel:
        case Kept(_, kept):
            return _has_one_row(kept)
        case Aggregate():
            return rel.scalar
        case Block(inputs, predicates, gate=None):
            return not predicates and len(inputs) == 1 and _has_one_row(inputs[0])
        case _:
            return False
