"""Set-returning functions.

Expand     each row of the child beside the rows that functions of it return, as ROWS FROM puts them together
"""

from __future__ import annotations

from dataclasses import dataclass

from trickle.ivm.algebra.relations import Rel, require
from trickle.ivm.algebra.scalars import Column, Scalar


@dataclass(frozen=True, slots=True)
class Expand(Rel):
    """Rows of `child`, each as often as its functions return rows; with `kept` at least once, beside NULLs."""

    child: Rel
    functions: tuple[Scalar, ...]
    outputs: tuple[Column, ...]
    """The columns of all functions in order, and the ordinality, if there is one, at the end."""
    ordinality: bool = False
    kept: bool = False

    def __post_init__(self) -> None:
        require(self.functions, (self.child,))

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.child.columns + self.outputs
