"""What has to be done now and then beside refreshes, when a child and the pool have room for it.

    prune    where something was refreshed lately; and now and then all buffers that are ours, which takes longer the
             more stream tables there are
    survey   every instance asks, more seldom where it takes longer; what another has looked at lately is not looked at
             again

Where refreshes use all that there is, they leave one place the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from psycopg import Connection

from trickle.clock import Clock
from trickle.supervisor import claims, observe
from trickle.supervisor.options import WorkerOptions
from trickle.supervisor.wake import Wake
from trickle.supervisor.work import Work

_NEVER = float("-inf")
# All buffers are looked at every `prune_seconds` in a database of so many stream tables, more seldom in larger ones.
_PRUNED_AT_ONCE = 250
# The same of surveys, which take less for each.
_SURVEYED_AT_ONCE = 5000


class Chores:
    """The chores of one instance."""

    def __init__(self, options: WorkerOptions, instance_id: str, work: Work, wake: Wake, clock: Clock) -> None:
        self._options = options
        self._instance_id = instance_id
        self._work = work
        self._wake = wake
        self._clock = clock
        self._kept = 0
        self._worked_on: set[int] = set()
        self._pruned_at = self._pruned_all_at = self._surveyed_at = _NEVER

    @property
    def kept(self) -> int:
        """How many places refreshes leave free for them."""
        return self._kept

    def worked_on(self, pgt_ids: Iterable[int]) -> None:
        """These were refreshed: what they have consumed may go."""
        self._worked_on.update(pgt_ids)

    def do(
        self, control: Connection[Any], members: Sequence[claims.Member], tables: int, room: Callable[[int], int]
    ) -> None:
        """Begin what is due; `room` says how many of so many jobs may begin."""
        now = self._clock.monotonic()
        if self._kept or now - self._pruned_at >= self._options.prune_seconds:
            self._prune(control, members, tables, room, now)
        if now - self._surveyed_at >= self._options.survey_seconds * max(1.0, tables / _SURVEYED_AT_ONCE):
            may_begin = room(1)
            self._kept = int(not may_begin)
            if may_begin and self._work.survey():
                self._surveyed_at = now

    def _prune(
        self,
        control: Connection[Any],
        members: Sequence[claims.Member],
        tables: int,
        room: Callable[[int], int],
        now: float,
    ) -> None:
        self._pruned_at = now
        is_whole = now - self._pruned_all_at >= self._options.prune_seconds * max(1.0, tables / _PRUNED_AT_ONCE)
        buffers = observe.read_buffers(control, None if is_whole else self._wake.captured(self._worked_on))
        ours = [b for b in buffers if claims.owner(b.source_id, members) == self._instance_id]
        self._kept = int(not self._work.prune(ours, now, room))
        if not self._kept:
            self._worked_on.clear()
            self._pruned_all_at = now if is_whole else self._pruned_all_at
