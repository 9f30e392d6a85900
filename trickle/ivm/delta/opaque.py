"""Nothing is known of a block but that it is a function of its tables. Where no state table remembers what it said,
it is computed in both states:

    Δ S(T₁, …, Tₙ)  =  S(T₁, …, Tₙ)  −  S(old T₁, …, old Tₙ)          if some ΔTᵢ has a row, else nothing

The first question is asked before anything is computed. A table that cannot have changed is read as it is.

    old T  =  σ_{key ∉ K}(T)  ⊎  (T|K ⊎ −ΔT)          K: the keys that occur in ΔT

Only rows that share a key with a change are put together anew; the others pass through.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.pairing import Mark
from trickle.ivm.algebra.properties import input_keys
from trickle.ivm.algebra.relations import Aggregate, Block, Item, Rel, Shared, UnionAll, copy_of
from trickle.ivm.algebra.scalars import expression, reference
from trickle.ivm.delta.before import before
from trickle.ivm.delta.derivative import Delta, derive, rule
from trickle.ivm.delta.restrict import Restriction, restrict


@rule.register
def _(rel: Opaque, numbering: Numbering) -> Delta | None:
    changes = [derive(i, numbering) for i in rel.inputs]
    changed = [change for change in changes if change is not None]
    if not changed:
        return None
    old = [i if c is None else _before(i, c, numbering) for i, c in zip(rel.inputs, changes, strict=True)]
    weight = numbering.column("__pgt_w")
    anything = any_of(changed)
    arms = tuple(
        Block((rows,), (), (*(copy_of(c) for c in rel.columns), Item(weight, expression(sign))), anything)
        for rows, sign in ((rel, "1"), (replace(rel, inputs=tuple(old)), "-1"))
    )
    return Delta(UnionAll(arms, (*rel.columns, weight)), weight)


def any_of(changes: Sequence[Delta]) -> Rel:
    """A relation without columns that has a row if one of the changes has."""
    return UnionAll(tuple(Block((change.rel,), (), ()) for change in changes), ())


def _before(rel: Rel, change: Delta, numbering: Numbering) -> Rel:
    """A table as it was, with the names of its columns."""
    keys = input_keys(rel)
    then = _around(rel, min(keys, key=sorted), change, numbering) if keys else before(rel, change, numbering)
    return Shared("whole_before", "a table as it was", then)


def _around(rel: Rel, key: frozenset[int], change: Delta, numbering: Numbering) -> Rel:
    columns = [column for column in rel.columns if column.number in key]
    wanted = [Item(numbering.like(column), reference(column)) for column in columns]
    touched = Shared("touched_keys", "the keys that occur in the change", Aggregate(change.rel, tuple(wanted), ()))
    restrictions = [Restriction(reference(c), w.column, False) for c, w in zip(columns, wanted, strict=True)]
    met = tuple(
        expression("a = b", a=reference(c), b=reference(w.column)) for c, w in zip(columns, wanted, strict=True)
    )
    mark = numbering.column("touched")
    copies = tuple(copy_of(column) for column in rel.columns)
    others = Block((Mark(rel, touched, met, mark),), (expression("NOT m", m=reference(mark)),), copies)
    return UnionAll((others, before(restrict(rel, restrictions, touched, numbering), change, numbering)), rel.columns)
