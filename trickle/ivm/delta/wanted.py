"""Of the groups that a change touches, only those are computed that some row meets, or met.

    L ⟕ γ(C):   K = K(ΔC) ⋉ (L ⊎ |ΔL|)

A change of a thousand orders touches the totals of a thousand parts. Where the totals are asked for of ten parts alone,
the other groups are not read.
"""

from __future__ import annotations

from dataclasses import replace

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.pairing import Mark, Wanted
from trickle.ivm.algebra.relations import Block, Item, Rel, Shared, UnionAll, copy_of
from trickle.ivm.algebra.scalars import expression, reference
from trickle.ivm.delta.derivative import Delta, derive, rule
from trickle.ivm.delta.recomputed import recomputed
from trickle.ivm.delta.restrict import equated_to


@rule.register
def _(rel: Wanted, numbering: Numbering) -> Delta | None:
    groups = rel.groups

    def grouped(rows: Rel) -> Rel:
        return replace(groups, child=rows)

    def asked_for(touched: Rel) -> Rel:
        return _met(rel, touched, numbering)

    return recomputed(groups, groups.child, groups.keys, grouped, numbering, asked_for)


def _met(rel: Wanted, touched: Rel, numbering: Numbering) -> Rel:
    """The touched keys, in the order of the group's keys, that a row of `among` meets or met."""
    keys = {key.column.number: column for key, column in zip(rel.groups.keys, touched.columns, strict=True)}
    met = equated_to(frozenset(keys), rel.among, rel.predicates)
    if not met:
        return touched
    names = {column.number: column for column in rel.among.columns}
    outputs = tuple(numbering.like(names[number]) for number in met.values())
    change = derive(rel.among, numbering)
    rows = [rel.among] if change is None else [rel.among, change.rel]
    items = tuple(Item(output, reference(number)) for output, number in zip(outputs, met.values(), strict=True))
    arms = tuple(Block((found,), (), items) for found in rows)
    partners = arms[0] if len(arms) == 1 else UnionAll(arms, outputs)
    tests = tuple(
        expression("a = b", a=reference(keys[number]), b=reference(output))
        for number, output in zip(met, outputs, strict=True)
    )
    mark = numbering.column("wanted")
    marked = Mark(touched, partners, tests, mark)
    kept = Block((marked,), (reference(mark),), tuple(copy_of(column) for column in touched.columns))
    return Shared("touched_and_met", "those of the touched keys that are asked for", kept)
