"""Our part of the server's pool of refreshes: what we say of ourselves, what the others say, and what follows.

    lock session's name  pg_trickle_lock uses=2 wants=5 quota=0 most=4

Every session may read the names of all sessions of the server, whatever their database and role; nothing else of
theirs is visible to everybody. So no database has to be shared by all, and whoever dies gives back what he had at once.
Who wants more than it may use looks at once; who uses something looks every second, to give back what others are due.
What two have taken at the same moment both of them give back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from psycopg import Connection

from trickle.clock import Clock
from trickle.db.locks import LockSession
from trickle.scheduler.quota import Stake, is_too_much, settle
from trickle.sql import load

_WORDS = re.compile(r"pg_trickle_lock uses=(\d+) wants=(\d+) quota=(\d+) most=(\d+)")
_MOST_WANTS = 999  # a name has room for so many digits
# How often we look while we use something, and while we want more than there is.
LOOK_SECONDS = 1.0
RETRY_SECONDS = 0.1
# One refresh may begin without a look for so long after the last one, unless others wait.
WARM_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What the database says about the pool and its part of it."""

    pool: int = 4  # max_dynamic_refresh_workers
    most: int = 4  # max_concurrent_refreshes
    quota: int = 0  # per_database_worker_quota


class Pool:
    """The part of one instance."""

    def __init__(self, clock: Clock, database: str = "") -> None:
        self._clock = clock
        self._settings = PoolSettings()
        self._ours = Stake(0, database, 0, 0, 0, 1)
        self._goal = 0
        self._said = ""
        self._others_wait = False
        self._look_at = self._retry_at = self._used_at = float("-inf")

    @property
    def uses(self) -> int:
        """So many refreshes we may run."""
        return self._ours.uses

    @property
    def next_look(self) -> float | None:
        """When to look without being asked, in monotonic seconds; None while nothing is used or wanted."""
        if self._ours.wants > self._ours.uses:
            return self._retry_at
        return self._look_at if self._ours.uses else None

    @property
    def is_due(self) -> bool:
        """Whether the moment of the next look has come."""
        return self.next_look is not None and self._clock.monotonic() >= self.next_look

    def set(self, settings: PoolSettings, database: str) -> None:
        self._settings = settings
        self._ours = replace(self._ours, database=database, quota=settings.quota, most=settings.most)

    def forget(self) -> None:
        """The lock session is gone, and our word with it."""
        self._ours, self._goal = replace(self._ours, uses=0, wants=0), 0
        self._said = ""

    def room(self, locks: LockSession, control: Connection[Any] | None, running: int, wanted: int) -> int:
        """How many more refreshes may begin, when so many run and so many are wanted to run together."""
        now = self._clock.monotonic()
        if wanted:
            self._used_at = now
        if self.is_due or (wanted > self.uses and now >= self._retry_at):
            self._look_at, self._retry_at = now + LOOK_SECONDS, now + RETRY_SECONDS
            if control is not None:
                self._look(locks, control, running, wanted)
        return max(0, self._goal - running)

    def _look(self, locks: LockSession, control: Connection[Any], running: int, wanted: int) -> None:
        keeps_warm = self._clock.monotonic() - self._used_at < WARM_SECONDS and not self._others_wait
        wants = min(max(wanted, int(keeps_warm)), _MOST_WANTS)
        asked = replace(self._ours, session=locks.backend_pid, wants=wants)
        turn, others = look(control, locks.backend_pid)
        found = settle(asked, others, running, self._settings.pool, turn)
        settled = found.stake
        self._say(locks, settled)
        if settled.uses > self._ours.uses:
            _, others = look(control, locks.backend_pid)
            if is_too_much(settled, others, self._settings.pool):
                settled = replace(settled, uses=self._ours.uses)
                self._say(locks, settled)
        self._ours, self._goal = settled, min(found.goal, settled.uses)
        self._others_wait = any(stake.wants > stake.uses for stake in others)
        if settled.wants <= settled.uses:
            self._retry_at = float("-inf")

    def _say(self, locks: LockSession, stake: Stake) -> None:
        words = f"pg_trickle_lock uses={stake.uses} wants={stake.wants} quota={stake.quota} most={stake.most}"
        if words != self._said:
            locks.say(words)
            self._said = words


def look(control: Connection[Any], us: int) -> tuple[int, list[Stake]]:
    """The second it is on the server, and what the others say."""
    rows = control.execute(load("queries/pool_look")).fetchall()
    stakes = []
    for _, pid, database, words in rows:
        found = _WORDS.fullmatch(words or "")
        if found is not None and pid != us:
            uses, wants, quota, most = map(int, found.groups())
            stakes.append(Stake(int(pid), str(database), uses, wants, quota, most))
    return int(rows[0][0]), stakes
