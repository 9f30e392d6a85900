"""old C  =  C ⊎ −ΔC, as a bag: rows that cancel are gone, the others stand as often as they did.

The old state of a relation is rebuilt from the new one. Whoever asks for it restricts both to the few keys in question.
Rows cancel that are identical, not merely equal: 1.0 and 1.00 are equal and look different, so a column that is not
known to be free of this is told apart by its text as well.
"""

from __future__ import annotations

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.properties import origins
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Copies, Item, Rel, UnionAll, copy_of
from trickle.ivm.algebra.scalars import expression, reference
from trickle.ivm.delta.derivative import Delta


def before(now: Rel, change: Delta, numbering: Numbering) -> Rel:
    """Return the rows of `now` as they were before `change`, which has all its changes."""
    weight, total = numbering.column("__pgt_w"), numbering.column("__pgt_n")
    columns = now.columns
    one = Block((now,), (), (*(copy_of(c) for c in columns), Item(weight, expression("1"))))
    minus = expression("-w", w=reference(change.weight))
    undone = Block((change.rel,), (), (*(copy_of(c) for c in columns), Item(weight, minus)))
    rows = UnionAll((one, undone), (*columns, weight))
    known = origins(now)
    images = [
        Item(numbering.column("image"), expression("c::text", c=reference(column)))
        for column in columns
        if column.number not in known or not known[column.number].equal_is_identical
    ]
    net = Aggregate(
        rows,
        (*(copy_of(c) for c in columns), *images),
        (Call(total, expression("sum(w)::int", w=reference(weight))),),
    )
    return Copies(Block((net,), (), (*(copy_of(c) for c in columns), copy_of(total))) if images else net, total)
