"""Fresh column numbers: unique within one compilation, and the same in every compilation of the same query."""

from __future__ import annotations

from trickle.ivm.algebra.scalars import Column


class Numbering:
    """Hands out column numbers in the order they are asked for."""

    def __init__(self) -> None:
        self._last = 0

    def column(self, name: str) -> Column:
        """Return a new column called `name`."""
        self._last += 1
        return Column(self._last, name)

    def like(self, column: Column) -> Column:
        """Return a new column with the name of another."""
        return self.column(column.name)
