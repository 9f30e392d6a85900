"""The third session of the parent: it waits for the end of one peer, so that a death is noticed when it happens.

    none ──aim──▶ waiting for a peer ──granted──▶ resting: the peer has ended
                    │ ▲   └──out of patience──▶ waits again at once
                    └─┘ aimed at another: the wait is cancelled, and its answer is the occasion to wait for that one

A wait is one statement that is sent and not waited for: the loop wakes up when its answer comes. Without this
session nothing is lost but speed, so whatever goes wrong here is logged and tried again by the next `aim`.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.pq import ExecStatus

from trickle.clock import backoff_seconds
from trickle.db.locks import LockKey
from trickle.db.session import connect
from trickle.logs import event
from trickle.sql import load

log = logging.getLogger(__name__)

# A waiting statement has a snapshot, which keeps VACUUM from cleaning up; this is how old it gets. Less than a second
# is also less than deadlock_timeout, after which the server would look for deadlocks and may log the wait.
PATIENCE_SECONDS = 0.9
_AWAIT = b"SELECT pgtrickle._await_end($1::int, $2::int, $3::int)"
_BACKOFF_BASE_SECONDS = 0.5
_BACKOFF_CAP_SECONDS = 10.0


class Watch:
    """Waits for one peer at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: Connection[Any] | None = None
        self._peer: LockKey | None = None
        self._waits_for: LockKey | None = None
        self._failures = 0
        self._retry_at = 0.0

    def aim(self, peer: LockKey | None, now: float, cancel: Callable[[int], None]) -> None:
        """Watch this peer from now on; `cancel` ends the statement of a session, given its process id.

        Sessions are opened on the way, and opened again when they were lost, with growing pauses.
        """
        self._peer = peer
        try:
            if self._waits_for is None:
                self._wait(now)
            elif self._waits_for != peer and self._conn is not None:
                cancel(self._conn.info.backend_pid)
        except psycopg.Error as error:
            self._lost(error, now)

    def waits_on(self) -> list[Connection[Any]]:
        """What becomes readable when a wait has ended."""
        return [self._conn] if self._conn is not None else []

    def hear(self, now: float) -> bool:
        """Whether the peer that was waited for has ended. Asked when the session is readable."""
        if self._conn is None:
            return False
        try:
            answer = self._answer(self._conn)
            if answer is None:
                return False
            self._waits_for = None
            if answer:
                return True
            self._wait(now)
        except psycopg.Error as error:
            self._lost(error, now)
        return False

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
        self._conn = None
        self._waits_for = None

    def _wait(self, now: float) -> None:
        if self._peer is None or now < self._retry_at:
            return
        if self._conn is None:
            self._conn = connect(self._url, role="watch")
            self._conn.execute(load("queries/watch_session_settings"))
        numbers = (self._peer.group, self._peer.name, round(PATIENCE_SECONDS * 1000))
        self._conn.pgconn.send_query_params(_AWAIT, [str(number).encode() for number in numbers])
        while self._conn.pgconn.flush():
            pass
        self._waits_for = self._peer

    def _answer(self, conn: Connection[Any]) -> bool | None:
        """What the wait came to; None while it goes on."""
        pgconn = conn.pgconn
        pgconn.consume_input()
        if self._waits_for is None or pgconn.is_busy():
            return None
        granted = False
        while (result := pgconn.get_result()) is not None:
            if result.status != ExecStatus.TUPLES_OK:
                raise psycopg.OperationalError(result.get_error_message())
            granted = result.get_value(0, 0) == b"t"
        self._failures = 0
        return granted

    def _lost(self, error: psycopg.Error, now: float) -> None:
        self.close()
        self._failures += 1
        pause = backoff_seconds(
            self._failures, base=_BACKOFF_BASE_SECONDS, cap=_BACKOFF_CAP_SECONDS, draw=random.random()
        )
        self._retry_at = now + pause
        event(
            log,
            logging.WARNING,
            "nobody is watched: the end of a peer is noticed only by looking",
            error=str(error).strip(),
            retry_seconds=round(pause, 2),
        )
