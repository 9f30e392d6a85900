"""Queries that no other operator stands for.

    Opaque     the rows of a query block kept as PostgreSQL's own text, whose tables are its inputs

What such a block does with its inputs is not looked into. It is a function of them, which is enough for a derivative.
Where its value is not fixed by the bags it reads (the first rows of an order that is left open), `fragile` says so:
then only what is stored knows what it said before. Of a recursion more is known, which serves where it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from trickle.ivm.algebra.relations import Given, Rel
from trickle.ivm.algebra.scalars import Column, Scalar


@dataclass(frozen=True, slots=True)
class Recursion:
    """What is known of WITH RECURSIVE: R = base ⊎ step(R), where `step` reads R as `again`, once."""

    base: Rel
    step: Rel
    again: Given
    distinct: bool = False
    """UNION: R = base ∪ step(R)."""


@dataclass(frozen=True, slots=True)
class Opaque(Rel):
    """The rows of `query`, a block in parentheses in which a table called `#n` is input number n."""

    query: Scalar
    inputs: tuple[Rel, ...]
    """With columns called as the query calls them."""
    outputs: tuple[Column, ...]
    reason: str
    """Why no other operator stands for it."""
    fragile: str = ""
    settled: bool = False
    """An order that the user's query leaves open is completed in it."""
    recursion: Recursion | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.outputs
