"""What is read of a query block that may be tied to the row of a query around it."""

from __future__ import annotations

from dataclasses import dataclass

from trickle.ivm.algebra.relations import Call, Rel
from trickle.ivm.algebra.scalars import Scalar


@dataclass(frozen=True, slots=True)
class Tied:
    """The rows of a block, the conditions that tie them to the row outside, and its named outputs."""

    rel: Rel
    ties: tuple[Scalar, ...]
    outputs: tuple[tuple[str, Scalar], ...]
    calls: tuple[Call, ...] = ()
    """Aggregate calls, when all rows tied to a row outside are one group: also over no rows it has one row."""

    @property
    def targets(self) -> tuple[Scalar, ...]:
        """The outputs without their names."""
        return tuple(value for _, value in self.outputs)
