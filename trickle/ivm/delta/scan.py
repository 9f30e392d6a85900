"""Δ(T) = the signed rows captured from T that the statement sees and the frontier did not.

An UPDATE was captured as a −1 row and a +1 row; a row that came and went cancels. A table that is assumed to stand
still has no change.
"""

from __future__ import annotations

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Change, Scan
from trickle.ivm.delta.derivative import Delta, rule


@rule.register
def _(rel: Scan, numbering: Numbering) -> Delta | None:
    if rel.table.oid in numbering.still:
        return None
    weight = numbering.column("__pgt_w")
    return Delta(Change(rel, weight, own=numbering.own), weight)
