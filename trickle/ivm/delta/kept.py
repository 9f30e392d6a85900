"""Δ(kept R) = the change that this very statement applies to the table R is kept in; old R is the table itself.

A relation that reads nothing but state tables has its old rows for the asking: they are read in place of the new ones,
and nothing has to be rebuilt.
"""

from __future__ import annotations

from dataclasses import replace

from trickle.ivm.algebra.keeping import Kept, KeptBefore, KeptChange, KeptFirst
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Block, Rel
from trickle.ivm.delta.derivative import Delta, derive, rule


@rule.register
def _(rel: Kept, numbering: Numbering) -> Delta | None:
    if derive(rel.rel, numbering) is None:
        return None
    weight = numbering.column("__pgt_w")
    return Delta(KeptChange(rel, weight), weight)


@rule.register
def _(rel: KeptFirst, numbering: Numbering) -> Delta | None:
    return derive(rel.kept, numbering)


def as_found(rel: Rel) -> Rel | None:
    """The old rows of a relation that selects from state tables alone, or None where they have to be rebuilt."""
    if isinstance(rel, Kept):
        return KeptBefore(rel)
    if isinstance(rel, KeptFirst):
        return replace(rel, before=True)
    if isinstance(rel, Block) and rel.inputs and rel.gate is None:
        inputs = [as_found(i) for i in rel.inputs]
        found = tuple(i for i in inputs if i is not None)
        return replace(rel, inputs=found) if len(found) == len(inputs) else None
    return None
