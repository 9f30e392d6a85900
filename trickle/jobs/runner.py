"""A runner: does the jobs of one database with the handlers of a registry, until it is told to stop.

    ┌─▶ look: acknowledge what has ended, lease what there is room for ──found──▶ start handlers ─┐
    │            └─nothing─▶ arm the bell, look once more ──nothing──▶ wait ◀─────────────────────┘
    └──── rang, an attempt ended, or a second is over ◀─────────────────┘

Stopping: nothing is leased any more; what runs may end until the deadline; what has not ended then is handed back as if
it had not begun. Told twice, the deadline is now. When the session ends, handlers go on, and the runner comes back with
the same number: what the database still has as its own is acknowledged later, what somebody else took over is stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from trickle.clock import backoff_seconds
from trickle.db.job_schema import SCHEMA
from trickle.errors import ConfigurationError
from trickle.jobs.crew import Crew
from trickle.jobs.doorbell import Doorbell
from trickle.jobs.ledger import Ledger
from trickle.jobs.registry import REGISTRY, Registry
from trickle.jobs.schedules import next_moment
from trickle.logs import event

log = logging.getLogger(__name__)

TELL_SECONDS = 1.0  # between two words about how it stands
UPKEEP_SECONDS = 1.0  # between two looks at what is due, what the dead held, and what was cancelled
_SETTLE_SECONDS = 60.0
_LEAST_SECONDS = 0.02
_DEAF_SECONDS = 0.1  # between two looks while nobody can be heard
_OPEN_PAUSES = (0.01, 0.1)  # the first and the longest pause while somebody is about to enqueue
_LAST_WORDS_SECONDS = 1.0  # that coroutines have to end when their jobs are handed back


@dataclass(frozen=True, slots=True)
class RunnerOptions:
    """How much is done at once, and how patient the runner is."""

    concurrency: int = 10  # attempts at work at the same time
    batch: int = 100  # leased, or acknowledged, in one statement at most
    linger_seconds: float = 0.005  # that an outcome waits for others
    drain_seconds: float = 30.0  # that attempts have to end after `stop`

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.batch < 1:
            raise ConfigurationError("concurrency and batch of a runner are at least 1")


class JobRunner:
    """Does the jobs of one database, or of one schema of it."""

    def __init__(
        self, url: str, registry: Registry = REGISTRY, options: RunnerOptions | None = None, schema: str = SCHEMA
    ) -> None:
        if not registry.handlers:
            raise ConfigurationError("a runner without handlers", hint="register one with @trickle.job(queue)")
        self._url = url
        self._schema = schema
        self._registry = registry
        self._options = options or RunnerOptions()
        self._queues = list(registry.handlers)
        self._wake = asyncio.Event()
        self._crew = Crew(self._wake.set, registry.around_all)
        self._doorbell = Doorbell(url, self._ring, schema)
        self._worker: int | None = None
        self._deadline: float | None = None  # stopping, until then at most
        self._next_look = 0.0
        self._next_upkeep = 0.0
        self._next_settling = 0.0
        self._is_armed = False
        self._bells: frozenset[int] = frozenset()
        self._has_rung = False
        self._pause = _OPEN_PAUSES[0]
        self._is_at_work = False
        self.signed_in = asyncio.Event()  # set once the runner has its number

    @property
    def active(self) -> int:
        """Attempts under way."""
        return self._crew.size

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way, or not acknowledged yet."""
        return not self._crew.is_idle

    def stop(self) -> None:
        """End when what runs has ended; told again, at once. Call it from the runner's own loop."""
        patience = self._options.drain_seconds if self._deadline is None else 0.0
        self._deadline = time.monotonic() + patience
        self._wake.set()

    @property
    def queues(self) -> list[str]:
        """Those that it has handlers for."""
        return sorted(self._registry.handlers)

    @property
    def state(self) -> str:
        """`connecting`, `joined`, or `draining` once it was told to stop."""
        if self._deadline is not None:
            return "draining"
        return "joined" if self._is_at_work else "connecting"

    def run_until_signalled(self, told: Callable[[JobRunner], None] | None = None) -> None:
        """Run in this process until SIGTERM or SIGINT, of which the second one does not wait for handlers.

        `told` is called every second, with the runner, to tell others how it stands.
        """

        async def tell() -> None:
            while told is not None:
                told(self)
                await asyncio.sleep(TELL_SECONDS)

        async def main() -> None:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stop)
            telling = asyncio.create_task(tell())
            try:
                await self.run()
            finally:
                telling.cancel()
                if told is not None:
                    told(self)

        gc.freeze()  # what was imported stays, and is not looked through any more
        asyncio.run(main())

    async def run(self) -> None:
        """Until stopped. A database that goes away is waited for."""
        hearing = asyncio.create_task(self._doorbell.run())
        failures = 0
        try:
            while not self._is_over():
                try:
                    ledger = await Ledger.open(self._url, self._schema)
                    try:
                        if await self._sign_in(ledger):
                            failures = 0
                            self._is_at_work = True
                            await self._serve(ledger)
                            return
                    finally:
                        self._is_at_work = False
                        await ledger.close()
                except psycopg.Error as error:
                    failures += 1
                    if failures == 1:
                        event(log, logging.WARNING, "the session of a runner ended", error=str(error).strip())
                self._wake.clear()
                await self._rest(backoff_seconds(max(failures, 1), base=0.1, cap=5.0, draw=random.random()))
        finally:
            self._crew.disown(self._crew.held)
            hearing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await hearing

    def _is_over(self) -> bool:
        return self._deadline is not None and (self._crew.is_idle or time.monotonic() >= self._deadline)

    async def _sign_in(self, ledger: Ledger) -> bool:
        """Take our number again, or a first one, and compare what we believe to hold with what the database says."""
        signed = await ledger.sign_in(self._worker)
        if signed is None:
            return False
        self._worker = signed
        self.signed_in.set()
        self._is_armed = False
        self._next_look = self._next_upkeep = 0.0
        ours, held = await ledger.leases(), self._crew.held
        self._crew.disown(held - ours)
        if ours - held:
            await ledger.release(ours - held)
        return True

    async def _serve(self, ledger: Ledger) -> None:
        """Look, and wait for a reason to look again."""
        while not self._is_over():
            self._wake.clear()
            now = time.monotonic()
            if now >= self._next_upkeep:
                await self._upkeep(ledger)
            room = 0 if self._deadline is not None else self._options.concurrency - self._crew.size
            outcomes = self._crew.ripe(self._options.batch, self._options.linger_seconds)
            if outcomes or (room > 0 and now >= self._next_look):
                await self._look(ledger, min(max(room, 0), self._options.batch))
            else:
                await self._rest(self._seconds_to_wait(room))
        await self._hand_back(ledger)

    async def _look(self, ledger: Ledger, room: int) -> None:
        """Acknowledge and lease; where there is less than there is room for, see to it that somebody rings."""
        outcomes = self._crew.ripe(self._options.batch, self._options.linger_seconds)
        has_rung, self._has_rung = self._has_rung, False
        random.shuffle(self._queues)  # none of them is always served first
        leases = await ledger.turn(outcomes, self._queues, room)
        self._crew.acknowledged(outcomes)
        for lease in leases:
            self._crew.start(self._registry.handlers[lease.queue], lease)
        if room == 0:
            return
        if has_rung or (leases and self._is_armed):
            self._is_armed = False
            await ledger.disarm()
        if len(leases) == room:
            self._next_look = 0.0
        elif self._is_armed:
            self._next_look = time.monotonic() + UPKEEP_SECONDS
        elif self._doorbell.is_heard and not self._has_rung and await self._arm(ledger):
            self._is_armed = True
            self._next_look = 0.0
            self._pause = _OPEN_PAUSES[0]
        else:
            pause = self._pause if self._doorbell.is_heard else _DEAF_SECONDS
            self._next_look = time.monotonic() + pause
            self._pause = min(self._pause * 2, _OPEN_PAUSES[1])

    async def _upkeep(self, ledger: Ledger) -> None:
        """What is due or was the dead's becomes ready; what was cancelled, or lost, is stopped; progress is told."""
        now = time.monotonic()
        done = await ledger.upkeep()
        if done.has_due_schedules:
            await self._run_schedules(ledger)
            self._next_look = 0.0
        if done.made_ready or done.reclaimed:
            self._next_look = 0.0
        seconds = UPKEEP_SECONDS if done.next_due_seconds is None else max(_LEAST_SECONDS, done.next_due_seconds)
        self._next_upkeep = now + min(UPKEEP_SECONDS, seconds)
        if now >= self._next_settling:
            self._next_settling = now + _SETTLE_SECONDS
            await ledger.settle()
        at_work = self._crew.at_work
        if at_work:
            ours, unwanted = await ledger.cancelled(at_work)
            self._crew.disown({(lease.id, lease.epoch) for lease in at_work if lease.id not in ours})
            self._crew.cancel(unwanted)
            told = self._crew.told()
            if told:
                await ledger.progress(told)

    async def _run_schedules(self, ledger: Ledger) -> None:
        for due in await ledger.due_schedules():
            next_on, problem = next_moment(due.cron, due.time_zone, due.now)
            if problem is not None:
                event(log, logging.WARNING, "a schedule of jobs is switched off", schedule=due.name, problem=problem)
            await ledger.run_schedule(due, next_on, problem)

    def _seconds_to_wait(self, room: int) -> float:
        moments = [self._next_upkeep]
        if room > 0:
            moments.append(self._next_look)
        if self._deadline is not None:
            moments.append(self._deadline)
        seconds = min(moments) - time.monotonic()
        ripe = self._crew.seconds_to_ripe(self._options.linger_seconds)
        return max(0.0, seconds if ripe is None else min(seconds, ripe))

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _arm(self, ledger: Ledger) -> bool:
        self._bells, is_armed = await ledger.arm(self._queues)
        return is_armed

    def _ring(self, bell: int | None) -> None:
        if bell is not None and bell not in self._bells:
            return
        self._has_rung = True
        self._next_look = 0.0
        self._wake.set()

    async def _hand_back(self, ledger: Ledger) -> None:
        """What has not ended by the deadline has not begun."""
        left = frozenset((lease.id, lease.epoch) for lease in self._crew.at_work)
        self._crew.disown(left)
        limit = time.monotonic() + _LAST_WORDS_SECONDS
        while self._crew.is_at_work and time.monotonic() < limit:
            self._wake.clear()
            await self._rest(limit - time.monotonic())
        while outcomes := self._crew.ripe(self._options.batch, 0.0):
            await ledger.turn(outcomes, self._queues, 0)
            self._crew.acknowledged(outcomes)
        if left:
            event(log, logging.INFO, "jobs are handed back", jobs=len(left))
            await ledger.release(left)
