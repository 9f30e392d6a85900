"""net(Δ): identical signed rows added up, those that cancel removed. The same bag, in fewer rows.

Not needed where weights are added up anyway. It pays where a row that merely passed through would cause work: a
value that left and came back would seem to take a stored minimum with it.
"""

from __future__ import annotations

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.properties import origins
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Rel, copy_of
from trickle.ivm.algebra.scalars import expression, reference
from trickle.ivm.delta.derivative import Delta


def netted(delta: Delta, changed: Rel, numbering: Numbering) -> Delta:
    """Return the same change without rows that cancel; as it is, where some column may not be comparable."""
    known = origins(changed)
    if not all(c.number in known and known[c.number].comparable for c in changed.columns):
        return delta
    weight = numbering.column("__pgt_w")
    total = Call(weight, expression("sum(w)::int", w=reference(delta.weight)))
    rows = Aggregate(delta.rel, tuple(copy_of(c) for c in changed.columns), (total,))
    left = expression("w <> 0", w=reference(weight))
    return Delta(Block((rows,), (left,), tuple(copy_of(c) for c in rows.columns)), weight)
