"""Δ Expand(C) = Expand(ΔC)

What a function returns depends on its row alone, so a signed row brings its rows along with its sign.
"""

from __future__ import annotations

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Block, copy_of
from trickle.ivm.delta.derivative import Delta, derive, rule


@rule.register
def _(rel: Expand, numbering: Numbering) -> Delta | None:
    change = derive(rel.child, numbering)
    if change is None:
        return None
    expanded = Expand(change.rel, rel.functions, rel.outputs, rel.ordinality, rel.kept)
    items = (*(copy_of(column) for column in rel.columns), copy_of(change.weight))
    return Delta(Block((expanded,), (), items), change.weight)
