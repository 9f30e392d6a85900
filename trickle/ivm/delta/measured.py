"""Counts and sums over a join: add up before joining.

    γ_k; Σ w·v (ΔF ⋈ R)  =  γ_k; Σ m (γ_j; m = Σ w·v (ΔF) ⋈ R)

where v reads the fact F alone and j are the columns of F that the join and the keys read. Each signed row carries,
beside its weight, what it contributes to every sum (a measure); a thousand changes that meet the same row of R meet
it once. The chain is that of a join without measures, begun with F:

    m(ΔJ ⋈ R) = m(ΔJ)          m(J ⋈ ΔR) = v · w(ΔR)          m(−ΔJ ⋈ ΔR) = −m(ΔJ) · w(ΔR)

Where the old J stands in a state table, it takes the place of J, and there is no third term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Item, Rel, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Column, Scalar, columns_of, expression, reference
from trickle.ivm.delta.chain import gated, join_order, named, numbers, passed_on, predicates_between, split
from trickle.ivm.delta.derivative import Delta, derive, shared
from trickle.ivm.delta.kept import all_as_found
from trickle.ivm.delta.one_row import turned
from trickle.ivm.delta.restrict import narrowed


@dataclass(frozen=True, slots=True)
class Measure:
    """What a row of the fact contributes to one sum: `value`, never NULL, added up as `type`."""

    column: Column
    value: Scalar
    type: str

    def weighted(self, weight: Scalar) -> Scalar:
        """The contribution of a signed row."""
        product = f"(CASE w WHEN 1 THEN v WHEN -1 THEN -(v) ELSE (v) * w END)::{self.type}"
        return expression(product, v=self.value, w=weight)


def derive_measured(rel: Block, fact: int, measures: Sequence[Measure], numbering: Numbering) -> Delta | None:
    """Return how a join of several inputs changes, with the measures of its input number `fact` added up."""
    inputs = [rel.inputs[i] for i in join_order(rel, first=fact)]
    changes = [named(derive(i, numbering), position) for position, i in enumerate(inputs)]
    joined = _added_up(rel, inputs[0], changes[0], measures, numbering)
    for step in range(1, len(inputs)):
        last = step == len(inputs) - 1
        items = rel.items if last else passed_on(rel, inputs[: step + 1])
        joined = _step(rel, inputs, changes[step], joined, step, items, measures, numbering)
        if joined is not None and not last:
            joined = shared(joined, f"change_join_{step + 1}", "ΔJ⋈R + J⋈ΔR − ΔJ⋈ΔR, with what each row adds up to")
    return joined


def _added_up(
    rel: Block, fact: Rel, change: Delta | None, measures: Sequence[Measure], numbering: Numbering
) -> Delta | None:
    """γ_j; m (ΔF): the fact's change, added up over the columns that are still read."""
    if change is None:
        return None
    local = tuple(p for p in rel.predicates if p.columns <= numbers((fact,)))
    later = [p for p in rel.predicates if p not in local]
    read = columns_of((*later, *(item.value for item in rel.items)))
    keys = tuple(copy_of(column) for column in fact.columns if column.number in read)
    everything = (Item(numbering.column("everything"), expression("true")),)
    weight = numbering.column("__pgt_w")
    row_weight = reference(change.weight)
    calls = [Call(weight, expression("sum(w)::int", w=row_weight))]
    calls += [Call(m.column, expression(f"sum(x)::{m.type}", x=m.weighted(row_weight))) for m in measures]
    rows = Block((change.rel,), local, tuple(copy_of(column) for column in change.rel.columns))
    added = Delta(Aggregate(rows, keys or everything, tuple(calls)), weight)
    return shared(added, "change_added_up", "the change of the fact, added up over what the join still reads")


def _step(
    rel: Block,
    inputs: Sequence[Rel],
    change: Delta | None,
    joined: Delta | None,
    step: int,
    items: tuple[Item, ...],
    measures: Sequence[Measure],
    numbering: Numbering,
) -> Delta | None:
    """One link of the chain: the change of the join of inputs 0 … step, of which the first is the fact."""
    before, here = inputs[:step], inputs[step]
    found = all_as_found(before)
    here_too = predicates_between(rel, before, (here,))
    weight = numbering.column("__pgt_w")
    terms: list[Rel] = []
    if joined is not None:
        met = narrowed(here, joined.rel, rel.predicates, numbering)
        carried = (Item(weight, reference(joined.weight)), *(copy_of(m.column) for m in measures))
        terms.append(Block((joined.rel, met), here_too, (*items, *carried)))
    if change is not None:
        everywhere = predicates_between(rel, (), (*before, here))
        read = columns_of((*(item.value for item in items), *(m.value for m in measures)))
        either = turned(here, change, everywhere, read, before, numbering)
        if either is not None:
            carried = (
                Item(weight, either.weight),
                *(Item(m.column, m.weighted(either.weight)) for m in measures),
            )
            turning = (*(found or before), *either.inputs)
            terms.extend(Block(turning, tests, (*items, *carried), gate) for tests, gate in either.arms)
        for part, gate in gated(split(here, change, before)) if either is None else ():
            met_before = found or tuple(narrowed(b, part.rel, rel.predicates, numbering) for b in before)
            row_weight = reference(part.weight)
            carried = (Item(weight, row_weight), *(Item(m.column, m.weighted(row_weight)) for m in measures))
            terms.append(Block((*met_before, part.rel), everywhere, (*items, *carried), gate))
    if joined is not None and change is not None and found is None:
        parts = {"a": reference(joined.weight), "b": reference(change.weight)}
        undone = [Item(weight, expression("-(a * b)", **parts))]
        for m in measures:
            product = expression(f"(-(a * b))::{m.type}", a=reference(m.column), b=reference(change.weight))
            undone.append(Item(m.column, product))
        terms.append(Block((joined.rel, change.rel), here_too, (*items, *undone)))
    if not terms:
        return None
    outputs = (*(item.column for item in items), weight, *(m.column for m in measures))
    return Delta(terms[0] if len(terms) == 1 else UnionAll(tuple(terms), outputs), weight)
