"""How long refreshes take, and what follows from it.

    latest start  =  first change that is not shown yet + deadline − 1.5 × what a refresh takes − a tick
    stretch       =  doubled, to 8 at most, by a refresh that takes 95 % of its period; 1 again after one in time

A stream table with a deadline is refreshed when its schedule says so, and no later than its latest start. One that
cannot keep its schedule is refreshed less often, so that it does not take the others' turns.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

_MARGIN = 1.5
_TOO_LONG = 0.95
_LONGEST_STRETCH = 8
# What a refresh takes is the longest of the last ones; an old one counts less with every new one.
_FADES = 0.8


@dataclass(slots=True)
class Pace:
    """What an instance has measured, by stream table; moments and durations in seconds, moments monotonic."""

    _took: dict[int, float] = field(default_factory=dict)
    _changed_at: dict[int, float] = field(default_factory=dict)
    _stretch: dict[int, int] = field(default_factory=dict)

    def changed(self, pgt_id: int, at: float) -> None:
        """It has something to show; nothing new when that was known."""
        self._changed_at.setdefault(pgt_id, at)

    def refreshed(self, pgt_id: int, seconds: float, period: float | None) -> None:
        """A refresh has shown all that there was, and took so long; its period, where it has one, before stretching."""
        self._changed_at.pop(pgt_id, None)
        self._took[pgt_id] = max(seconds, self._took.get(pgt_id, 0.0) * _FADES)
        if period is None or seconds < _TOO_LONG * period:
            self._stretch.pop(pgt_id, None)
        else:
            self._stretch[pgt_id] = min(2 * self.stretch(pgt_id), _LONGEST_STRETCH)

    def stretch(self, pgt_id: int) -> int:
        """By how much its period is multiplied."""
        return self._stretch.get(pgt_id, 1)

    def latest_start(self, pgt_id: int, deadline_seconds: float | None, tick_seconds: float) -> float:
        """When it has to start, if it is looked at every so often; infinity without a promise or without news."""
        since = self._changed_at.get(pgt_id)
        if deadline_seconds is None or since is None:
            return float("inf")
        return since + max(0.0, deadline_seconds - _MARGIN * self._took.get(pgt_id, 0.0) - tick_seconds)

    def keep_only(self, known: Set[int]) -> None:
        """Forget all others."""
        memories: tuple[dict[int, Any], ...] = (self._took, self._changed_at, self._stretch)
        for memory in memories:
            for gone in memory.keys() - known:
                del memory[gone]
