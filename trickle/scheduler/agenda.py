"""What is to be looked at: at once, because something happened, or at a moment that was named."""

from __future__ import annotations

import heapq
from collections.abc import Iterable


class Agenda:
    """Stays with whatever is on it until that is sent to rest."""

    def __init__(self, items: Iterable[int] = ()) -> None:
        self._now = set(items)
        self._until: dict[int, float] = {}
        self._alarms: list[tuple[float, int]] = []

    def add(self, items: Iterable[int]) -> None:
        """Something happened to these."""
        for item in items:
            self._now.add(item)
            self._until.pop(item, None)

    def rest(self, item: int, until: float) -> None:
        """Nothing is to be done about this one before that moment, unless something happens to it."""
        self._now.discard(item)
        self._until[item] = until
        heapq.heappush(self._alarms, (until, item))

    def drop(self, item: int) -> None:
        """Not to be looked at before something happens to it."""
        self._now.discard(item)
        self._until.pop(item, None)

    def due(self, now: float) -> tuple[int, ...]:
        """All that is to be looked at now, in order."""
        while self._alarms and self._alarms[0][0] <= now:
            until, item = heapq.heappop(self._alarms)
            # An alarm that was set before something happened rings in vain.
            if self._until.get(item) == until:
                del self._until[item]
                self._now.add(item)
        return tuple(sorted(self._now))
