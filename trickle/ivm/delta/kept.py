"""Δ(kept R) = the change that this very statement applies to the table R is kept in; old R is the table itself.

A relation that reads nothing but state tables has its old rows for the asking: they are read in place of the new ones,
and nothing has to be rebuilt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trickle.ivm.algebra.keeping import Kept, KeptBefore, KeptChange, KeptFirst
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Block, Copies, Rel
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
    if isinstance(rel, Copies):
        rows = as_found(rel.child)
        return None if rows is None else replace(rel, child=rows)
    if isinstance(rel, Block) and rel.inputs and rel.gate is None:
        found = all_as_found(rel.inputs)
        return None if found is None else replace(rel, inputs=found)
    return None


def all_as_found(rels: Sequence[Rel]) -> tuple[Rel, ...] | None:
    """The old rows of several relations, or None where those of one have to be rebuilt."""
    found = tuple(old for rel in rels if (old := as_found(rel)) is not None)
    return found if len(found) == len(rels) else None
