"""Advisory locks: how their keys are made, and the one session of an instance that holds them.

    claim of a stream table   (hashtext(group id), hashtext('schema.name'))
    claim of a shard of them  (hashtext(group id), hashtext('shard:K/N')), K = hashtext('schema.name') & (N - 1)
    membership of an instance (hashtext(group id), hashtext('instance:' || instance id))
    catalog repair            (hashtext('pg_trickle'), hashtext('restore'))
    bell of a source          (pgtrickle._bell_class(), pgtrickle._bell(source id)): see `supervisor.bells`

These are permanent: instances of two releases share them during an upgrade, and operators read them in
pg_locks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from trickle.db.session import PREPARE_AFTER, connect, is_pooled
from trickle.errors import Refused
from trickle.sql import load

INSTANCE_PREFIX = "instance:"
SHARD_PREFIX = "shard:"
_SHARD = re.compile(rf"{SHARD_PREFIX}\d+/(\d+)")
REPAIR_GROUP = "pg_trickle"
REPAIR_NAME = "restore"


def instance_name(instance_id: str) -> str:
    return INSTANCE_PREFIX + instance_id


def shard_name(number: int, count: int) -> str:
    return f"{SHARD_PREFIX}{number}/{count}"


def shard_count(name: str) -> int | None:
    """N of `shard:K/N`; None for any other name. That of a stream table always has a dot."""
    found = _SHARD.fullmatch(name)
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class LockName:
    """A name in a group, as people see it; the server sees the hashes of both."""

    group: str
    name: str


@dataclass(frozen=True, slots=True)
class LockKey:
    """The two signed 32-bit numbers that stand in pg_locks."""

    group: int
    name: int


class LockSession:
    """A session that does nothing but hold locks; when it is gone, so are they."""

    def __init__(self, url: str, channel: str | None = None) -> None:
        self._keys: dict[LockName, LockKey] = {}
        self._names: dict[LockKey, set[LockName]] = {}
        self._held: frozenset[LockName] | None = None
        self._rung: list[str] = []
        self._armed: set[int] = set()
        self._conn = connect(url, role="lock")
        try:
            self._prepare(channel)
        except BaseException:
            self._conn.close()
            raise

    def _prepare(self, channel: str | None) -> None:
        if is_pooled(self._conn):
            raise Refused(
                "the lock session is connected through a connection pooler, which cannot keep session locks",
                hint="give a direct connection to the server with --direct-url",
            )
        self._conn.execute(load("queries/lock_session_settings"))
        self._conn.prepare_threshold = PREPARE_AFTER
        if channel is not None:
            self._conn.add_notify_handler(self._ring)
            self._conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))

    @property
    def backend_pid(self) -> int:
        return self._conn.info.backend_pid

    def fileno(self) -> int:
        """Readable when a doorbell rang or when the server ended the session."""
        return self._conn.fileno()

    @property
    def is_closed(self) -> bool:
        return self._conn.closed or self._conn.info.transaction_status is TransactionStatus.UNKNOWN

    @property
    def held(self) -> frozenset[LockName]:
        """All names that are held: the same object until that changes."""
        if self._held is None:
            self._held = frozenset(self._keys)
        return self._held

    def take(self, names: Iterable[LockName]) -> frozenset[LockName]:
        """Try to hold each name, without waiting; the names held now, of those asked for."""
        asked = list(dict.fromkeys(names))
        keys = self._hash([name for name in asked if name not in self._keys])
        wanted = [key for key in dict.fromkeys(keys.values()) if key not in self._names]
        granted = self._lock(wanted)
        for name, key in keys.items():
            if key in granted or key in self._names:
                self._keys[name] = key
                self._held = None
                self._names.setdefault(key, set()).add(name)
        return frozenset(name for name in asked if name in self._keys)

    def release(self, names: Iterable[LockName]) -> None:
        """Let go of names; a key goes back to the server with the last name behind it."""
        free: list[LockKey] = []
        for name in set(names) & self._keys.keys():
            key = self._keys.pop(name)
            self._held = None
            self._names[key].discard(name)
            if not self._names[key]:
                del self._names[key]
                free.append(key)
        if free:
            self._conn.execute(load("queries/lock_release"), _columns(free))

    def is_intact(self) -> bool:
        """Whether the server still has this session and every key we believe to hold."""
        if not self._names:
            row = self._conn.execute("SELECT pg_backend_pid()").fetchone()
            return row is not None and int(row[0]) == self.backend_pid
        parameters = {**_columns(list(self._names)), "pid": self.backend_pid}
        row = self._conn.execute(load("queries/lock_count"), parameters).fetchone()
        return row is not None and int(row[0]) == len(self._names)

    @property
    def has_rung(self) -> bool:
        """Whether a call came with the answer to a statement, or behind it: then the session is not readable."""
        while (notice := self._conn.pgconn.notifies()) is not None:
            self._rung.append(notice.extra.decode())
        return bool(self._rung)

    def doorbells(self) -> list[str]:
        """What was called through the door since the last look; raises OperationalError when the session has ended."""
        self._conn.pgconn.consume_input()
        if not self.has_rung:
            return []
        rung, self._rung = self._rung, []
        return rung

    @property
    def armed(self) -> frozenset[int]:
        """The bells that this session has armed."""
        return frozenset(self._armed)

    def arm_bells(self, bells: Iterable[int]) -> dict[int, int | None]:
        """Try to arm these bells: the session that has armed each one now, None when it stays open."""
        wanted = sorted(set(bells) - self._armed)
        said = {int(bell): str(word) for bell, word in self._rows("queries/wake_arm", {"bells": wanted})}
        self._armed.update(bell for bell, word in said.items() if word == "ours")
        theirs = [bell for bell, word in said.items() if word == "theirs"]
        holders = dict(self._rows("queries/wake_holders", {"bells": theirs})) if theirs else {}
        ours = dict.fromkeys(self._armed.intersection(bells), self.backend_pid)
        return {bell: holders.get(bell) for bell in said} | ours

    def open_bells(self, bells: Iterable[int], payload: str) -> None:
        """Open bells of ours, and call that through the door if somebody else may listen."""
        opened = sorted(self._armed.intersection(bells))
        self._armed.difference_update(opened)
        self._conn.execute(load("queries/wake_open"), {"bells": opened, "payload": payload})

    def beat(self, parameters: dict[str, object]) -> tuple[Any, ...] | None:
        """A heartbeat: this session has nothing to wait for, so it is never late."""
        return self._conn.execute(load("queries/instance_heartbeat"), parameters).fetchone()

    def key_of(self, name: LockName) -> LockKey:
        """The key of a name, held or not."""
        return self._hash([name])[name]

    def cancel_watch(self, backend_pid: int) -> None:
        """End the wait of a session of our own role."""
        self._conn.execute(load("queries/watch_cancel"), {"backend_pid": backend_pid})

    def say(self, words: str) -> None:
        """Make this the name of the session, for everybody on the server to read."""
        self._conn.execute(load("queries/pool_say"), {"name": words})

    def database_oid(self) -> int:
        row = self._conn.execute(load("queries/instance_database")).fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        self._conn.close()

    def _ring(self, notice: psycopg.Notify) -> None:
        """A doorbell that arrived with the answer to a statement."""
        self._rung.append(notice.payload)

    def _rows(self, name: str, parameters: dict[str, object]) -> list[tuple[Any, ...]]:
        return self._conn.execute(load(name), parameters).fetchall()

    def _hash(self, names: list[LockName]) -> dict[LockName, LockKey]:
        if not names:
            return {}
        parameters = {"groups": [n.group for n in names], "names": [n.name for n in names]}
        rows = self._conn.execute(load("queries/lock_keys"), parameters).fetchall()
        return {LockName(group, name): LockKey(int(k1), int(k2)) for group, name, k1, k2 in rows}

    def _lock(self, keys: list[LockKey]) -> frozenset[LockKey]:
        if not keys:
            return frozenset()
        try:
            rows = self._conn.execute(load("queries/lock_take"), _columns(keys)).fetchall()
        except psycopg.errors.OutOfMemory:
            # The locks that it got before the table was full outlive the failed statement.
            self._conn.execute(load("queries/lock_release"), _columns(keys))
            raise
        return frozenset(LockKey(int(k1), int(k2)) for k1, k2, granted in rows if granted)


def _columns(keys: list[LockKey]) -> dict[str, object]:
    return {"groups": [key.group for key in keys], "names": [key.name for key in keys]}
