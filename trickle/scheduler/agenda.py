"""Which stream tables are worth a look now: those to which something happened, and those whose time has come.

A look at all of them at every turn would cost ten thousand judgements where one stream table has something to do.
So whoever was judged and has to wait is put to sleep, until something happens to it or until a moment that the judge
named. Waking one too often costs a judgement; one that is never woken is never refreshed, so every moment is bounded.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable


class Agenda:
    """The stream tables of one database, awake or asleep; moments are monotonic seconds."""

    def __init__(self) -> None:
        self._awake: set[int] = set()
        self._asleep: list[tuple[float, int]] = []
        self._owned: frozenset[int] = frozenset()

    def wake(self, pgt_ids: Iterable[int]) -> None:
        """Something happened to these."""
        self._awake.update(pgt_ids)

    def sleep(self, pgt_id: int, until: float) -> None:
        """Nothing is to be done for it before that moment, unless something happens."""
        self._awake.discard(pgt_id)
        if until < math.inf:
            heapq.heappush(self._asleep, (until, pgt_id))

    def due(self, owned: frozenset[int], now: float) -> set[int]:
        """Those of ours that are to be judged now. What has just become ours is always among them."""
        while self._asleep and self._asleep[0][0] <= now:
            self._awake.add(heapq.heappop(self._asleep)[1])
        if owned is not self._owned:
            self._awake |= owned - self._owned
            self._owned = owned
        self._awake &= owned
        return set(self._awake)
