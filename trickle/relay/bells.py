"""How a relay learns that there is something to carry, with two sessions for all its outboxes.

A publisher shares the bell of its outbox, an advisory lock, until the end of its transaction. A relay with nothing to
do holds the bell alone: then the publisher cannot share it, and notifies when it commits. So while messages flow nobody
notifies, and publishers never wait. What committed before the bell was armed is found by the look after the arming;
what was under way prevented the arming, and is looked for again soon.

    busy ──nothing more to read──▶ try to arm ──ours or theirs──▶ look once ──nothing──▶ quiet ──rings──▶ busy
                                       └──open: look again after a pause that grows──┘

When publishers may not notify, and for whatever else may go wrong, all quiet outboxes are looked at now and then in one
statement. One session listens, another holds the bells and looks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import AsyncConnection, sql

from trickle.clock import backoff_seconds
from trickle.db.session import session_arguments
from trickle.logs import event
from trickle.sql import load

log = logging.getLogger(__name__)

CHANNEL = "pgtrickle_outbox"
SWEEP_SECONDS = 5.0  # between two looks at all quiet outboxes that ring
DEAF_SWEEP_SECONDS = 0.1  # where publishers may not notify
_DEAF_SECONDS_EACH = 0.002  # so that many outboxes do not take much more of the server than few
_REARM_SECONDS = 1.0
_STEADY_SECONDS = 10.0


@dataclass(slots=True)
class Listener:
    """One pipeline and the outbox that it reads."""

    outbox: str
    table: str
    wake: asyncio.Event  # set when there may be something to read, or a dead letter to be tried again
    bell: int = -1
    seen: str | None = None  # asleep, having read what this snapshot sees; None: awake
    has_letters: bool = False

    def rouse(self) -> None:
        """There may be something to read."""
        self.seen = None
        self.wake.set()


class Bells:
    """Who listens to which outbox, and which bells are armed."""

    def __init__(self, url: str, role: str) -> None:
        self._url = url
        self._role = role
        self._listeners: dict[str, Listener] = {}
        self._may_ring = True
        self._ours: set[int] = set()
        self._armed: set[int] = set()  # by us or somebody else
        self._session: AsyncConnection[Any] | None = None
        self._asking = asyncio.Lock()
        self._is_listening = False

    def listen(self, pipeline: str, outbox: str, table: str, wake: asyncio.Event) -> Listener:
        """This pipeline reads that outbox from now on; dead letters are looked for once."""
        listener = Listener(outbox, table, wake, has_letters=True)
        self._listeners[pipeline] = listener
        return listener

    def leave(self, pipeline: str) -> None:
        self._listeners.pop(pipeline, None)

    async def arm(self, listener: Listener) -> bool:
        """Whether publishers are heard from now on; what they published before is to be looked for."""
        if not self._is_listening or self._session is None:
            return False
        try:
            async with self._asking:
                if listener.bell < 0:
                    await self._find(self._session, listener)
                if not self._may_ring or listener.bell in self._armed:
                    return True
                await self._try(self._session, [listener.bell])
                return listener.bell in self._armed
        except psycopg.Error:
            return False

    async def run(self) -> None:
        """Until cancelled. Without a session everybody looks for themselves."""
        failures = 0
        while True:
            began = time.monotonic()
            try:
                async with self._sessions() as hearing:
                    await self._attend(hearing)
            except psycopg.Error as error:
                failures = 1 if time.monotonic() - began > _STEADY_SECONDS else failures + 1
                if failures == 1:
                    event(log, logging.WARNING, "the bells of outboxes are not heard", error=str(error).strip())
            await asyncio.sleep(backoff_seconds(failures, base=0.1, cap=2.0, draw=random.random()))

    @contextlib.asynccontextmanager
    async def _sessions(self) -> AsyncIterator[AsyncConnection[Any]]:
        arguments = session_arguments(self._url, role=self._role)
        hearing = await AsyncConnection.connect(self._url, autocommit=True, **arguments)
        try:
            await hearing.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            self._session = await AsyncConnection.connect(self._url, autocommit=True, **arguments)
            self._is_listening = True
            yield hearing
        finally:
            self._is_listening = False
            session, self._session = self._session, None
            self._ours.clear()
            self._armed.clear()
            for conn in (hearing, session):
                if conn is not None:
                    await conn.close()
            # What was told while nobody heard is looked for.
            for listener in self._listeners.values():
                listener.has_letters = True
                listener.rouse()

    async def _attend(self, hearing: AsyncConnection[Any]) -> None:
        """Hear and sweep until one of them fails."""
        tasks = [asyncio.create_task(self._hear(hearing)), asyncio.create_task(self._sweep())]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hear(self, hearing: AsyncConnection[Any]) -> None:
        async for notice in hearing.notifies():
            word, _, name = notice.payload.partition(" ")
            if word == "!":
                self._letters(name)
            elif word.isdigit():
                await self._rang(int(word))

    def _letters(self, pipeline: str) -> None:
        listener = self._listeners.get(pipeline)
        if listener is not None:
            listener.has_letters = True
            listener.wake.set()

    async def _rang(self, bell: int) -> None:
        """Open the bell, and wake who listens: one that has read everything arms it again."""
        async with self._asking:
            self._armed.discard(bell)
            if bell in self._ours and self._session is not None:
                self._ours.discard(bell)
                await self._session.execute(load("queries/relay_open"), {"bells": [bell]})
        for listener in self._listeners.values():
            if listener.bell == bell:
                listener.rouse()

    async def _sweep(self) -> None:
        """Look at whoever sleeps: for what was missed, and where nobody may ring."""
        last = 0.0
        while True:
            deaf = max(DEAF_SWEEP_SECONDS, len(self._listeners) * _DEAF_SECONDS_EACH)
            await asyncio.sleep(_REARM_SECONDS if self._may_ring else deaf)
            asleep = {name: listener for name, listener in self._listeners.items() if listener.seen is not None}
            if self._session is None:
                continue
            async with self._asking:
                if self._may_ring:
                    # A session that has ended holds no bell, and says so only when it is asked.
                    await self._session.execute("SELECT 1")
                    # Somebody else's bell may have been nobody's for a while: whoever relies on one looks each time.
                    borrowed = {name: one for name, one in asleep.items() if one.bell not in self._ours}
                    if borrowed:
                        await self._try(self._session, sorted({one.bell for one in borrowed.values()}))
                    now = asyncio.get_running_loop().time()
                    if now - last < SWEEP_SECONDS:
                        asleep = borrowed
                    else:
                        last = now
                await self._look(self._session, asleep)

    async def _look(self, session: AsyncConnection[Any], asleep: dict[str, Listener]) -> None:
        if not asleep:
            return
        parameters = {
            "names": list(asleep),
            "outbox_tables": [listener.table for listener in asleep.values()],
            "seen": [listener.seen for listener in asleep.values()],
        }
        cursor = await session.execute(load("queries/relay_pending"), parameters)
        for (name,) in await cursor.fetchall():
            asleep[name].rouse()

    async def _find(self, session: AsyncConnection[Any], listener: Listener) -> None:
        cursor = await session.execute(load("queries/relay_bells"), {"outboxes": [listener.outbox]})
        row = await cursor.fetchone()
        assert row is not None  # one for each that was asked for
        _, listener.bell, self._may_ring = row

    async def _try(self, session: AsyncConnection[Any], bells: list[int]) -> None:
        cursor = await session.execute(load("queries/relay_arm"), {"bells": bells})
        for bell, whose in await cursor.fetchall():
            if whose == "ours":
                self._ours.add(bell)
            if whose == "open":
                self._armed.discard(bell)
            else:
                self._armed.add(bell)
