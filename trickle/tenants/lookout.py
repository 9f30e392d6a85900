"""Looks after the stream tables and pipelines of a hot tenant: who works on them, and whether there is anything to do.

A look a second with a session of its own. Where there are stream tables, or pipelines, the companion for them begins;
and as long as one has something to do, or will have soon, the tenant is busy. A companion that ends unasked ends the
tenant's process with it: the supervisor notices, and makes the tenant hot again when it is time. One that says that it
can never work here is done without: the tenant's jobs have nothing to do with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection

from trickle.db.session import session_arguments
from trickle.logs import event
from trickle.supervisor.options import EXIT_CONFIGURATION
from trickle.tenants import wire
from trickle.tenants.companion import Companion, Role
from trickle.tenants.duties import look_of, read_duties
from trickle.tenants.kinds import Kinds

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_REST_SECONDS = 5.0  # after a look that has failed


class Lookout:
    """Of one tenant; `fell` is called when a companion has ended that should not have."""

    def __init__(self, plan: wire.Plan, companions: Sequence[Companion], fell: Callable[[], None]) -> None:
        self._plan = plan
        self._companions = companions
        self._kinds = Kinds(plan.refreshes, plan.pipelines)
        self._fell = fell
        self._ends = [asyncio.create_task(self._await_end(companion)) for companion in companions]
        self._looking = asyncio.create_task(self._look_again_and_again()) if companions else None
        self.is_busy = False
        self.problem: str | None = None

    def ask(self) -> None:
        """The companions to end; asked again, at once."""
        if self._looking is not None:
            self._looking.cancel()
        for companion in self._companions:
            companion.ask()

    async def ended(self) -> None:
        """Wait for the companions."""
        if self._looking is not None:
            self._looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._looking
        await asyncio.gather(*self._ends)

    async def _await_end(self, companion: Companion) -> None:
        code = await companion.ended()
        if companion.was_asked:
            return
        if code == EXIT_CONFIGURATION:
            what = "what should work for a tenant cannot: it has said why"
            event(log, logging.ERROR, what, tenant=self._plan.tenant.id, role=companion.role)
            self._kinds = self._kinds.without(companion.role)
        else:
            self.problem = f"what worked on its {companion.role} has ended with exit code {code}"
            self._fell()

    async def _look_again_and_again(self) -> None:
        failures = 0
        while True:
            try:
                arguments = session_arguments(self._plan.tenant.url, role="tenant_lookout")
                async with await AsyncConnection.connect(self._plan.tenant.url, autocommit=True, **arguments) as conn:
                    while True:
                        await self._look(conn)
                        failures = 0
                        await asyncio.sleep(_LOOK_SECONDS)
            except psycopg.Error as error:
                failures += 1
                self.is_busy = False
                if failures == 1:
                    what = "the stream tables and pipelines of a tenant cannot be looked at"
                    event(log, logging.WARNING, what, tenant=self._plan.tenant.id, error=str(error).strip())
            await asyncio.sleep(_REST_SECONDS)

    async def _look(self, conn: AsyncConnection[Any]) -> None:
        duties = await read_duties(conn, self._kinds)
        there = {Role.REFRESHES: duties.kinds.refreshes, Role.PIPELINES: duties.kinds.pipelines}
        for companion in self._companions:
            if there[companion.role]:
                companion.begin()
        look = look_of(duties)
        self.is_busy = look.has_work or (look.next_seconds is not None and look.next_seconds <= self._plan.idle_seconds)
