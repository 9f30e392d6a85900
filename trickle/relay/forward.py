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
from trickle.logs import event
from trickle.relay.bells import Bells, Listener
from trickle.relay.connector import Sink
from trickle.relay.delivery import Delivery
from trickle.relay.failures import ConnectorError, Failure, FailureKind
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
_EXPIRE_SECONDS = 3600.0
_LETTERS_SECONDS = 1.0  # before dead letters are tried again that were asked to come later
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
        self._stop_by: float | None = None  # when it ends whatever is still on its way
        self._outlet = Outlet(name, make_sink, limits, self._wake, standing)
        self._delivery = Delivery(False, limits.retry)
        self._reading: asyncio.Task[Sequence[Read]] | None = None
        self._burials: list[Burial] = []
        self._holds = 0  # in a row, for a message that may not be buried
        self._held_until = 0.0
        self._is_exhausted = False  # the last look found nothing
        self._look_at = 0.0
        self._look_pause = _FIRST_LOOK_SECONDS
        self._stored_at = 0.0
        self._is_asleep = False
        self._expire_at = 0.0
        self._letters_at = 0.0
        self._listener: Listener | None = None

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
        listener = self._listener = self._bells.listen(self._name, self._outbox_name, self._outbox.table, self._wake)
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
            moment = self._next_moment(now)
            await self._wait(None if moment is None else max(0.0, moment - now))
        await self._store(time.monotonic(), at_once=True)

    async def _digest(self, now: float) -> None:
        """What was read goes in, what was answered goes out."""
        if self._outlet.has_connected(now):
            self._delivery.keeps_order = self._outlet.keeps_order
        if self._reading is not None and self._reading.done():
            reading, self._reading = self._reading, None
            self._take_in(reading.result(), now)
        answers = self._outlet.take_answers()
        for answer in answers:
            if answer.error is None:
                self._note(answer, now)
        lost = next((answer.error for answer in answers if answer.error is not None), None)
        if lost is not None:
            await self._lost(lost, now)
        if self._burials and self._limits.buries:
            await self._bury()
        elif self._burials:
            self._hold(now)

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
        if self._outlet.is_open and listener.has_letters and now >= self._letters_at:
            listener.has_letters = await self._redrive(now)
        if now >= self._expire_at:
            self._expire_at = now + _EXPIRE_SECONDS
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

    def _hold(self, now: float) -> None:
        """Nothing goes and nothing is read because of what may not be buried; now and then it is tried again."""
        failure = self._burials[0].failure
        reason = f"{failure.kind.value}: {failure.reason}; dead letters are switched off"
        if self._standing.turn(State.HELD, reason):
            event(log, logging.WARNING, "a pipeline is held by a message", pipeline=self._name, why=reason)
        if self._held_until == 0.0:
            self._holds += 1
            retry = self._limits.retry
            self._held_until = now + backoff_seconds(
                self._holds, base=retry.backoff_seconds, cap=retry.max_backoff_seconds, draw=random.random()
            )
        elif now >= self._held_until:
            self._held_until = 0.0
            # What could not be encoded will not be next time.
            again = [burial.item for burial in self._burials if burial.item.outgoing is not None]
            self._burials = [burial for burial in self._burials if burial.item.outgoing is None]
            self._delivery.again(again, now)

    async def _redrive(self, now: float) -> bool:
        """Try dead letters again that somebody asked for; whether there may be more."""
        letters = await self._letters.asked_for()
        if not letters:
            return False
        delivered: list[int] = []
        refused: list[tuple[int, Failure]] = []
        try:
            for letter in letters:
                failure = await self._deliver_letter(letter)
                if failure is None:
                    delivered.append(letter.letter_id)
                elif failure.kind is FailureKind.THROTTLED:
                    self._letters_at = now + max(_LETTERS_SECONDS, failure.retry_after or 0.0)
                    break
                else:
                    refused.append((letter.letter_id, failure))
        except ConnectorError as error:
            # Other messages go first now: a letter that breaks every connection must not keep them waiting.
            self._letters_at = now + self._limits.half_open_seconds
            await self._lost(error, now)
        if refused:
            await self._letters.refused(refused)
        if delivered:
            await self._letters.delivered(delivered)
            self._standing.redriven += len(delivered)
        return True

    async def _deliver_letter(self, letter: Letter) -> Failure | None:
        """One after the other, since they may be of one key. Raises ConnectorError."""
        parts = self._encode(letter.message)
        if isinstance(parts, Failure):
            return parts
        wanted = [part for part in parts if part.event_id == letter.event_id] or parts
        failures = await self._outlet.deliver_now(wanted) if wanted else {}
        return next(iter(failures.values()), None)

    async def _store(self, now: float, at_once: bool = False) -> None:
        """Move the place, now and then, and soon after the end of what there was to do."""
        self._standing.in_hand = len(self._delivery)
        if self._delivery.is_further and (at_once or now >= self._store_due):
            place = self._delivery.place()
            if place is not None:
                self._stored_at = now
                self._holds = 0
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
        moments = [self._stop_by]
        if self._delivery.is_further:
            moments.append(self._store_due)
        if self._burials:
            is_hopeless = not self._limits.buries and all(burial.item.outgoing is None for burial in self._burials)
            moments.append(None if is_hopeless else self._held_until)
            return min((moment for moment in moments if moment is not None), default=None)
        moments += [self._delivery.next_retry(), self._outlet.next_moment(now, self._delivery.has_more)]
        if self._listener is not None and self._listener.has_letters and self._outlet.is_open:
            moments.append(self._letters_at)
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
        self._holds, self._held_until = 0, 0.0
        self._is_exhausted = self._is_asleep = False
