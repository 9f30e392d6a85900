"""A mark changes with its row, and with what its row may meet:

    Δ Mark(L, R)  =  Mark(ΔL, R)  ⊎  Mark(old L|K, R|K)  ⊎  −Mark(old L|K, old R|K)

K holds the values that ΔR brings for the columns of R that the predicates equate to columns of L: a row of L with
another value meets the same partners as before. NULL meets nobody by `=`, so K needs no NULL. Where nothing is
equated, K is everything: both states are marked whole, but only when R has changed at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.pairing import Mark
from trickle.ivm.algebra.properties import trusted_equalities
from trickle.ivm.algebra.relations import Aggregate, Block, Item, Rel, Shared, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Column, expression, reference
from trickle.ivm.delta.before import before, there_before
from trickle.ivm.delta.derivative import Delta, derive, rule, shared
from trickle.ivm.delta.restrict import Restriction, narrowed, restrict


@rule.register
def _(rel: Mark, numbering: Numbering) -> Delta | None:
    left, right = derive(rel.left, numbering), derive(rel.right, numbering)
    weight = numbering.column("__pgt_w")
    outputs = tuple(copy_of(column) for column in rel.columns)
    terms: list[Rel] = []
    if left is not None:
        left = shared(left, "change_of_rows", "the change of the rows that look for a partner")
        met = narrowed(rel.right, left.rel, rel.predicates, numbering)
        arrived = Mark(left.rel, met, rel.predicates, rel.mark)
        terms.append(Block((arrived,), (), (*outputs, Item(weight, reference(left.weight)))))
    if right is not None:
        right = shared(right, "change_of_partners", "the change of the rows that may be partners")
        changed = Block((right.rel,), (), ())
        rows, partners = _touched(rel, left, right, numbering)
        then = Shared("partners_before", "their partners as they were", there_before(partners, right, numbering))
        for there, sign in ((partners, "1"), (then, "-1")):
            marked = Mark(rows, there, rel.predicates, rel.mark)
            terms.append(Block((marked,), (), (*outputs, Item(weight, expression(sign))), changed))
    if not terms:
        return None
    return Delta(terms[0] if len(terms) == 1 else UnionAll(tuple(terms), (*rel.columns, weight)), weight)


def _touched(rel: Mark, left: Delta | None, right: Delta, numbering: Numbering) -> tuple[Rel, Rel]:
    """old L|K and R|K."""
    met = _equated(rel)
    rows, partners, came = rel.left, rel.right, left
    if met:
        wanted = [Item(numbering.column("wanted"), reference(there)) for _, there in met]
        among = Shared("wanted_partners", "the keys whose partners change", Aggregate(right.rel, tuple(wanted), ()))
        here = _restrictions([number for number, _ in met], wanted)
        there = _restrictions([number for _, number in met], wanted)
        rows = restrict(rel.left, here, among, numbering)
        partners = Shared("partners_now", "their partners as they are", restrict(rel.right, there, among, numbering))
        came = None if left is None else Delta(restrict(left.rel, here, among, numbering), left.weight)
    if came is not None:
        rows = before(rows, came, numbering)
    return Shared("rows_before", "the rows whose partners change, as they were", rows), partners


def _restrictions(numbers: Sequence[int], wanted: Sequence[Item]) -> list[Restriction]:
    return [
        Restriction(reference(number), item.column, nullable=False)
        for number, item in zip(numbers, wanted, strict=True)
    ]


def _equated(rel: Mark) -> list[tuple[int, int]]:
    """Pairs of a column of the left and a column of the right that have to be equal."""
    here = _numbers(rel.left.columns)
    there = _numbers(rel.right.columns)
    pairs = trusted_equalities((rel.left, rel.right), rel.predicates)
    met = {(a, b) if a in here else (b, a) for a, b in pairs if {a, b} & here and {a, b} & there}
    return sorted(met)


def _numbers(columns: Sequence[Column]) -> set[int]:
    return {column.number for column in columns}
