"""(ΔJ ⋈ γ(C))  =  ΔJ ⋈ γ(C|K)          K: the values that ΔJ brings for an equated group key

An aggregate that meets a change in a join is computed only for the groups the change can meet, not whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Aggregate, Item, Rel, Shared
from trickle.ivm.algebra.scalars import Scalar, equated_columns, reference
from trickle.ivm.delta.restrict import Restriction, restrict


def narrowed(rel: Rel, change: Rel, predicates: Sequence[Scalar], numbering: Numbering) -> Rel:
    """Return `rel` without groups that no row of `change` can meet; other relations stay as they are."""
    if not isinstance(rel, Aggregate) or rel.scalar:
        return rel
    met = _met_keys(rel, change, predicates)
    if not met:
        return rel
    items = [Item(numbering.like(key.column), reference(number)) for key, number in met]
    wanted = Shared("wanted_keys", "groups that the change can meet", Aggregate(change, tuple(items), ()))
    keys = [Restriction(key.value, item.column, nullable=False) for (key, _), item in zip(met, items, strict=True)]
    return Aggregate(restrict(rel.child, keys, wanted), rel.keys, rel.calls)


def _met_keys(rel: Aggregate, change: Rel, predicates: Sequence[Scalar]) -> list[tuple[Item, int]]:
    """Keys of the aggregate that a predicate equates to a column of the change. `=` never meets a NULL."""
    keys = {key.column.number: key for key in rel.keys}
    available = {column.number for column in change.columns}
    met: dict[int, tuple[Item, int]] = {}
    for predicate in predicates:
        a, b = equated_columns(predicate) or (0, 0)
        for key, other in ((a, b), (b, a)):
            if key in keys and other in available:
                met.setdefault(key, (keys[key], other))
    return list(met.values())
