"""Δ(n · C) = n · ΔC where n > 0

How often a row stands is a column of it, so a signed row brings as many signed copies.
"""

from __future__ import annotations

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Block, Copies, Item, copy_of
from trickle.ivm.algebra.scalars import expression, reference
from trickle.ivm.delta.derivative import Delta, derive, rule


@rule.register
def _(rel: Copies, numbering: Numbering) -> Delta | None:
    change = derive(rel.child, numbering)
    if change is None:
        return None
    weight = numbering.column("__pgt_w")
    copies, signed = reference(rel.weight), reference(change.weight)
    some = expression("n > 0", n=copies)
    items = (*(copy_of(column) for column in rel.columns), Item(weight, expression("(n * w)::int", n=copies, w=signed)))
    return Delta(Block((change.rel,), (some,), items), weight)
