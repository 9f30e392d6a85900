"""The supervisor: makes tenants hot that have something to do, and cold again when they have not.

    roll ──ours──▶ dispatcher ──has something to do──▶ stage ──▶ process of the tenant
                       ▲                                 │
                       └────────── cold again ◀──────────┘

A turn of its loop reads the roll when it is time, tells the home database that it lives, and lets the dispatcher look.
While the home database cannot be reached, hot tenants go on, and no other becomes hot.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection

from trickle.clock import backoff_seconds
from trickle.db.listener import Listener
from trickle.db.session import session_arguments
from trickle.errors import ConfigurationError, NotFound, Refused, TryAgain
from trickle.jobs.enqueue import enqueue_async
from trickle.logs import event
from trickle.supervisor.http import Board
from trickle.tenants.companion import PRELOADED
from trickle.tenants.dispatcher import Dispatcher
from trickle.tenants.explaining import explain
from trickle.tenants.home import TENANT_CHANNEL, WORD_CHANNEL, Home
from trickle.tenants.listing import Listing
from trickle.tenants.metrics import SupervisorMetrics
from trickle.tenants.nursery import Nursery
from trickle.tenants.options import SupervisorOptions
from trickle.tenants.places import Why
from trickle.tenants.report import Report
from trickle.tenants.roll import Roll
from trickle.tenants.stage import HotTenant, Stage
from trickle.tenants.tenant import Tenant

log = logging.getLogger(__name__)

_PROMOTE = "promote"
_DEMOTE = "demote"
_LEAST_PAUSE_SECONDS = 0.01


class TenantJobSupervisor:
    """Runs the jobs of many tenants, and their stream tables and pipelines, each tenant's in processes of its own while
    it has something to do."""

    def __init__(
        self,
        url: str,
        tenants: Listing,
        modules: Sequence[str],
        options: SupervisorOptions | None = None,
        metrics: SupervisorMetrics | None = None,
    ) -> None:
        self._options = options or SupervisorOptions()
        beside = self._options.budget.beside
        if not modules and not beside:
            raise ConfigurationError(
                "a supervisor without handlers", hint="name the modules that register them, or have refreshes run"
            )
        self._url = url
        self.metrics = metrics or SupervisorMetrics()
        self._report = Report(self._options, self.metrics)
        self._wake = asyncio.Event()
        self._nursery = Nursery(modules, self._options.log_format, self._options.log_level, PRELOADED if beside else ())
        self._stage = Stage(self._options, self.metrics, self._nursery, self._wake.set)
        self._roll = Roll(tenants, self._options, lambda tenant: self._stage.dismiss(tenant, Why.SHUTDOWN))
        self._dispatcher = Dispatcher(url, self._options, self.metrics, self._found)
        self._ear = Listener(url, "supervisor_bell", (TENANT_CHANNEL, WORD_CHANNEL), self._heard)
        self._was_home = False
        self._next_word = 0.0
        self._ended = asyncio.Event()

    @property
    def board(self) -> Board:
        """What the health paths say."""
        return self._report.board

    async def promote(self, tenant: str, reason: str = "manual") -> None:
        """Make a tenant hot; returns when it is, or when the supervisor that looks after it has been told.

        Raises:
            NotFound: there is no such tenant, or it is suspended.
            TryAgain: it could not become hot; the log says why.
        """
        found = self._tenant(tenant)
        if tenant in self._roll.ours:
            await self._stage.become_hot(found, Why(reason))
        else:
            await self._tell(f"{_PROMOTE} {tenant}")

    async def demote(self, tenant: str) -> None:
        """Make a tenant cold; it finishes what it has in hand.

        Raises:
            TryAgain: it is not hot here, and the others cannot be told.
        """
        if tenant in self._stage.pool.places:
            self._stage.dismiss(tenant, Why.EVICTION)
        else:
            await self._tell(f"{_DEMOTE} {tenant}")

    def list_hot(self) -> list[HotTenant]:
        """The tenants with a place here, the oldest first."""
        return self._stage.list_hot()

    async def enqueue(
        self, tenant: str, queue: str, data: Mapping[str, object] | None = None, **options: Any
    ) -> int | None:
        """Put a job into a queue of a tenant, with the tenant's id in its payload, and make the tenant hot.

        `options` are those of `trickle.enqueue`. Returns the job's id; None where its singleton key is taken.

        Raises:
            NotFound: there is no such tenant, or it is suspended.
        """
        return await self._enqueue(self._tenant(tenant), queue, data, Why.ENQUEUE, options)

    async def fanout(self, queue: str, data: Mapping[str, object] | None = None, **options: Any) -> int:
        """The same for every tenant; how many jobs were made. Tenants that cannot be reached are logged."""
        made = 0
        for tenant in list(self._roll.listed.values()):
            try:
                made += await self._enqueue(tenant, queue, data, Why.FANOUT, options) is not None
            except psycopg.Error as error:
                event(log, logging.WARNING, "supervisor.fanout_failed", tenant=tenant.id, error=str(error).strip())
        return made

    def explain(self, tenant: str) -> str:
        """Why a tenant does not run, or that it does, in one sentence."""
        return explain(tenant, self._roll, self._stage, self._dispatcher)

    async def stop(self, graceful: bool = True) -> None:
        """End: promotions under way are awaited, jobs in hand may end; not graceful, they are handed back at once."""
        self.request_stop(graceful)
        await self._ended.wait()

    def request_stop(self, graceful: bool = True) -> None:
        """The same without waiting for the end; asked a second time it does not wait for jobs either."""
        self._report.stopping()
        self._stage.request_stop(is_hard=not graceful)

    async def run(self) -> None:
        """Until stopped.

        Raises:
            Refused: the home database cannot be used.
            ConfigurationError: the servers have too few connections, or the handlers cannot be imported.
        """
        await self._nursery.start()
        hearing = asyncio.create_task(self._ear.run())
        failures = 0
        try:
            while not self._stage.pool.is_finished:
                self._wake.clear()
                try:
                    await self._turn()
                    failures = 0
                except (psycopg.Error, Refused) as error:
                    if isinstance(error, Refused) and not self._was_home:
                        raise
                    await self._lose_home(error, failures)
                    failures += 1
                self._stage.tick()
                self._report.publish(self._roll, self._stage, self._dispatcher)
                await self._rest(self._pause(failures))
        finally:
            hearing.cancel()
            await self._dispatcher.close()
            await self._roll.close()
            await self._stage.close()
            self._nursery.close()
            if self._stage.home is not None:
                await self._stage.home.close()
            self._report.close()
            self._ended.set()

    async def _turn(self) -> None:
        if self._stage.pool.is_stopping:
            return
        home = await self._open_home()
        await self._roll.turn(home)
        await self._say(home)
        cold = {name: tenant for name, tenant in self._roll.ours.items() if name not in self._stage.pool.places}
        await self._dispatcher.turn(home, cold, self._ear.is_open)

    async def _open_home(self) -> Home:
        if self._stage.home is not None:
            return self._stage.home
        home = await Home.open(self._url, self._options.group_id)
        self._was_home = True
        self._next_word = 0.0
        event(log, logging.INFO, "supervisor joined", group=self._options.group_id, session=home.backend_pid)
        await self._stage.reclaim(home)
        return home

    async def _say(self, home: Home) -> None:
        """That we live, for the others and for whoever looks; and who has not said so for long does not."""
        now = time.monotonic()
        if now < self._next_word:
            return
        self._next_word = now + self._options.say_seconds
        await home.say(
            host=socket.gethostname(),
            process=os.getpid(),
            most=self._options.budget.hot_pool_max,
            tenants=len(self._roll.ours),
            waiting=len(self._stage.pool.waiting),
        )
        for session in await home.end_silent(self._roll.members, self._options.silent_seconds):
            event(log, logging.WARNING, "supervisor.silent", session=session)

    async def _lose_home(self, error: Exception, failures: int) -> None:
        if self._stage.home is not None:
            await self._stage.home.close()
        self._stage.home = None
        if failures == 0:
            what = "the home database cannot be reached: hot tenants go on, and no other becomes hot"
            event(log, logging.WARNING, what, error=str(error).strip())

    def _pause(self, failures: int) -> float:
        """Seconds until the clock itself asks for a turn."""
        if failures:
            return backoff_seconds(failures, base=0.2, cap=5.0, draw=random.random())
        now = time.monotonic()
        pool = self._stage.pool
        look = None if pool.is_stopping else self._dispatcher.next_due()
        moments = (now + self._options.tick_seconds, pool.next_moment(), look)
        return max(_LEAST_PAUSE_SECONDS, min(moment for moment in moments if moment is not None) - now)

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _heard(self, channel: str, payload: str | None) -> None:
        """A schema has rung, somebody has a word for us, or we were deaf for a while."""
        word, _, tenant = (payload or "").partition(" ")
        if channel == TENANT_CHANNEL:
            self._dispatcher.rang(payload)
        elif word == _PROMOTE and tenant in self._roll.ours:
            self._stage.want(self._roll.ours[tenant], Why.MANUAL)
        elif word == _DEMOTE:
            self._stage.dismiss(tenant, Why.EVICTION)
        self._wake.set()

    def _found(self, tenant: str) -> None:
        """The dispatcher has found something to do."""
        if tenant in self._roll.ours and tenant not in self._stage.pool.waiting:
            self.metrics.promotions.inc()
            self._stage.want(self._roll.ours[tenant], Why.COLD_DISPATCH)

    def _tenant(self, tenant: str) -> Tenant:
        found = self._roll.listed.get(tenant)
        if found is None:
            raise NotFound(f"there is no tenant {tenant!r} that may be hot", hint="trickle supervisor tenants")
        return found

    async def _tell(self, word: str) -> None:
        """Whoever looks after a tenant."""
        if self._stage.home is None:
            raise TryAgain("the home database cannot be reached")
        await self._stage.home.tell(word)

    async def _enqueue(
        self, tenant: Tenant, queue: str, data: Mapping[str, object] | None, why: Why, options: dict[str, Any]
    ) -> int | None:
        key = self._options.tenant_key
        payload = {**(data or {}), **({key: tenant.id} if key else {})}
        if tenant.id in self._roll.ours:
            # It may be hot before the job is there, and then hears of it.
            self._stage.want(tenant, why)
        async with await AsyncConnection.connect(
            tenant.url, autocommit=True, **session_arguments(tenant.url, role="supervisor_enqueue")
        ) as conn:
            job = await enqueue_async(conn, queue, payload, schema=tenant.schema, **options)
        self.metrics.enqueue.labels(queue).inc()
        return job
