"""One pipeline from its outbox to its sink, from the moment its claim is ours until it is to stop.

    begin ──▶ read, encode ──▶ delivery ──▶ outlet, several batches at once ──answers──▶ done ──▶ checkpoint
      ▲                                             └── connection lost: everything unanswered goes again
      └── superseded, or the database is away: from the place that is stored

A turn does all that can be done without waiting, then waits for whatever comes first. It reads no further than its
limits of messages and bytes, whatever waits in the outbox. When it is to stop it reads and sends nothing more, waits
for what is on its way, and stores its place.
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
from trickle.errors import TryAgain
from trickle.logs import event
from trickle.relay.bells import Bells, Listener
from trickle.relay.connector import Sink
from trickle.relay.delivery import Delivery
from trickle.relay.failures import ConnectorError, Failure
from trickle.relay.items import Burial
from trickle.relay.letters import DeadLetters, Letter
from trickle.relay.message import Message, Outgoing
from trickle.relay.outbox import Outbox, Read, Superseded
from trickle.relay.outlet import Answer, Limits, Outlet
from trickle.relay.standing import Standing, State

log = logging.getLogger(__name__)

Encode = Callable[[Message], Sequence[Outgoing] | Failure]

CHECKPOINT_SECONDS = 0.2
_IDLE_CHECKPOINT_SECONDS = 0.02
_FIRST_LOOK_SECONDS = 0.002
_LONGEST_LOOK_SECONDS = 0.25
_LETTERS_SECONDS = 3600.0


class Unburied(TryAgain):
    """A message was refused for good, and there are no dead letters to put it into."""


class Forward:
    """One forward pipeline at work."""

    def __init__(
        self,
        name: str,
        outbox: Outbox,
        letters: DeadLetters,
        make_sink: Callable[[], Sink],
        encode: Encode,
        limits: Limits,
        bells: Bells,
        outbox_name: str,
        standing: Standing,
    ) -> None:
        self._name = name
        self._outbox = outbox
        self._letters = letters
        self._encode = encode
        self._limits = limits
        self._bells = bells
        self._outbox_name = outbox_name
        self._standing = standing
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._outlet = Outlet(name, make_sink, limits, self._wake, standing)
        self._delivery = Delivery(False, limits.retry)
        self._reading: asyncio.Task[Sequence[Read]] | None = None
        self._burials: list[Burial] = []
        self._is_exhausted = False  # the last look found nothing
        self._look_at = 0.0
        self._look_pause = _FIRST_LOOK_SECONDS
        self._stored_at = 0.0
        self._is_asleep = False
        self._expire_at = 0.0

    def stop(self) -> None:
        """Finish what is on its way and end."""
        self._is_stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Until told to stop; whatever fails is tried again."""
        failures = 0
        while not self._is_stopping:
            try:
                await self._carry()
                failures = 0
            except Superseded as superseded:
                event(log, logging.INFO, "a pipeline begins anew", pipeline=self._name, why=str(superseded))
            except (psycopg.Error, PoolTimeout, Unburied) as error:
                failures += 1
                if self._standing.turn(State.HELD, str(error).strip()):
                    event(log, logging.WARNING, "a pipeline is held", pipeline=self._name, why=str(error).strip())
                self._wake.clear()
                await self._wait(backoff_seconds(failures, base=0.1, cap=5.0, draw=random.random()))
            finally:
                await self._let_go()
        self._standing.turn(State.STOPPED)

    async def _carry(self) -> None:
        await self._outbox.begin()
        listener = self._bells.listen(self._name, self._outbox_name, self._outbox.table, self._wake)
        while not self._is_stopping or self._outlet.is_busy:
            self._wake.clear()
            now = time.monotonic()
            await self._digest(now)
            if not self._is_stopping:
                await self._go_on(listener, now)
            await self._store(now)
            if not self._outlet.is_busy and self._is_stopping:
                break
            moment = self._next_moment(now)
            await self._wait(None if moment is None else max(0.0, moment - now))
        await self._store(time.monotonic(), at_once=True)

    async def _digest(self, now: float) -> None:
        """What was read goes in, what was answered goes out."""
        if self._reading is not None and self._reading.done():
            reading, self._reading = self._reading, None
            self._take_in(reading.result(), now)
        answers = self._outlet.take_answers()
        for answer in answers:
            if answer.error is None:
                self._note(answer, now)
        lost = next((answer.error for answer in answers if answer.error is not None), None)
        if lost is not None:
            await self._outlet.close()
            # One that was answered while the others were given up.
            for answer in self._outlet.take_answers():
                if answer.error is None:
                    self._note(answer, now)
            self._delivery.cut_off()
            self._outlet.failed(lost, now)
        if self._burials:
            await self._bury()

    async def _go_on(self, listener: Listener, now: float) -> None:
        if await self._outlet.open(now):
            self._delivery.keeps_order = self._outlet.keeps_order
        if self._outlet.is_open and listener.has_letters:
            listener.has_letters = await self._redrive(now)
        if now >= self._expire_at:
            self._expire_at = now + _LETTERS_SECONDS
            await self._letters.expire(self._limits.keep_letters_days)
        self._outlet.send(self._delivery, now)
        await self._fall_asleep(listener)
        self._read_on(listener, now)

    def _read_on(self, listener: Listener, now: float) -> None:
        if self._is_asleep and listener.seen is None:
            self._is_asleep = self._is_exhausted = False
        room = self._limits.max_in_flight - len(self._delivery)
        bytes_left = self._limits.max_in_flight_bytes - self._delivery.size
        # In large pieces: half of what may be in hand is worked off while the other half is read.
        piece = max(1, self._limits.max_in_flight // 2)
        is_time = not self._is_exhausted or (not self._is_asleep and now >= self._look_at)
        if self._reading is None and is_time and room >= piece and bytes_left > 0:
            self._reading = asyncio.create_task(self._outbox.read(piece, bytes_left))
            self._reading.add_done_callback(lambda _: self._wake.set())

    def _take_in(self, reads: Sequence[Read], now: float) -> None:
        self._is_exhausted = not reads
        if not reads:
            self._look_at = now + self._look_pause
            self._look_pause = min(_LONGEST_LOOK_SECONDS, self._look_pause * 2)
            return
        self._look_pause = _FIRST_LOOK_SECONDS
        self._standing.consumed += len(reads)
        encode, delivery, ordering = self._encode, self._delivery, self._limits.ordering
        for message, place in reads:
            parts = encode(message)
            if isinstance(parts, Failure):
                self._standing.failures[parts.kind.value] += 1
                self._burials.append(delivery.refuse(message, parts, place))
                continue
            if not parts:
                self._standing.filtered += 1
                delivery.read(None, message, parts, place)
                continue
            lane = parts[0].key if ordering == "key" else "" if ordering == "all" else None
            delivery.read(lane, message, parts, place)

    def _note(self, answer: Answer, now: float) -> None:
        self._outlet.note(answer, now)
        self._burials.extend(self._delivery.answered(answer.items, answer.failures, now, random.random()))
        failures = answer.failures
        self._standing.published += len(answer.items) - len(failures)
        wall = time.time()
        self._standing.took(
            wall - item.message.created_at.timestamp()
            for index, item in enumerate(answer.items)
            if not failures or index not in failures
        )

    async def _bury(self) -> None:
        burials, self._burials = self._burials, []
        if not self._limits.buries:
            failure = burials[0].failure
            raise Unburied(
                f"{failure.kind.value}: {failure.reason}", hint="switch dead_letters on, or mend the message"
            )
        await self._letters.bury(burials)
        self._standing.buried += len(burials)
        self._delivery.buried([burial.item for burial in burials])
        for burial in burials:
            event(
                log,
                logging.WARNING,
                "a message is set aside",
                pipeline=self._name,
                event_id=burial.item.event_id,
                kind=burial.failure.kind.value,
                reason=burial.failure.reason,
            )

    async def _redrive(self, now: float) -> bool:
        """Try dead letters again that somebody asked for; whether there may be more."""
        letters = await self._letters.asked_for()
        if not letters:
            return False
        try:
            refused = await self._deliver_letters(letters)
        except ConnectorError as error:
            await self._outlet.close()
            self._delivery.cut_off()
            self._outlet.failed(error, now)
            return True
        if refused:
            await self._letters.refused(list(refused.items()))
        delivered = [letter.letter_id for letter in letters if letter.letter_id not in refused]
        if delivered:
            await self._letters.delivered(delivered)
            self._standing.redriven += len(delivered)
        return True

    async def _deliver_letters(self, letters: Sequence[Letter]) -> dict[int, Failure]:
        """One after the other, since they may be of one key; those that were refused again, by id."""
        refused: dict[int, Failure] = {}
        for letter in letters:
            parts = self._encode(letter.message)
            if isinstance(parts, Failure):
                refused[letter.letter_id] = parts
                continue
            wanted = [part for part in parts if part.event_id == letter.event_id] or parts
            failures = await self._outlet.deliver_now(wanted) if wanted else {}
            for failure in failures.values():
                if failure.kind.is_of_destination:
                    raise ConnectorError(failure.kind, failure.reason, retry_after=failure.retry_after)
                refused[letter.letter_id] = failure
        return refused

    async def _store(self, now: float, at_once: bool = False) -> None:
        """Move the place, now and then, and soon after the end of what there was to do."""
        self._standing.in_hand = len(self._delivery)
        if self._delivery.is_further and (at_once or now >= self._store_due):
            place = self._delivery.place()
            if place is not None:
                self._stored_at = now
                await self._outbox.checkpoint(place)

    @property
    def _store_due(self) -> float:
        is_idle = not self._delivery and self._is_exhausted
        return self._stored_at + (_IDLE_CHECKPOINT_SECONDS if is_idle else CHECKPOINT_SECONDS)

    async def _fall_asleep(self, listener: Listener) -> None:
        """With nothing to do: arm the bell, and look once more for what was published before it was armed."""
        is_idle = not self._delivery and self._reading is None and self._is_exhausted
        if is_idle and not self._is_asleep and await self._bells.arm(listener):
            listener.seen = self._outbox.seen
            self._is_asleep = True
            self._is_exhausted = False

    def _next_moment(self, now: float) -> float | None:
        """When there is something to do though nothing happens; None when only somebody else can give us any."""
        moments = [self._delivery.next_retry(), self._outlet.next_moment(now, self._delivery.has_more)]
        if self._delivery.is_further:
            moments.append(self._store_due)
        if self._reading is None and self._is_exhausted and not self._is_asleep:
            moments.append(self._look_at)
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
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None
        await self._outlet.close()
        self._outlet.take_answers()
        self._delivery = Delivery(False, self._limits.retry)
        self._burials.clear()
        self._is_exhausted = self._is_asleep = False
