"""The cold dispatcher: finds out which cold tenants have something to do, at little cost for those that have not.

    tenant of the home database       its bell rings, and its statistics change
    database on the home's server     its statistics change
    database elsewhere                is looked at every tick

A bell rings when a transaction commits that has called a function of jobs; the server's statistics, of which one
statement a tick reads those of all, tell of whatever was written, by hand for example. Both are only a reason to look,
and everything is looked at now and then without any. Looks at other databases run beside the loop, so many
at once; those that did not answer last time share a few places of their own, and never keep the others waiting.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping

from trickle.logs import event
from trickle.tenants.budget import database_of
from trickle.tenants.cold import Look, Watchlist
from trickle.tenants.home import Home
from trickle.tenants.metrics import SupervisorMetrics
from trickle.tenants.options import SupervisorOptions
from trickle.tenants.probing import probe_database, probe_schemas
from trickle.tenants.tenant import Tenant

log = logging.getLogger(__name__)

_DOUBTFUL_AT_ONCE = 2
_PER_TICK = 4  # comparisons of statistics, and turns for which the clock alone is the reason, at most

_Place = tuple[str, str]  # a schema of the home database, or a database beside it


class Dispatcher:
    """The cold tenants of one supervisor; `found` is called with each that has something to do."""

    def __init__(
        self, url: str, options: SupervisorOptions, metrics: SupervisorMetrics, found: Callable[[str], None]
    ) -> None:
        self._home_database = database_of(url)
        self._options = options
        self._metrics = metrics
        self._found = found
        self._beside = options.budget.beside
        self._watchlist = Watchlist(options.pace)
        self._tenants: Mapping[str, Tenant] = {}
        self._marks: Mapping[_Place, str] = {}
        self._turned = self._compared = float("-inf")
        self._sound = asyncio.Semaphore(options.probes_at_once)
        self._doubtful = asyncio.Semaphore(_DOUBTFUL_AT_ONCE)
        self._looks: dict[str, asyncio.Task[None]] = {}

    def next_due(self) -> float:
        """When there is something to look at next, or the statistics are."""
        tick = self._options.tick_seconds
        compare = self._compared + tick
        due = self._watchlist.next_due(self._looks)
        return max(self._turned + tick / _PER_TICK, compare if due is None else min(compare, due))

    @property
    def unreachable(self) -> int:
        return sum(cold.failures > 0 for cold in self._watchlist.tenants.values())

    def problem(self, tenant: str) -> str | None:
        """Why it could not be looked at the last time."""
        cold = self._watchlist.tenants.get(tenant)
        return None if cold is None or cold.problem is None else f"{cold.problem} ({cold.failures} times)"

    def rang(self, schema: str | None) -> None:
        """A schema of the home database rang; None: nothing was heard for a while, so any may have."""
        rung = [
            name
            for name, tenant in self._tenants.items()
            if schema is None or (tenant.schema == schema and self._is_at_home(tenant))
        ]
        self._watchlist.ring(rung, time.monotonic())

    async def turn(self, home: Home, cold: Mapping[str, Tenant], is_heard: bool) -> None:
        """These are cold: hold their bells, and look at those that are due. Raises psycopg.Error."""
        self._tenants = cold
        now = self._turned = time.monotonic()
        self._watchlist.keep(cold, now)
        await home.arm({tenant.schema for tenant in cold.values() if self._is_at_home(tenant)} if is_heard else ())
        await self._compare_writes(home, now)
        due = [cold[name] for name in self._watchlist.due(now, self._options.looks_per_tick) if name not in self._looks]
        at_home = [tenant for tenant in due if self._is_only_schema(tenant)]
        if at_home:
            looks = await probe_schemas(home, at_home)
            self._metrics.scan_seconds.observe(time.monotonic() - now)
            for tenant in at_home:
                self._looked(tenant, looks[tenant.schema])
        for tenant in due:
            if not self._is_only_schema(tenant):
                self._looks[tenant.id] = asyncio.create_task(self._look_elsewhere(tenant))

    async def close(self) -> None:
        """Give up what is under way."""
        for look in self._looks.values():
            look.cancel()
        await asyncio.gather(*self._looks.values(), return_exceptions=True)

    async def _compare_writes(self, home: Home, now: float) -> None:
        """Where the statistics have changed since the last time, something was written."""
        if now < self._compared + self._options.tick_seconds / _PER_TICK:
            return
        self._compared = now
        places = {name: self._place(tenant) for name, tenant in self._tenants.items()}
        before = self._marks
        marks: dict[_Place, str] = {}
        if any(place is not None and place[0] == "schema" for place in places.values()):
            marks |= {("schema", name): mark for name, mark in (await home.writes_by_schema()).items()}
        if any(place is not None and place[0] == "database" for place in places.values()):
            marks |= {("database", name): mark for name, mark in (await home.writes_by_database()).items()}
        self._marks = marks
        changed = (
            name for name, place in places.items() if place is not None and marks.get(place) != before.get(place)
        )
        self._watchlist.ring(changed, now)

    async def _look_elsewhere(self, tenant: Tenant) -> None:
        is_doubtful = self.problem(tenant.id) is not None
        try:
            async with self._doubtful if is_doubtful else self._sound:
                began = time.monotonic()
                look = await probe_database(tenant, self._options.probe_seconds, self._beside.of(tenant))
                self._metrics.scan_seconds.observe(time.monotonic() - began)
        finally:
            del self._looks[tenant.id]
        if self._tenants.get(tenant.id) == tenant:
            self._looked(tenant, look)

    def _looked(self, tenant: Tenant, look: Look) -> None:
        was_well = self.problem(tenant.id) is None
        self._metrics.scanned.inc()
        self._watchlist.looked(tenant.id, look, self._place(tenant) in self._marks, time.monotonic(), random.random())
        if look.problem is not None and was_well:
            event(log, logging.WARNING, "supervisor.probe_failed", tenant=tenant.id, error=look.problem)
        if look.has_work:
            self._found(tenant.id)

    def _is_at_home(self, tenant: Tenant) -> bool:
        return database_of(tenant.url) == self._home_database

    def _is_only_schema(self, tenant: Tenant) -> bool:
        """Whether it can be looked at from the home's session, with others in one statement."""
        return self._is_at_home(tenant) and not self._beside.of(tenant)

    def _place(self, tenant: Tenant) -> _Place | None:
        """What the home's server has statistics of."""
        server, database = database_of(tenant.url)
        if server != self._home_database[0]:
            return None
        return ("schema", tenant.schema) if self._is_only_schema(tenant) else ("database", database)
