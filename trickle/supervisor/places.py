"""How many jobs may begin now: our children, our part of the server's pool, and one at a time where that is wanted."""

from __future__ import annotations

from trickle.clock import Clock
from trickle.supervisor.crew import Crew
from trickle.supervisor.link import ServerLink, is_lost
from trickle.supervisor.observe import DatabaseSettings
from trickle.supervisor.pool import Pool, PoolSettings


class Places:
    """The places of one instance, as its database's settings and the others leave them."""

    def __init__(self, children: int, crew: Crew, link: ServerLink, clock: Clock) -> None:
        self._children = children
        self._crew = crew
        self._link = link
        self._mode = DatabaseSettings().parallel_refresh_mode
        self.pool = Pool(clock)

    @property
    def is_dry_run(self) -> bool:
        """Whether it is told what would be given out together."""
        return self._mode == "dry_run"

    def set(self, said: DatabaseSettings) -> None:
        """Follow the settings of the database."""
        self._mode = said.parallel_refresh_mode
        settings = PoolSettings(
            pool=said.max_dynamic_refresh_workers or max(PoolSettings().pool, self._children),
            most=said.max_concurrent_refreshes or max(PoolSettings().most, self._children),
            quota=said.per_database_worker_quota,
        )
        self.pool.set(settings, self._link.database.name if self._link.database else "")

    def room(self, more: int) -> int:
        """How many more jobs may begin, of so many."""
        locks, running = self._link.locks, len(self._crew.jobs)
        if locks is None:
            return 0
        control = None if is_lost(self._link.control) else self._link.control
        most = self._children if self._mode == "on" else 1
        return min(self.pool.room(locks, control, running, min(running + more, most)), max(0, most - running))
