"""Who is hot: the pool with its processes, and a claim in the home database for each.

Every event goes through `pool.step`, and what it says is carried out here:

    Promote ──▶ claim ──▶ process ──hot──▶ Promoted
    Demote  ──▶ a word to the process
    Kill    ──▶ SIGKILL                    process gone ──▶ claim given back ──▶ Ended
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import psycopg

from trickle.errors import TryAgain
from trickle.logs import event
from trickle.tenants import pool, wire
from trickle.tenants.home import Home
from trickle.tenants.metrics import SupervisorMetrics
from trickle.tenants.nursery import Nursery
from trickle.tenants.options import SupervisorOptions
from trickle.tenants.places import Phase, Pool, Why
from trickle.tenants.processes import Gone, Hot, News, Processes, Said
from trickle.tenants.tenant import Tenant

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HotTenant:
    """A tenant with a place."""

    id: str
    phase: str
    reason: str
    seconds: float  # since then
    active: int  # attempts under way


class Stage:
    """The places of one supervisor; `changed` is called when anything has."""

    def __init__(
        self, options: SupervisorOptions, metrics: SupervisorMetrics, nursery: Nursery, changed: Callable[[], None]
    ) -> None:
        self._options = options
        self._metrics = metrics
        self._changed = changed
        self._processes = Processes(nursery, self._hear)
        self._tenants: dict[str, Tenant] = {}  # as each was listed when it was wanted last
        self._active: dict[str, int] = {}
        self._began: dict[str, float] = {}
        self._waited_for: dict[str, list[asyncio.Future[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.pool = Pool(options.limits)
        self.home: Home | None = None  # without one nothing becomes hot

    def list_hot(self) -> list[HotTenant]:
        """The tenants with a place, the oldest first."""
        now = time.monotonic()
        return [
            HotTenant(tenant, place.phase.value, place.why.value, now - place.since, self._active.get(tenant, 0))
            for tenant, place in sorted(self.pool.places.items(), key=lambda item: item[1].since)
        ]

    def want(self, tenant: Tenant, why: Why) -> None:
        """Somebody has something to do for it."""
        self._tenants[tenant.id] = tenant
        self._feed(pool.Wanted(tenant.id, why, tenant.weight))

    async def become_hot(self, tenant: Tenant, why: Why) -> None:
        """The same, until it is hot. Raises TryAgain when it does not become so."""
        if self.pool.is_stopping:
            raise TryAgain("this supervisor is ending")
        if tenant.id in self.pool.hot:
            return
        hot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waited_for.setdefault(tenant.id, []).append(hot)
        self.want(tenant, why)
        await hot

    def dismiss(self, tenant: str, why: Why) -> None:
        """It has to be cold."""
        self._feed(pool.Unwanted(tenant, why))
        if tenant not in self.pool.places:
            self._answer(tenant, "it is not wanted here any more")

    def request_stop(self, is_hard: bool) -> None:
        """All have to be cold; asked again, or when it is hard, without waiting for jobs."""
        self._feed(pool.StopRequested(is_hard))
        for tenant in self._waited_for.keys() - self.pool.places.keys():
            self._answer(tenant, "this supervisor is ending")

    def tick(self) -> None:
        """Time has passed."""
        self._feed(pool.Tick())

    async def reclaim(self, home: Home) -> None:
        """There is a new home session: what ran on without a claim may be somebody else's by now."""
        self.home = home
        for tenant in self.pool.places:
            if not await home.claim(tenant, "kept"):
                self.dismiss(tenant, Why.SHUTDOWN)

    async def close(self) -> None:
        """End whatever still runs."""
        await self._processes.close()
        for task in self._tasks:
            task.cancel()

    def _feed(self, happened: pool.Event) -> None:
        before = self.pool
        self.pool, actions = pool.step(before, happened, time.monotonic())
        for action in actions:
            self._perform(action)
        if self.pool is not before:
            self._changed()

    def _perform(self, action: pool.Action) -> None:
        match action:
            case pool.Promote(tenant, why):
                self._began[tenant] = time.monotonic()
                self._spawn(self._start(self._tenants[tenant], why))
            case pool.Demote(tenant, why):
                event(log, logging.INFO, "supervisor.demote", tenant=tenant, reason=why.value)
                self._processes.ask(tenant)
            case pool.Kill(tenant):
                event(log, logging.WARNING, "supervisor.kill", tenant=tenant)
                self._processes.kill(tenant)

    async def _start(self, tenant: Tenant, why: Why) -> None:
        try:
            is_ours = self.home is not None and await self.home.claim(tenant.id, why.value)
        except psycopg.Error as error:
            self._hear(Gone(tenant.id, f"it cannot be claimed: {str(error).strip()}"))
            return
        if not is_ours:
            self._hear(Gone(tenant.id, "it is hot at another supervisor, or the home database cannot be reached"))
            return
        options = self._options
        beside = options.budget.beside.of(tenant)
        plan = wire.Plan(
            tenant=tenant,
            concurrency=options.concurrency,
            batch=options.batch,
            drain_seconds=options.drain_seconds,
            tenant_pool_max=options.budget.tenant_pool_max,
            tenant_key=options.tenant_key,
            refreshes=beside.refreshes,
            pipelines=beside.pipelines,
            secrets=None if options.secrets is None else str(options.secrets / tenant.id),
            group_id=options.group_id,
            idle_seconds=options.idle_seconds,
            log_format=options.log_format,
            log_level=options.log_level,
        )
        await self._processes.start(plan)

    def _hear(self, news: News) -> None:
        """What the process of a tenant says."""
        match news:
            case Hot(tenant):
                self._hot(tenant)
            case Said(tenant, standing):
                self._active[tenant] = standing.active
                self._metrics.mismatches.inc(standing.mismatched)
                for name, count in standing.ended.items():
                    outcome, _, queue = name.partition(" ")
                    self._metrics.attempts.labels(queue, outcome).inc(count)
                self._feed(pool.Reported(tenant, standing.is_busy))
            case Gone(tenant, problem):
                self._gone(tenant, problem)

    def _hot(self, tenant: str) -> None:
        seconds = time.monotonic() - self._began.pop(tenant)
        why = self.pool.places[tenant].why
        self._metrics.promote_seconds.observe(seconds)
        self._metrics.promote.labels(why.value).inc()
        event(log, logging.INFO, "supervisor.promote", tenant=tenant, reason=why.value, seconds=seconds)
        self._feed(pool.Promoted(tenant))
        self._answer(tenant, None)

    def _gone(self, tenant: str, problem: str | None) -> None:
        place = self.pool.places[tenant]
        was_asked = place.phase is Phase.DEMOTING and place.why is not Why.ERROR
        self._metrics.demote.labels(place.why.value if was_asked else Why.ERROR.value).inc()
        if problem is not None:
            level = logging.INFO if was_asked else logging.WARNING
            event(log, level, "supervisor.tenant_ended", tenant=tenant, problem=problem)
        self._began.pop(tenant, None)
        self._active.pop(tenant, None)
        if tenant not in self.pool.waiting:
            self._answer(tenant, problem or "it has ended")
        self._spawn(self._leave(tenant))

    async def _leave(self, tenant: str) -> None:
        """Give up the claim before the place: whoever is next finds it free."""
        if self.home is not None:
            with contextlib.suppress(psycopg.Error):
                await self.home.give_back(tenant)
        self._feed(pool.Ended(tenant, random.random()))
        if tenant not in self.pool.places and tenant not in self.pool.waiting:
            self._tenants.pop(tenant, None)

    def _answer(self, tenant: str, problem: str | None) -> None:
        """Tell who waits for it that it is hot, or why it is not."""
        for waiting in self._waited_for.pop(tenant, ()):
            if waiting.done():
                continue
            if problem is None:
                waiting.set_result(None)
            else:
                waiting.set_exception(TryAgain(f"tenant {tenant!r} did not become hot: {problem}"))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
