"""Things that belong together: every pair that is joined ends up in one part, with all that is joined to either."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class Partition(Generic[Item]):
    """Starts with every item alone (union-find)."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._above: dict[Item, Item] = {item: item for item in items}

    def join(self, items: Iterable[Item]) -> None:
        """Put all of these into one part."""
        first: Item | None = None
        for item in items:
            top = self._top(item)
            if first is None:
                first = top
            self._above[top] = first

    def parts(self) -> tuple[frozenset[Item], ...]:
        """Every item is in exactly one; the order is that in which the items were given."""
        found: dict[Item, set[Item]] = {}
        for item in self._above:
            found.setdefault(self._top(item), set()).add(item)
        return tuple(frozenset(part) for part in found.values())

    def _top(self, item: Item) -> Item:
        while (above := self._above[item]) != item:
            # Halving the path keeps later walks short.
            self._above[item] = self._above[above]
            item = above
        return item
