"""Operators that ask of a row whether it has a partner.

    Mark         each row of the left, and whether some row of the right makes every predicate true
    OuterJoin    the rows of the join, and each row without a partner beside NULLs
    Wanted       groups of which only those matter that some row of another relation meets

EXISTS, IN and their negations are a Mark below a filter. An outer join is a join and the rows that a Mark finds lonely:

    L ⟕ R  =  L ⋈ R  ⊎  σ_{not marked}(Mark(L, R)) × {NULL, …}
"""

from __future__ import annotations

from dataclasses import dataclass

from trickle.ivm.algebra.relations import Aggregate, Rel, require
from trickle.ivm.algebra.scalars import Column, Scalar


@dataclass(frozen=True, slots=True)
class Mark(Rel):
    """All rows and columns of `left`, with the column `mark`: true or false, never NULL."""

    left: Rel
    right: Rel
    predicates: tuple[Scalar, ...]
    mark: Column

    def __post_init__(self) -> None:
        require(self.predicates, (self.left, self.right))

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.left.columns, self.mark)


@dataclass(frozen=True, slots=True)
class OuterJoin(Rel):
    """LEFT JOIN; with `full` the rows of the right that have no partner stand in it as well."""

    left: Rel
    right: Rel
    predicates: tuple[Scalar, ...]
    full: bool = False

    def __post_init__(self) -> None:
        require(self.predicates, (self.left, self.right))

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.left.columns + self.right.columns


@dataclass(frozen=True, slots=True)
class Wanted(Rel):
    """The rows of `groups`. Nobody looks at those that no row of `among` meets, now or before: they may be wrong."""

    groups: Aggregate
    among: Rel
    predicates: tuple[Scalar, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.groups.columns
