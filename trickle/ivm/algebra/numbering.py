"""Fresh column numbers: unique within one compilation, and the same in every compilation of the same query.

What is worked out once for a relation is remembered here as well, since its columns have their numbers for good; and
what a derivative may assume: tables that stand still, and that only the transaction's own changes count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from trickle.ivm.algebra.scalars import Column

T = TypeVar("T")
STORED = 0
"""In place of an oid: a table that the program itself keeps, read as the statement finds it."""


class Numbering:
    """Hands out column numbers in the order they are asked for."""

    def __init__(self, last: int = 0, still: frozenset[int] = frozenset(), *, own: bool = False) -> None:
        self._last = last
        self._known: dict[int, tuple[object, Any]] = {}
        self.still = still | {STORED}
        """Oids of the tables that are assumed not to change."""
        self.own = own
        """Only what the transaction itself has written counts as a change."""

    def assuming_still(self, oids: Iterable[int]) -> Numbering:
        """Return a numbering that goes on from here, for another derivation of the same relation."""
        return Numbering(self._last, frozenset(oids), own=self.own)

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
