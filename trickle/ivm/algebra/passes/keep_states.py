"""Which parts of a query are worth a table of their own.

Where all rows are looked at together (the first ten, a rank, more than the average), a change of one row can change
what becomes of every other. What is below such a place would have to be read whole to bring it up to date. It is kept,
where reading it means joining or adding up, and then only the looking at is done again:

    first n of R               keep R
    σ_{R.x > a}(R × γ(S))      keep γ(S), one row; keep R as well, or the groups that R joins

What has no rule is kept as well: it is computed anew when something it reads has changed, and only what is stored knows
for certain what it said before.

The one row is taken up to where the others are complete, so that what is kept does not depend on it.

A stream table that is nothing but groups is folded: the change is added to what is stored. Below a UNION ALL, which is
what GROUPING SETS are, groups are kept for the same reason; else a change of one row has the grand total read all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.pairing import Mark, OuterJoin
from trickle.ivm.algebra.relations import Aggregate, Block, Copies, Rel, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Scalar, columns_of
from trickle.ivm.algebra.walk import children, over
from trickle.ivm.algebra.windows import Window

Keep = Callable[[Rel], Rel]
"""Puts a relation into a state table: returns what stands for it, or the relation itself where that is not possible."""
Foldable = Callable[[Aggregate], bool]


def keep_states(rel: Rel, keep: Keep, foldable: Foldable) -> Rel:
    """Return an equal relation in which the parts worth it are kept."""
    match rel:
        case Opaque() | Block((Opaque(),), (), gate=None):
            return keep(rel)
        case Window(child, ()):
            return replace(rel, child=_kept(child, keep, foldable))
        case Block(inputs) if len(inputs) > 1:
            return _beside_thresholds(rel, keep, foldable)
        case Aggregate(child) | Window(child) | Copies(child):
            return replace(rel, child=_above(child, keep, foldable))
        case _:
            return over(rel, lambda below: keep_states(below, keep, foldable))


def keep_branches(rel: Rel, keep: Keep, foldable: Foldable) -> Rel:
    """Return an equal relation in which the groups of each branch of its UNION ALL are kept, if they can be folded."""
    if not isinstance(rel, Block) or len(rel.inputs) != 1 or rel.gate is not None:
        return rel
    below = rel.inputs[0]
    if isinstance(below, UnionAll):
        branches = tuple(_folded_branch(branch, keep, foldable) for branch in below.branches)
        return replace(rel, inputs=(replace(below, branches=branches),))
    return replace(rel, inputs=(keep_branches(below, keep, foldable),))


def _folded_branch(branch: Rel, keep: Keep, foldable: Foldable) -> Rel:
    match branch:
        case Block((below,), gate=None):
            return replace(branch, inputs=(_folded_branch(below, keep, foldable),))
        case Aggregate() if foldable(branch):
            return keep(branch)
        case _:
            return branch


def _above(child: Rel, keep: Keep, foldable: Foldable) -> Rel:
    """The rows that an operator reads: what was asked of them about one row of totals is asked last."""
    lifted, thresholds, tests = _lifted(child)
    if not thresholds:
        return keep_states(child, keep, foldable)
    whole = Block((lifted, *thresholds), tests, tuple(copy_of(column) for column in child.columns))
    return _beside_thresholds(whole, keep, foldable)


def _beside_thresholds(block: Block, keep: Keep, foldable: Foldable) -> Rel:
    thresholds = [i for i in block.inputs if is_threshold(i)]
    others = [i for i in block.inputs if not is_threshold(i)]
    if not thresholds or not others:
        return replace(block, inputs=tuple(keep_states(i, keep, foldable) for i in block.inputs))
    totals = {column.number for rel in thresholds for column in rel.columns}
    tests = tuple(p for p in block.predicates if p.columns & totals)
    local = tuple(p for p in block.predicates if not p.columns & totals)
    read = columns_of((*tests, *(item.value for item in block.items)))
    needed = tuple(copy_of(column) for rel in others for column in rel.columns if column.number in read)
    rest = Block(tuple(others), local, needed, block.gate)
    kept_totals = tuple(_kept_total(t, keep, foldable) for t in thresholds)
    if any(isinstance(bare(i), Aggregate) for i in others):
        inputs: tuple[Rel, ...] = tuple(_kept(i, keep, foldable) for i in others)
        return Block((*inputs, *kept_totals), (*local, *tests), block.items, block.gate)
    return Block((_kept(rest, keep, foldable), *kept_totals), tests, block.items)


def _kept(rel: Rel, keep: Keep, foldable: Foldable) -> Rel:
    """Keep a relation, or what is worth it inside; what one table says by itself is not copied."""
    inside = keep_states(rel, keep, foldable)
    if inside != rel or not _laborious(rel):
        return inside
    return keep(rel)


def _kept_total(total: Rel, keep: Keep, foldable: Foldable) -> Rel:
    """One row of totals: kept by adding, or else computed from what is kept below it."""
    top = bare(total)
    if isinstance(top, Aggregate) and foldable(top):
        return keep(total)
    return _total_over(total, keep, foldable)


def _total_over(rel: Rel, keep: Keep, foldable: Foldable) -> Rel:
    if isinstance(rel, Block):
        return replace(rel, inputs=tuple(_total_over(i, keep, foldable) for i in rel.inputs))
    if isinstance(rel, Aggregate):
        block = rel.child
        if isinstance(block, Block) and len(block.inputs) == 1 and isinstance(block.inputs[0], Aggregate):
            return replace(rel, child=replace(block, inputs=(_kept(block.inputs[0], keep, foldable),)))
        return replace(rel, child=_kept(block, keep, foldable))
    return rel


def is_threshold(rel: Rel) -> bool:
    """Is it one row of totals, whatever is below it?"""
    top = bare(rel)
    return isinstance(top, Aggregate) and top.scalar


def bare(rel: Rel) -> Rel:
    """What a block that only computes columns computes them of."""
    while isinstance(rel, Block) and len(rel.inputs) == 1 and not rel.predicates and rel.gate is None:
        rel = rel.inputs[0]
    return rel


def _laborious(rel: Rel) -> bool:
    """Does it take more than reading one table?"""
    if isinstance(rel, (Aggregate, Window, Mark, OuterJoin)):
        return True
    below = children(rel)
    return (isinstance(rel, Block) and len(rel.inputs) > 1) or any(_laborious(child) for child in below)


def _lifted(rel: Rel) -> tuple[Rel, tuple[Rel, ...], tuple[Scalar, ...]]:
    """Take the totals, and the tests that read them, out of a chain of blocks and marks.

    σ_{x > a}(R × γ) below a mark, or below columns that do not read a, is the same above it.
    """
    match rel:
        case Mark(left) | OuterJoin(left, full=False):
            lifted, thresholds, tests = _lifted(left)
            return (replace(rel, left=lifted), thresholds, tests) if thresholds else (rel, (), ())
        case Block(inputs, predicates, items) if rel.gate is None:
            parts = [_lifted(i) if not is_threshold(i) else (None, (i,), ()) for i in inputs]
            thresholds = tuple(t for _, found, _ in parts for t in found)
            rest = tuple(i for i, _, _ in parts if i is not None)
            totals = {column.number for t in thresholds for column in t.columns}
            if not thresholds or not rest or columns_of(item.value for item in items) & totals:
                return rel, (), ()
            tests = tuple(p for p in predicates if p.columns & totals) + tuple(p for _, _, ps in parts for p in ps)
            shown = {item.column.number for item in items}
            read = columns_of(tests) - totals - shown
            passed = tuple(copy_of(column) for i in rest for column in i.columns if column.number in read)
            local = tuple(p for p in predicates if not p.columns & totals)
            return Block(rest, local, (*items, *passed)), thresholds, tests
        case _:
            return rel, (), ()
