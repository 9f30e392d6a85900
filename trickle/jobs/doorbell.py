"""A session that does nothing but listen: somebody has enqueued while a runner slept.

Whoever enqueues shares the bell of the queue, an advisory lock, until the end of the transaction. A runner with nothing
to do holds the bell alone, in its other session; then it cannot be shared, and the commit notifies. While jobs flow
nobody notifies, and nobody ever waits.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

import psycopg
from psycopg import AsyncConnection, sql

from trickle.clock import backoff_seconds
from trickle.db.session import session_arguments
from trickle.logs import event

log = logging.getLogger(__name__)

CHANNEL = "pgtrickle_job"


class Doorbell:
    """Calls `rang` with every bell of a queue that rings, and with None when one may have been missed."""

    def __init__(self, url: str, rang: Callable[[int | None], None]) -> None:
        self._url = url
        self._rang = rang
        self.is_heard = False

    async def run(self) -> None:
        """Until cancelled."""
        failures = 0
        while True:
            try:
                async with await AsyncConnection.connect(
                    self._url, autocommit=True, **session_arguments(self._url, role="jobs_bell")
                ) as conn:
                    await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
                    self.is_heard = True
                    failures = 0
                    self._rang(None)
                    async for notice in conn.notifies():
                        self._rang(int(notice.payload) if notice.payload.isdecimal() else None)
            except psycopg.Error as error:
                failures += 1
                if failures == 1:
                    event(log, logging.WARNING, "the bell of queues is not heard", error=str(error).strip())
            finally:
                self.is_heard = False
            await asyncio.sleep(backoff_seconds(failures, base=0.1, cap=5.0, draw=random.random()))
