"""(ΔJ ⋈ γ(C))  =  ΔJ ⋈ γ(C|K)          K: the values that ΔJ brings for an equated group key

An aggregate that meets a change in a join is computed only for the groups the change can meet, not whole; window
functions likewise, for the partitions it can meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.relations import Aggregate, Block, Item, Rel, Shared, copy_of
from trickle.ivm.algebra.scalars import Scalar, equated_columns, reference
from trickle.ivm.algebra.windows import Window
from trickle.ivm.delta.opaque import computed_once
from trickle.ivm.delta.restrict import Restriction, restrict


def narrowed(rel: Rel, change: Rel, predicates: Sequence[Scalar], numbering: Numbering) -> Rel:
    """Return `rel` without groups that no row of `change` can meet; other relations stay as they are.

    What can only be computed whole is computed once, and not at all when nothing can meet it.
    """
    if isinstance(rel, Opaque):
        met_at_all = Block((change,), (), ())
        return Block((computed_once(rel, numbering),), (), tuple(copy_of(c) for c in rel.columns), met_at_all)
    if not isinstance(rel, (Aggregate, Window)) or not rel.keys:
        return rel
    met = _met_keys(rel, change, predicates)
    if not met:
        return rel
    items = [Item(numbering.like(key.column), reference(number)) for key, number in met]
    wanted = Shared("wanted_keys", "groups that the change can meet", Aggregate(change, tuple(items), ()))
    keys = [Restriction(key.value, item.column, nullable=False) for (key, _), item in zip(met, items, strict=True)]
    rows = restrict(rel.child, keys, wanted)
    return Window(rows, rel.keys, rel.calls, rel.order) if isinstance(rel, Window) else replace(rel, child=rows)


def _met_keys(rel: Aggregate | Window, change: Rel, predicates: Sequence[Scalar]) -> list[tuple[Item, int]]:
    """Keys of the aggregate that a predicate equates to a column of the change. `=` never meets a NULL."""
    shown = {column.number for column in rel.columns}
    keys = {number: key for key in rel.keys for number in (key.column.number, key.value.column) if number in shown}
    available = {column.number for column in change.columns}
    met: dict[int, tuple[Item, int]] = {}
    for predicate in predicates:
        a, b = equated_columns(predicate) or (0, 0)
        for key, other in ((a, b), (b, a)):
            if key in keys and other in available:
                met.setdefault(key, (keys[key], other))
    return list(met.values())
