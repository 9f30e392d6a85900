"""An outer join is the join and its lonely rows, so its change is the change of both:

    Δ(L ⟕ R)  =  Δ(L ⋈ R)  ⊎  Δ(σ_{not marked} Mark(L, R)) × {NULL, …}

A row that finds its first partner leaves the lonely ones and arrives in the join; the NULLs of the right take their
types from an outer join on false.
"""

from __future__ import annotations

from dataclasses import replace

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.pairing import Mark, OuterJoin, Wanted
from trickle.ivm.algebra.passes.fuse_blocks import fuse_blocks
from trickle.ivm.algebra.relations import Aggregate, Block, Item, Join, Rel, UnionAll, copy_of
from trickle.ivm.algebra.scalars import expression, reference
from trickle.ivm.delta.derivative import Delta, derive, rule


@rule.register
def _(rel: OuterJoin, numbering: Numbering) -> Delta | None:
    rel = _asked_for(rel)
    met = derive(fuse_blocks(Join(rel.left, rel.right, rel.predicates)), numbering)
    changes = [met, _lonely(rel, rel.left, rel.right, numbering)]
    if rel.full:
        changes.append(_lonely(rel, rel.right, rel.left, numbering))
    weight = numbering.column("__pgt_w")
    terms: list[Rel] = [
        Block((c.rel,), (), (*(copy_of(column) for column in rel.columns), Item(weight, reference(c.weight))))
        for c in changes
        if c is not None
    ]
    return Delta(UnionAll(tuple(terms), (*rel.columns, weight)), weight) if terms else None


def _asked_for(rel: OuterJoin) -> OuterJoin:
    """Where the left is a choice of rows, only the groups that these meet are looked at."""
    chosen = isinstance(rel.left, Block) and (rel.left.predicates or len(rel.left.inputs) > 1)
    if rel.full or not chosen or not isinstance(rel.right, Aggregate) or not rel.right.keys:
        return rel
    return replace(rel, right=Wanted(rel.right, rel.left, rel.predicates))


def _lonely(rel: OuterJoin, kept: Rel, other: Rel, numbering: Numbering) -> Delta | None:
    """The change of the rows of `kept` without a partner, beside NULLs for the columns of `other`."""
    mark = numbering.column("has_partner")
    alone = expression("NOT m", m=reference(mark))
    marked = Mark(kept, other, rel.predicates, mark)
    change = derive(Block((marked,), (alone,), tuple(copy_of(column) for column in kept.columns)), numbering)
    if change is None:
        return None
    return Delta(OuterJoin(change.rel, other, (expression("false"),)), change.weight)
