"""Δ(A ⊎ B) = ΔA ⊎ ΔB

Addition is linear: every signed row passes through by itself.
"""

from __future__ import annotations

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import UnionAll
from trickle.ivm.delta.derivative import Delta, derive, rule


@rule.register
def _(rel: UnionAll, numbering: Numbering) -> Delta | None:
    deltas = [d for branch in rel.branches if (d := derive(branch, numbering)) is not None]
    if not deltas:
        return None
    weight = numbering.column("__pgt_w")
    return Delta(UnionAll(tuple(d.rel for d in deltas), (*rel.outputs, weight)), weight)
