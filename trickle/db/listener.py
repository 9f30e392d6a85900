"""A session that does nothing but listen, and is opened again whenever it ends."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence

import psycopg
from psycopg import AsyncConnection, sql

from trickle.clock import backoff_seconds
from trickle.db.session import session_arguments
from trickle.logs import event

log = logging.getLogger(__name__)


class Listener:
    """Calls `heard` with channel and payload of each notification; with None for a payload when one may be missed."""

    def __init__(self, url: str, role: str, channels: Sequence[str], heard: Callable[[str, str | None], None]) -> None:
        self._url = url
        self._role = role
        self._channels = channels
        self._heard = heard
        self.is_open = False

    async def run(self) -> None:
        """Until cancelled."""
        failures = 0
        while True:
            try:
                async with await AsyncConnection.connect(
                    self._url, autocommit=True, **session_arguments(self._url, role=self._role)
                ) as conn:
                    for channel in self._channels:
                        await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                    self.is_open = True
                    failures = 0
                    for channel in self._channels:
                        self._heard(channel, None)
                    async for notice in conn.notifies():
                        self._heard(notice.channel, notice.payload)
            except psycopg.Error as error:
                failures += 1
                if failures == 1:
                    event(log, logging.WARNING, "nothing is heard", session=self._role, error=str(error).strip())
            finally:
                self.is_open = False
            await asyncio.sleep(backoff_seconds(failures, base=0.1, cap=5.0, draw=random.random()))
