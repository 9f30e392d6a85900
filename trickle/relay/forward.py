"""One pipeline from its outbox to its sink, from the moment its claim is ours until it is to stop.

    begin ──▶ reader, prepare ──▶ delivery ──▶ outlet, several batches at once ──answers──▶ done ──▶ checkpoint
      ▲                                             └── connection lost: everything unanswered goes again
      └── superseded, or the database is away: from the place that is stored

A turn does all that can be done without waiting, then waits for whatever comes first. What no attempt will deliver is
the business of `burials`, and of `redrive` when somebody asks for it again. When the pipeline is to stop it reads and
sends nothing more, waits for what is on its way, and stores its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence

import psycopg
from psycopg_pool import PoolTimeout

from trickle.clock import backoff_seconds
from trickle.logs import event
from trickle.relay.bells import Bells, Listener
from trickle.relay.burials import Burials
from trickle.relay.connector import Sink
from trickle.relay.delivery import Delivery
from trickle.relay.failures import Failure
from trickle.relay.letters import DeadLetters
from trickle.relay.outbox import Outbox, Read, Superseded
from trickle.relay.outgoing import Prepare
from trickle.relay.outlet import Answer, Limits, Outlet
from trickle.relay.reader import Reader
from trickle.relay.redrive import Redrive
from trickle.relay.standing import Standing, State

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 0.2
_IDLE_CHECKPOINT_SECONDS = 0.02
_STEADY_SECONDS = 30.0
# What has no answer so long after the pipeline was to stop is given up: whoever goes on sends it again.
_DRAIN_SECONDS = 20.0


class Forward:
    """One forward pipeline at work."""

    def __init__(
        self,
        name: str,
        outbox: Outbox,
        letters: DeadLetters,
        make_sink: Callable[[], Sink],
        prepare: Prepare,
        limits: Limits,
        bells: Bells,
        outbox_name: str,
        standing: Standing,
    ) -> None:
        self._name = name
        self._outbox = outbox
        self._outbox_name = outbox_name
        self._prepare = prepare
        self._limits = limits
        self._bells = bells
        self._standing = standing
        self._wake = asyncio.Event()
        self._stop_by: float | None = None  # when it ends whatever is still on its way
        self._outlet = Outlet(name, make_sink, limits, self._wake, standing)
        self._reader = Reader(outbox, limits, bells, self._wake)
        self._burials = Burials(name, letters, limits, standing)
        self._redrive = Redrive(letters, prepare, self._outlet, limits, standing)
        self._delivery = Delivery(False, limits.retry)
        self._stored_at = 0.0

    def stop(self) -> None:
        """Finish what is on its way and end."""
        if self._stop_by is None:
            self._stop_by = time.monotonic() + _DRAIN_SECONDS
        self._wake.set()

    async def run(self) -> None:
        """Until told to stop; whatever fails is tried again."""
        failures = 0
        while self._stop_by is None:
            began = time.monotonic()
            try:
                await self._carry()
            except Superseded as superseded:
                event(log, logging.INFO, "a pipeline begins anew", pipeline=self._name, why=str(superseded))
            except (psycopg.Error, PoolTimeout) as error:
                reason = str(error).strip()
                if self._standing.turn(State.HELD, reason):
                    event(log, logging.WARNING, "a pipeline is held", pipeline=self._name, why=reason)
            finally:
                await self._let_go()
            # One that ran for a while begins to count anew.
            failures = failures + 1 if time.monotonic() - began < _STEADY_SECONDS else 1
            self._wake.clear()
            if self._stop_by is None:
                await self._wait(backoff_seconds(failures, base=0.1, cap=5.0, draw=random.random()))
        self._standing.turn(State.STOPPED)

    async def _carry(self) -> None:
        await self._outbox.begin()
        listener = self._bells.listen(self._name, self._outbox_name, self._outbox.table, self._wake)
        while self._stop_by is None or self._outlet.is_busy:
            self._wake.clear()
            now = time.monotonic()
            if self._stop_by is not None and now >= self._stop_by:
                break
            await self._digest(now)
            if self._stop_by is None:
                await self._go_on(listener, now)
            await self._store(now)
            if not self._outlet.is_busy and self._stop_by is not None:
                break
            moment = self._next_moment(listener, now)
            await self._wait(None if moment is None else max(0.0, moment - now))
        await self._store(time.monotonic(), at_once=True)

    async def _digest(self, now: float) -> None:
        """What was read goes in, what was answered goes out."""
        if self._outlet.has_connected(now):
            self._delivery.keeps_order = self._outlet.keeps_order
        self._take_in(self._reader.taken(now))
        answers = self._outlet.take_answers()
        for answer in answers:
            if answer.error is None:
                self._note(answer, now)
        lost = next((answer.error for answer in answers if answer.error is not None), None)
        if lost is not None:
            await self._lost(lost, now)
        await self._burials.settle(self._delivery, now)

    async def _lost(self, error: Exception, now: float) -> None:
        """The connection is lost: whatever has no answer goes again."""
        await self._outlet.close()
        # One that was answered while the others were given up.
        for answer in self._outlet.take_answers():
            if answer.error is None:
                self._note(answer, now)
        self._delivery.cut_off()
        self._outlet.lost(error, now)

    async def _go_on(self, listener: Listener, now: float) -> None:
        if self._burials:
            return
        self._outlet.reconnect(now)
        lost = await self._redrive.go_on(listener, now)
        if lost is not None:
            await self._lost(lost, now)
        self._outlet.send(self._delivery, now)
        await self._reader.go_on(listener, self._delivery, now)

    def _take_in(self, reads: Sequence[Read]) -> None:
        self._standing.consumed += len(reads)
        prepare, delivery, ordering = self._prepare, self._delivery, self._limits.ordering
        for message, place in reads:
            parts = prepare(message)
            if isinstance(parts, Failure):
                self._standing.failures[parts.kind.value] += 1
                self._burials.add([delivery.refuse(message, parts, place)])
                continue
            if not parts:
                self._standing.filtered += 1
                delivery.read(None, message, parts, place)
                continue
            lane = parts[0].key if ordering == "key" else "" if ordering == "all" else None
            delivery.read(lane, message, parts, place)

    def _note(self, answer: Answer, now: float) -> None:
        self._outlet.note(answer, now)
        self._burials.add(self._delivery.answered(answer.items, answer.failures, now, random.random()))
        failures = answer.failures
        self._standing.published += len(answer.items) - len(failures)
        wall = time.time()
        self._standing.took(
            wall - item.message.created_at.timestamp()
            for index, item in enumerate(answer.items)
            if not failures or index not in failures
        )

    async def _store(self, now: float, at_once: bool = False) -> None:
        """Move the place, now and then, and soon after the end of what there was to do."""
        self._standing.in_hand = len(self._delivery)
        if self._delivery.is_further and (at_once or now >= self._store_due):
            place = self._delivery.place()
            if place is not None:
                self._stored_at = now
                self._burials.passed()
                await self._outbox.checkpoint(place)

    @property
    def _store_due(self) -> float:
        is_idle = not self._delivery and self._reader.is_exhausted
        return self._stored_at + (_IDLE_CHECKPOINT_SECONDS if is_idle else CHECKPOINT_SECONDS)

    def _next_moment(self, listener: Listener, now: float) -> float | None:
        """When there is something to do though nothing happens; None when only somebody else can give us any."""
        moments = [self._stop_by]
        if self._delivery.is_further:
            moments.append(self._store_due)
        if self._burials:
            moments.append(self._burials.next_moment())
        else:
            moments += [self._delivery.next_retry(), self._outlet.next_moment(now, self._delivery.has_more)]
            moments += [self._redrive.next_moment(listener), self._reader.next_look()]
        return min((moment for moment in moments if moment is not None), default=None)

    async def _wait(self, seconds: float | None) -> None:
        if seconds == 0.0:
            await asyncio.sleep(0)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _let_go(self) -> None:
        """Nothing of this attempt is left: the next one begins at the place that is stored."""
        self._bells.leave(self._name)
        await self._reader.give_up()
        await self._outlet.close()
        self._outlet.take_answers()
        self._delivery = Delivery(False, self._limits.retry)
        self._burials.forget()
