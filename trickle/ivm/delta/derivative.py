"""The derivative of a relation: one rule per operator, chosen by type.

A rule answers with the signed rows by which its output changes, or None when it can never change.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from trickle.errors import Ours
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Rel, Shared
from trickle.ivm.algebra.scalars import Column


@dataclass(frozen=True, slots=True)
class Delta:
    """Signed rows: the columns of the relation they change, and the column that holds their weight."""

    rel: Rel
    weight: Column


@singledispatch
def rule(rel: Rel, numbering: Numbering) -> Delta | None:
    """The delta rule of one operator; every file of this package registers its own."""
    raise Ours(f"no delta rule is registered for {type(rel).__name__}")


def derive(rel: Rel, numbering: Numbering) -> Delta | None:
    """Return how `rel` changes, or None when it cannot. A relation read in two places has one derivative."""
    return numbering.once(rel, lambda: rule(rel, numbering))


def shared(delta: Delta, name: str, law: str) -> Delta:
    """Compute a derivative once, however often it is read."""
    return Delta(Shared(name, law, delta.rel), delta.weight)


def _register_rules() -> None:
    import trickle.ivm.delta.aggregate
    import trickle.ivm.delta.block
    import trickle.ivm.delta.copies
    import trickle.ivm.delta.expand
    import trickle.ivm.delta.kept
    import trickle.ivm.delta.mark
    import trickle.ivm.delta.outer_join
    import trickle.ivm.delta.scan
    import trickle.ivm.delta.union_all
    import trickle.ivm.delta.wanted
    import trickle.ivm.delta.window  # noqa: F401


_register_rules()
