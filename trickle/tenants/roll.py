"""The roll of tenants: all that are listed, those that are ours, and whether their servers have enough connections."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from trickle.errors import ConfigurationError
from trickle.logs import event
from trickle.supervisor.claims import Member, assign
from trickle.tenants import budget
from trickle.tenants.home import Home
from trickle.tenants.listing import Listing, compare
from trickle.tenants.options import SupervisorOptions
from trickle.tenants.probing import limits_of
from trickle.tenants.tenant import Tenant

log = logging.getLogger(__name__)

_ASKING_SECONDS = 60.0  # between two attempts to learn what a server has


class Roll:
    """Read anew now and then; `gone` is called with each tenant that must not be hot here any more."""

    def __init__(self, read: Listing, options: SupervisorOptions, gone: Callable[[str], None]) -> None:
        self._read = read
        self._options = options
        self._gone = gone
        self._next_reading = 0.0
        self._asking: asyncio.Task[None] | None = None
        self._next_asking = 0.0
        self._limits: dict[str, int] = {}  # connections, by server
        self._shared: object = None
        self._wanted: dict[str, int] = {}  # connections, by server
        self.members: Sequence[int] = ()  # sessions of all live supervisors
        self.listed: Mapping[str, Tenant] = {}  # all that may be hot, whoever's they are
        self.ours: Mapping[str, Tenant] = {}

    @property
    def budget_ratio(self) -> float:
        """Of the connections of a server, what the hot tenants of all supervisors together may take."""
        return budget.ratio(self._wanted, self._limits, max(1, len(self.members)))

    async def turn(self, home: Home) -> None:
        """Read the list when it is time, and share it. Raises psycopg.Error, ConfigurationError when it cannot work."""
        now = time.monotonic()
        if now >= self._next_reading:
            self._next_reading = now + self._options.list_seconds
            await self._read_list(home, now)
        self._share(await home.members(), home.backend_pid)

    async def _read_list(self, home: Home, now: float) -> None:
        try:
            found = {tenant.id: tenant for tenant in await self._read(home)}
        except (ConfigurationError, OSError) as error:
            event(log, logging.WARNING, "the list of tenants stays as it was", error=str(error))
            return
        change = compare(self.listed, found)
        if change.gone or self.listed.keys() != change.there.keys():
            event(log, logging.INFO, "tenants listed", tenants=len(change.there), left=len(change.gone))
            self.listed = change.there
            for tenant in sorted(change.gone):
                self._gone(tenant)
        await self._weigh(now)

    async def _weigh(self, now: float) -> None:
        """Compare what hot tenants may take with what their servers have; later ones are asked beside the loop."""
        self._wanted = budget.most_on_each(self._options.budget, (tenant.url for tenant in self.listed.values()))
        if self._asking is None:
            await self._ask()
            budget.assert_possible(self._options.budget, self._wanted, self._limits)
        if now >= self._next_asking and (self._asking is None or self._asking.done()):
            self._next_asking = now + _ASKING_SECONDS
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        urls = {budget.server_of(tenant.url): tenant.url for tenant in self.listed.values()}
        unknown = {server: url for server, url in urls.items() if server not in self._limits}
        if unknown:
            self._limits |= await limits_of(unknown, self._options.probe_seconds)

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    def _share(self, members: Sequence[int], us: int) -> None:
        """Which are ours among all supervisors of the group: computed by each from the same facts."""
        seen = (tuple(members), us, id(self.listed))
        if seen == self._shared:
            return
        self._shared = seen
        self.members = members
        by_key: dict[int, list[str]] = {}
        for name, found in self.listed.items():
            by_key.setdefault(found.key, []).append(name)
        owners = assign(by_key.keys(), [Member(str(pid)) for pid in members])
        mine = {name for key, names in by_key.items() if owners.get(key) == str(us) for name in names}
        before, self.ours = self.ours, {name: self.listed[name] for name in sorted(mine)}
        for tenant in sorted(before.keys() - mine):
            self._gone(tenant)
