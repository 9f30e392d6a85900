"""Two sessions of the parent: one that holds the locks and does nothing else, one that asks and notes. (The third is
in `watch`.)

    closed ──open──▶ connected (control only) ──join──▶ joined (control, membership, claims)

On a standby the link stays connected and does not join: a lock taken there would survive promotion without
meaning anything. Every loss falls back by one step, and the way up again is tried with jittered back-off.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any

import psycopg
from psycopg import Connection

from trickle.clock import Clock, backoff_seconds
from trickle.db.locks import LockName, LockSession, instance_name
from trickle.db.session import PREPARE_AFTER, connect, is_pooled
from trickle.errors import ConfigurationError, TryAgain
from trickle.logs import event
from trickle.sql import load
from trickle.supervisor.observe import Database, read_database, read_lock_table
from trickle.supervisor.options import InstanceOptions
from trickle.supervisor.signals import SignalInbox

log = logging.getLogger(__name__)

WAKE_CHANNEL = "pgtrickle_wake"
_NOTHING: frozenset[LockName] = frozenset()
_BACKOFF_BASE_SECONDS = 0.1
_BACKOFF_CAP_SECONDS = 2.0


class NotAdmitted(Exception):
    """The membership lock of our name is held by another session."""


class ServerLink:
    """Opens, closes and counts attempts; what the sessions are used for is the instance's business."""

    def __init__(self, options: InstanceOptions, instance_id: str) -> None:
        self._options = options
        self.instance_id = instance_id
        self.membership = LockName(options.members_of, instance_name(instance_id))
        self.control: Connection[Any] | None = None
        self.locks: LockSession | None = None
        self.database: Database | None = None
        self.shard_counts: frozenset[int] = frozenset()
        self.meanwhile: Callable[[], None] | None = None  # done while a statement of the control session takes long
        self._failures = 0
        self._retry_at = 0.0
        self._held = _NOTHING
        self._names: frozenset[str] = frozenset()

    def may_try(self, now: float) -> bool:
        return now >= self._retry_at

    def failed(self, now: float) -> float:
        """Note a failed attempt; the seconds until the next."""
        self._failures += 1
        wait = backoff_seconds(
            self._failures, base=_BACKOFF_BASE_SECONDS, cap=_BACKOFF_CAP_SECONDS, draw=random.random()
        )
        self._retry_at = now + wait
        return wait

    def succeeded(self) -> None:
        self._failures = 0
        self._retry_at = 0.0

    def connect(self) -> Connection[Any]:
        """The control session, opened when it is not open."""
        if self.control is not None and not self.control.closed:
            return self.control
        conn = connect(self._options.url, role="scheduler")
        try:
            if not is_pooled(conn):
                conn.execute(load("queries/instance_session_settings"))
                conn.prepare_threshold = PREPARE_AFTER
            self.database = read_database(conn)
        except BaseException:
            conn.close()
            raise
        conn.meanwhile = self.meanwhile
        self.control = conn
        return conn

    def join(self) -> LockSession:
        """Open the lock session, take our membership and announce it."""
        locks = LockSession(self._options.lock_url, WAKE_CHANNEL)
        try:
            if not locks.take([self.membership]):
                raise NotAdmitted(self.instance_id)
            self._require_same_database(locks)
        except BaseException:
            locks.close()
            raise
        self.locks = locks
        self.announce()
        return locks

    def announce(self) -> None:
        """Write who we are beside the membership lock, which alone proves that we live."""
        if self.locks is not None:
            self.connect().execute(load("queries/instance_register"), self._announcement(self.locks))

    def announce_shards(self, counts: frozenset[int]) -> None:
        """Say of which numbers of shards we may hold claims."""
        if counts == self.shard_counts or self.locks is None:
            return
        parameters = {
            "instance_id": self.instance_id,
            "group_id": self._options.members_of,
            "shard_counts": sorted(counts),
        }
        self.shard_counts = counts
        if not self.connect().execute(load("queries/instance_shards"), parameters).rowcount:
            self.announce()

    def announce_waits(self, pgt_ids: frozenset[int]) -> None:
        """Say which claimed stream tables are left alone, so that views show who works on them."""
        parameters = {
            "instance_id": self.instance_id,
            "group_id": self._options.members_of,
            "pgt_ids": sorted(pgt_ids),
        }
        self.connect().execute(load("queries/instance_waits"), parameters)

    def leave(self) -> None:
        """Be no member any more: from now on the others share our work. What is in hand is still ours."""
        if self.locks is not None:
            self.locks.release([self.membership])

    def say_farewell(self) -> None:
        """Take our announcement away; without it the claims that are left would have no name in the views."""
        if self.locks is None or is_lost(self.control) or self.control is None:
            return
        parameters = {
            "group_id": self._options.members_of,
            "instance_id": self.instance_id,
            "backend_pid": self.locks.backend_pid,
        }
        with contextlib.suppress(psycopg.Error):
            self.control.execute(load("queries/instance_unregister"), parameters)

    def drop_locks(self) -> None:
        if self.locks is not None:
            self.locks.close()
        self.locks = None
        self.shard_counts = frozenset()

    def drop_control(self) -> None:
        if self.control is not None:
            self.control.close()
        self.control = None

    def close(self) -> None:
        self.drop_locks()
        self.drop_control()

    def held_names(self) -> frozenset[str]:
        """The names of stream tables whose claims we hold: the same object until that changes."""
        held = self.locks.held if self.locks is not None else _NOTHING
        if held is not self._held:
            self._held = held
            self._names = frozenset(lock.name for lock in held if self._is_claim(lock))
        return self._names

    def take(self, names: frozenset[str]) -> None:
        if self.locks is not None and names:
            self.locks.take([LockName(self._options.group_id, name) for name in sorted(names)])

    def release(self, names: frozenset[str]) -> None:
        if self.locks is not None and names:
            self.locks.release([LockName(self._options.group_id, name) for name in names])

    def _is_claim(self, lock: LockName) -> bool:
        return lock.group == self._options.group_id and lock != self.membership

    def _require_same_database(self, locks: LockSession) -> None:
        if self.database is not None and locks.database_oid() != self.database.oid:
            raise ConfigurationError(
                "the lock session is in another database than the worker's own session",
                hint="--direct-url must lead to the same database as --postgres-url, without the pooler",
            )

    def _announcement(self, locks: LockSession) -> dict[str, object]:
        return {
            "instance_id": self.instance_id,
            "group_id": self._options.members_of,
            "hostname": socket.gethostname(),
            "pid": os.getpid(),
            "backend_pid": locks.backend_pid,
            "capacity": self._options.capacity,
            "lock_budget": read_lock_table(self.connect()) * self._options.claim_lock_percent // 100,
            "shard_counts": sorted(self.shard_counts),
        }


class Unreachable(TryAgain):
    """The server never answered while the instance waited for it at start."""


def reach(link: ServerLink, startup_seconds: float, inbox: SignalInbox, clock: Clock) -> bool:
    """The first connection, patient with a server that is starting; False when told to stop meanwhile."""
    give_up_at = clock.monotonic() + startup_seconds
    while True:
        try:
            link.connect()
            link.succeeded()
            return True
        except psycopg.OperationalError as error:
            pause = link.failed(clock.monotonic())
            if clock.monotonic() + pause > give_up_at:
                raise Unreachable(str(error).strip()) from error
            event(log, logging.WARNING, "the server does not answer yet", error=str(error).strip())
        wait([inbox.fileno()], pause)
        if inbox.stops():
            return False


def is_lost(conn: Connection[Any] | None) -> bool:
    """Whether a session must be opened anew before it can be used."""
    return conn is None or conn.closed or conn.info.transaction_status is psycopg.pq.TransactionStatus.UNKNOWN
