"""Operators that ask of a row whether it has a partner.

    Mark         each row of the left, and whether some row of the right makes every predicate true
    OuterJoin    the rows of the join, and each row without a partner beside NULLs

EXISTS, IN and their negations are a Mark below a filter. An outer join is a join and the rows that a Mark finds lonely:

    L ⟕ R  =  L ⋈ R  ⊎  σ_{not marked}(Mark(L, R)) × {NULL, …}
"""

from __future__ import annotations

from dataclasses import dataclass

from trickle.ivm.algebra.relations import Rel, require
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
