"""What a program keeps in tables of its own, because nothing cheaper serves.

    Kept         a part of the query whose rows a state table holds: the rows as they are now
    KeptBefore   the same rows as they were before this statement, which is what the table itself shows it
    KeptChange   by which signed rows the two differ
    KeptFirst    of the rows as they are now, or were, those that may be among the first of an order

A statement does not see what it writes. So the old rows cost nothing, and the new ones are the old ones without those
that the change touches, and with those that it brings.
"""

from __future__ import annotations

from dataclasses import dataclass

from trickle.ivm.algebra.relations import Rel
from trickle.ivm.algebra.scalars import Column, Scalar
from trickle.ivm.facts import ColumnFacts


@dataclass(frozen=True, slots=True)
class Kept(Rel):
    """The rows of `rel` now, from state table `number`; `facts` describes the table's columns, in their order."""

    number: int
    rel: Rel
    facts: tuple[ColumnFacts, ...]
    labels: tuple[str, ...]
    """What a program calls the table's columns; those of `rel` are called otherwise where it is read once more."""

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.rel.columns


@dataclass(frozen=True, slots=True)
class KeptBefore(Rel):
    """The rows of a state table as the statement finds them."""

    kept: Kept

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.kept.columns


@dataclass(frozen=True, slots=True)
class KeptChange(Rel):
    """The signed rows by which a state table changes: leaf of a derivative, as `Change` is for a captured table."""

    kept: Kept
    weight: Column

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.kept.columns, self.weight)


@dataclass(frozen=True, slots=True)
class KeptFirst(Rel):
    """The first `count` rows of a state table in the order of a window function's call, and all that tie with them."""

    kept: Kept
    order: Scalar
    count: int
    before: bool = False
    """Of the rows as they were."""

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.kept.columns
