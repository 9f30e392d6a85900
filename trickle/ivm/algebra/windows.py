"""Window functions.

    Window     each row of the child, and the values that functions compute over the rows of its partition

The functions of one Window share a partition. Where a value depends on the order of rows that their ORDER BY leaves
open, `order` says which function's order counts: rows are read in that order, completed by their image.
"""

from __future__ import annotations

from dataclasses import dataclass

from trickle.ivm.algebra.relations import Call, Item, Rel, require
from trickle.ivm.algebra.scalars import Column, Scalar


@dataclass(frozen=True, slots=True)
class Window(Rel):
    """All rows and columns of `child`, with the value of each call; `keys` copy the columns of PARTITION BY."""

    child: Rel
    keys: tuple[Item, ...]
    calls: tuple[Call, ...]
    order: Scalar | None = None
    """A call of a window function whose PARTITION BY and ORDER BY the rows are sorted by before they are read."""

    def __post_init__(self) -> None:
        read = [*(key.value for key in self.keys), *(call.value for call in self.calls)]
        require([*read, *([self.order] if self.order is not None else [])], (self.child,))

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.child.columns, *(call.column for call in self.calls))
