"""An aggregate inside a query has no rule yet; at the root it is folded or recomputed by key (see program)."""

from __future__ import annotations

from trickle.errors import Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Aggregate
from trickle.ivm.delta.derive import Delta, derive


@derive.register
def _(rel: Aggregate, numbering: Numbering) -> Delta | None:
    raise Unsupported("an aggregate or DISTINCT below another operator has no delta rule yet")
