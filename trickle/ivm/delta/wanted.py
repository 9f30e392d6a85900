"""Of the groups that a change touches, only those are computed that some row meets, or met.

    L ⟕ γ(C):   K = K(ΔC) ⋉ (L ⊎ |ΔL|)

A change of a thousand orders touches the totals of a thousand parts. Where the totals are asked for of ten parts alone,
the other groups are not read.
"""

from __future__ import annotations

from dataclasses import replace

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.pairing import Wanted
from trickle.ivm.algebra.relations import Rel, Shared, UnionAll
from trickle.ivm.algebra.scalars import reference
from trickle.ivm.delta.asked import Partners, asked, met
from trickle.ivm.delta.derivative import Delta, derive, rule
from trickle.ivm.delta.recomputed import recomputed
from trickle.ivm.delta.restrict import Restriction, equated_to, restrict


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
    equated = equated_to(frozenset(keys), rel.among, rel.predicates)
    if not equated:
        return touched
    partners = {partner: keys[number] for number, partner in equated.items()}
    few = asked(touched, rel.among, partners, numbering)
    change = derive(rel.among, numbering)
    came = [] if change is None else [change.rel] if few is touched else _near(change.rel, few, partners, numbering)
    kept = met(few, [rel.among, *came], partners, numbering)
    return Shared("touched_and_met", "those of the touched keys that are asked for", kept)


def _near(change: Rel, keys: Rel, partners: Partners, numbering: Numbering) -> list[Rel]:
    """The terms of a change, as far as they meet one of the keys."""
    restrictions = [Restriction(reference(number), key, nullable=False) for number, key in partners.items()]
    terms: tuple[Rel, ...] = (change,)
    if isinstance(change, UnionAll) and all(branch.columns == change.columns for branch in change.branches):
        terms = change.branches
    return [restrict(term, restrictions, keys, numbering) for term in terms]
