"""Δ(A ⊎ B) = ΔA ⊎ ΔB

Addition is linear: every signed row passes through by itself. But the union gives its rows types, those that all its
branches together have: 7 beside 7.5 is a numeric. So a branch that has not changed stays, without rows, for its types.
"""

from __future__ import annotations

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.properties import origins
from trickle.ivm.algebra.relations import Block, Item, Rel, UnionAll, copy_of
from trickle.ivm.algebra.scalars import expression
from trickle.ivm.delta.derivative import Delta, derive, rule


@rule.register
def _(rel: UnionAll, numbering: Numbering) -> Delta | None:
    deltas = [derive(branch, numbering) for branch in rel.branches]
    if not any(deltas):
        return None
    alike = {column.number for column in rel.outputs} <= origins(rel).keys()
    arms = tuple(
        delta.rel if delta is not None else _without_rows(branch, numbering)
        for branch, delta in zip(rel.branches, deltas, strict=True)
        if delta is not None or not alike
    )
    weight = numbering.column("__pgt_w")
    return Delta(UnionAll(arms, (*rel.outputs, weight)), weight)


def _without_rows(rel: Rel, numbering: Numbering) -> Rel:
    """σ_false(rel), beside a weight."""
    weight = Item(numbering.column("__pgt_w"), expression("1"))
    return Block((rel,), (expression("false"),), (*(copy_of(column) for column in rel.columns), weight))
