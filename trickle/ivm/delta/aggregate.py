"""Δγ(C) = γ(C|K) − γ(old C|K)

Inside a query an aggregate keeps no state: the groups that its input's change touches are computed in both states.
"""

from __future__ import annotations

from dataclasses import replace

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Aggregate, Rel
from trickle.ivm.delta.derivative import Delta, rule
from trickle.ivm.delta.recomputed import recomputed


@rule.register
def _(rel: Aggregate, numbering: Numbering) -> Delta | None:
    def grouped(rows: Rel) -> Rel:
        return replace(rel, child=rows)

    return recomputed(rel, rel.child, rel.keys, grouped, numbering)
