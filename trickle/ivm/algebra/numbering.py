"""Fresh column numbers: unique within one compilation, and the same in every compilation of the same query.

What is worked out once for a relation is remembered here as well, since its columns have their numbers for good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from trickle.ivm.algebra.scalars import Column

T = TypeVar("T")


class Numbering:
    """Hands out column numbers in the order they are asked for."""

    def __init__(self) -> None:
        self._last = 0
        self._known: dict[int, tuple[object, Any]] = {}

    def column(self, name: str) -> Column:
        """Return a new column called `name`."""
        self._last += 1
        return Column(self._last, name)

    def like(self, column: Column) -> Column:
        """Return a new column with the name of another."""
        return self.column(column.name)

    def once(self, about: object, make: Callable[[], T]) -> T:
        """Return what `make` answered when it was first asked about this very object."""
        if id(about) not in self._known:
            self._known[id(about)] = (about, make())
        found: T = self._known[id(about)][1]
        return found
