"""Selection and projection are linear, the join is bilinear:

    Δ(π σ R)    = π σ ΔR
    Δ(R ⋈ S)    = ΔR ⋈ S  ⊎  R ⋈ ΔS  ⊎  −(ΔR ⋈ ΔS)          R and S as the statement sees them: new

The last term takes away what the first two count twice; where the old R stands in a state table, ΔR ⋈ S ⊎ old R ⋈ ΔS
is all there is. For n inputs a chain: J₁ = R₁, Jₖ = Jₖ₋₁ ⋈ Rₖ, three
terms a step, each ΔJ computed once; size and planning time grow with n, not with 2ⁿ. In R ⋈ ΔS the left side
is written out flat, so PostgreSQL may start from the change and follow indexes.
An UPDATE is a −1 row and a +1 row: a row that starts to satisfy a predicate simply arrives.
"""

from __future__ import annotations

from collections.abc import Sequence

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Block, Item, Rel, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Column, columns_of, expression, reference
from trickle.ivm.delta.chain import gated, join_order, named, passed_on, predicates_between, split
from trickle.ivm.delta.derivative import Delta, derive, rule, shared
from trickle.ivm.delta.kept import all_as_found
from trickle.ivm.delta.one_row import turned
from trickle.ivm.delta.restrict import narrowed


@rule.register
def _(rel: Block, numbering: Numbering) -> Delta | None:
    if not rel.inputs:
        return None
    order = join_order(rel)
    inputs = [rel.inputs[i] for i in order]
    changes = [named(derive(i, numbering), position) for position, i in enumerate(inputs)]
    joined = changes[0]
    if len(inputs) == 1:
        return None if joined is None else _select(rel, joined)
    for step in range(1, len(inputs)):
        last = step == len(inputs) - 1
        items = rel.items if last else passed_on(rel, inputs[: step + 1])
        joined = _step(rel, inputs, changes, joined, step, items, numbering)
        if joined is not None and not last:
            joined = shared(joined, f"change_join_{step + 1}", "ΔJ⋈R + J⋈ΔR − ΔJ⋈ΔR, J the join so far")
    return joined


def _select(rel: Block, change: Delta) -> Delta:
    """Δ(π σ R) = π σ ΔR."""
    return Delta(Block((change.rel,), rel.predicates, (*rel.items, copy_of(change.weight))), change.weight)


def _step(
    rel: Block,
    inputs: Sequence[Rel],
    changes: Sequence[Delta | None],
    joined: Delta | None,
    step: int,
    items: tuple[Item, ...],
    numbering: Numbering,
) -> Delta | None:
    """One link of the chain: the change of the join of inputs 0 … step.

    The first input enters unfiltered, so the first link decides its predicates too.
    """
    before, here = inputs[:step], inputs[step]
    found = all_as_found(before)
    decided = before if step > 1 else ()
    change = changes[step]
    weight = numbering.column("__pgt_w")
    terms: list[Rel] = []
    if joined is not None:
        new_here = predicates_between(rel, decided, (*before, here))
        met = narrowed(here, joined.rel, rel.predicates, numbering)
        terms.append(Block((joined.rel, met), new_here, (*items, Item(weight, reference(joined.weight)))))
    if change is not None:
        everywhere = predicates_between(rel, (), (*before, here))
        read = columns_of(item.value for item in items)
        either = turned(here, change, everywhere, read, before, numbering)
        if either is not None:
            turning = (*(found or before), *either.inputs)
            signed = (*items, Item(weight, either.weight))
            terms.extend(Block(turning, tests, signed, gate) for tests, gate in either.arms)
        for part, gate in gated(split(here, change, before)) if either is None else ():
            value = reference(part.weight)
            met_before = found or tuple(narrowed(b, part.rel, rel.predicates, numbering) for b in before)
            terms.append(Block((*met_before, part.rel), everywhere, (*items, Item(weight, value)), gate))
    if joined is not None and change is not None and found is None:
        both = expression("-(a * b)", a=reference(joined.weight), b=reference(change.weight))
        new_here = predicates_between(rel, decided, (*before, here))
        terms.append(Block((joined.rel, change.rel), new_here, (*items, Item(weight, both))))
    if not terms:
        return None
    outputs: tuple[Column, ...] = (*(item.column for item in items), weight)
    return Delta(terms[0] if len(terms) == 1 else UnionAll(tuple(terms), outputs), weight)
