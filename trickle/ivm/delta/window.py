"""Δω(C) = ω(C|K) − ω(old C|K)

A row moves every row of its partition after it, so whole partitions are computed in both states; rows that come out
alike cancel.
"""

from __future__ import annotations

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Rel
from trickle.ivm.algebra.windows import Window
from trickle.ivm.delta.derivative import Delta, rule
from trickle.ivm.delta.recomputed import recomputed


@rule.register
def _(rel: Window, numbering: Numbering) -> Delta | None:
    def windowed(rows: Rel) -> Rel:
        return Window(rows, rel.keys, rel.calls, rel.order)

    return recomputed(rel, rel.child, rel.keys, windowed, numbering)
