"""One pipeline from its source into its inbox, from the moment its claim is ours until it is to stop.

    receive ──▶ convert ──▶ inbox, one transaction for a batch ──▶ acknowledge
                  │             └── refused: halved, until those to blame are found ──▶ dead letters ──▶ acknowledge
                  └── cannot be converted ──▶ dead letters ──▶ acknowledge

A batch is as large as `batch_size` says, or smaller when the messages before were so large that it would not fit into
`max_in_flight_bytes`. The origin is told only after the inbox, or the dead letters, have a message for good. An inbox
receives each event once, so what comes again because that answer was lost is recognised: it arrives exactly once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import psycopg
from psycopg_pool import PoolTimeout

from trickle.clock import backoff_seconds
from trickle.db.pool import AsyncPool
from trickle.errors import TrickleError
from trickle.logs import event
from trickle.relay.connector import Source
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.letters import DeadLetters
from trickle.relay.message import Incoming
from trickle.relay.outlet import Limits
from trickle.relay.standing import Standing, State
from trickle.sql import load

log = logging.getLogger(__name__)

_OPEN_SECONDS = 30.0
_CLOSE_SECONDS = 5.0
_RECEIVE_SECONDS = 1.0
# What a message is taken for before there was one.
_MESSAGE_BYTES = 64 << 10


class Received(NamedTuple):
    """A row of an inbox to be."""

    event_id: str
    event_type: str | None
    source: str
    key: str | None
    payload: str  # JSON
    trace_id: str | None


Convert = Callable[[Incoming], Received | Failure | None]  # None: filtered out


class Reverse:
    """One reverse pipeline at work."""

    def __init__(
        self,
        name: str,
        pool: AsyncPool,
        inbox: str,
        letters: DeadLetters,
        make_source: Callable[[], Source],
        convert: Convert,
        limits: Limits,
        standing: Standing,
    ) -> None:
        self._name = name
        self._pool = pool
        self._inbox = inbox
        self._letters = letters
        self._make_source = make_source
        self._convert = convert
        self._limits = limits
        self._standing = standing
        self._stopping = asyncio.Event()
        self._message_bytes: float = _MESSAGE_BYTES
        self._letters_at = 0.0
        self._expire_at = 0.0

    def stop(self) -> None:
        """Finish what was received and end."""
        self._stopping.set()

    async def run(self) -> None:
        """Until told to stop; whatever fails is tried again on a new connection."""
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                await self._carry()
            except (psycopg.Error, PoolTimeout, TrickleError, TimeoutError) as error:
                self._held(error)
            # One that ran for a while begins to count anew.
            failures = failures + 1 if time.monotonic() - began < self._limits.half_open_seconds else 1
            if not self._stopping.is_set():
                pause = backoff_seconds(failures, base=0.1, cap=self._limits.half_open_seconds, draw=random.random())
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)
        self._standing.turn(State.STOPPED)

    async def _carry(self) -> None:
        source = self._make_source()
        try:
            async with asyncio.timeout(_OPEN_SECONDS):
                await source.open()
            self._standing.turn(State.RUNNING)
            while not self._stopping.is_set():
                await self._tend_letters(time.monotonic())
                messages = await self._receive(source)
                if messages:
                    await self._take(source, messages)
        finally:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await source.close()

    async def _receive(self, source: Source) -> Sequence[Incoming]:
        """The next messages; nothing as soon as it is to stop."""
        fitting = int(self._limits.max_in_flight_bytes / self._message_bytes)
        limit = max(1, min(self._limits.batch_size, fitting))
        receiving = asyncio.ensure_future(source.receive(limit, _RECEIVE_SECONDS))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({receiving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return receiving.result() if receiving.done() else ()
        finally:
            stopping.cancel()
            if not receiving.done():
                receiving.cancel()
                await asyncio.wait({receiving})

    async def _take(self, source: Source, messages: Sequence[Incoming]) -> None:
        standing = self._standing
        standing.in_hand = len(messages)
        standing.consumed += len(messages)
        mean = max(1.0, sum(len(message.payload) for message in messages) / len(messages))
        # Believed at once when they are larger, and by and by when they are smaller.
        self._message_bytes = max(mean, (self._message_bytes + mean) / 2)
        rows: list[tuple[Incoming, Received]] = []
        refused: list[tuple[Incoming, Failure]] = []
        for message in messages:
            received = self._convert(message)
            if isinstance(received, Failure):
                refused.append((message, received))
            elif received is None:
                standing.filtered += 1
            else:
                rows.append((message, received))
        try:
            refused.extend(await self._insert(rows))
            if refused:
                await self._bury(refused)
        except BaseException:
            with contextlib.suppress(Exception):
                await source.release(messages)
            raise
        await source.acknowledge(messages)
        standing.in_hand = 0
        standing.turn(State.RUNNING)

    async def _insert(self, rows: Sequence[tuple[Incoming, Received]]) -> list[tuple[Incoming, Failure]]:
        """Into the inbox, or halved until those are alone that it refuses; these are returned."""
        if not rows:
            return []
        try:
            new = await self._receive_rows([row for _, row in rows])
        except psycopg.Error as error:
            if not _is_about_data(error):
                raise
            if len(rows) == 1:
                reason = (error.diag.message_primary or str(error)).strip()
                return [(rows[0][0], Failure(FailureKind.REJECTED, reason))]
            middle = len(rows) // 2
            return [*await self._insert(rows[:middle]), *await self._insert(rows[middle:])]
        self._standing.published += new
        self._standing.duplicates += len(rows) - new
        return []

    async def _receive_rows(self, rows: Sequence[Received]) -> int:
        columns = list(zip(*rows, strict=True))
        parameters = {
            "inbox": self._inbox,
            "event_ids": list(columns[0]),
            "event_types": list(columns[1]),
            "sources": list(columns[2]),
            "keys": list(columns[3]),
            "payloads": list(columns[4]),
            "trace_ids": list(columns[5]),
        }
        async with self._pool.connection() as conn:
            row = await (await conn.execute(load("queries/relay_receive"), parameters)).fetchone()
        assert row is not None  # a function's answer
        return int(row[0])

    async def _bury(self, refused: Sequence[tuple[Incoming, Failure]]) -> None:
        for message, failure in refused:
            self._standing.failures[failure.kind.value] += 1
            event(
                log,
                logging.WARNING,
                "a message is set aside",
                pipeline=self._name,
                event_id=message.event_id,
                kind=failure.kind.value,
                reason=failure.reason,
            )
        if not self._limits.buries:
            failure = refused[0][1]
            raise ConnectorError(failure.kind, f"{failure.reason}, and dead letters are switched off")
        await self._letters.bury_incoming(refused)
        self._standing.buried += len(refused)

    async def _tend_letters(self, now: float) -> None:
        """Now and then: take dead letters into the inbox that somebody asked for, and forget old ones."""
        if now >= self._letters_at:
            self._letters_at = now + _RECEIVE_SECONDS
            for letter in await self._letters.asked_for_incoming():
                received = self._convert(letter.message)
                refusal = received if isinstance(received, Failure) else None
                if isinstance(received, Received):
                    refusal = next((failure for _, failure in await self._insert([(letter.message, received)])), None)
                if refusal is not None:
                    await self._letters.refused([(letter.letter_id, refusal)])
                else:
                    await self._letters.delivered([letter.letter_id])
                    self._standing.redriven += 1
        if now >= self._expire_at:
            self._expire_at = now + 3600.0
            await self._letters.expire(self._limits.keep_letters_days)

    def _held(self, error: Exception) -> None:
        if isinstance(error, ConnectorError):
            self._standing.failures[error.failure.kind.value] += 1
            reason = f"{error.failure.kind.value}: {error.message}"
        else:
            reason = str(error).strip() or type(error).__name__
        reason = self._limits.clean(reason)
        self._standing.in_hand = 0
        if self._standing.turn(State.HELD, reason):
            event(log, logging.WARNING, "a pipeline is held", pipeline=self._name, why=reason)


def _is_about_data(error: psycopg.Error) -> bool:
    """Whether one row may be to blame: a value, its size, or a constraint; not the table or our rights."""
    return (error.sqlstate or "")[:2] in ("22", "23", "54", "P0")
