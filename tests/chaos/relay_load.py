"""Publishers that never let up: some transactions commit at once, some late, some never.

    steady writers   short transactions, now and then with a savepoint that is rolled back
    a late writer    publishes, lets others overtake it, and commits

Each key belongs to one writer, which numbers its messages; so what is to arrive, and in which order, can be read from
the outbox alone. A publisher may fail when its server is killed, and for no other reason.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import psycopg

_KEYS_OF_ONE = 4
_PADDING = "x" * 100


class Told(NamedTuple):
    """A message, as its publisher knows it and as it has to arrive."""

    event_id: str
    key: str
    number: int


def told(event_id: str, payload: Any) -> Told:
    """From what was published; the payload as text or parsed."""
    document = json.loads(payload) if isinstance(payload, str | bytes) else payload
    return Told(event_id, document["key"], int(document["n"]))


class Load:
    """Writes to an outbox until the block ends."""

    def __init__(self, url: str, outbox: str, seed: int) -> None:
        self.committed: set[str] = set()
        self.rolled_back: set[str] = set()
        self.failures: list[str] = []
        self.slowest_seconds = 0.0  # that a statement or a commit took
        self._url = url
        self._outbox = outbox
        self._stop = threading.Event()
        self._lives = 0  # of the server; odd while it is away
        writers = [(self._steadily, "a"), (self._steadily, "b"), (self._late, "late")]
        self._threads = [
            threading.Thread(target=self._write, args=(transaction, name, random.Random(f"{seed} {name}")), daemon=True)
            for transaction, name in writers
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """After the transactions that are under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    @property
    def alive(self) -> int:
        """How many writers are at work."""
        return sum(thread.is_alive() for thread in self._threads)

    @contextmanager
    def without_server(self) -> Iterator[None]:
        """Meanwhile, and for sessions from before, a lost connection is nobody's fault."""
        self._lives += 1
        try:
            yield
        finally:
            self._lives += 1

    def _write(self, transaction: Any, name: str, draw: random.Random) -> None:
        numbers = dict.fromkeys((f"{name}{key}" for key in range(_KEYS_OF_ONE)), 0)
        while not self._stop.is_set():
            life = self._lives
            try:
                with psycopg.connect(self._url, autocommit=True, connect_timeout=10) as conn:
                    while not self._stop.is_set():
                        transaction(conn, draw, numbers)
            except psycopg.Error as error:
                if life % 2 == 0 and life == self._lives:
                    self.failures.append(f"{name}: {error!r}")
                self._stop.wait(0.05)

    def _steadily(self, conn: psycopg.Connection[Any], draw: random.Random, numbers: dict[str, int]) -> None:
        gone: set[str] = set()
        made: set[str] = set()
        is_undone = draw.random() < 0.15
        with conn.transaction(force_rollback=is_undone):
            for _ in range(draw.randint(1, 5)):
                made.add(self._publish(conn, draw, numbers))
            with conn.transaction(force_rollback=draw.random() < 0.3) as inner:
                (gone if inner.force_rollback else made).add(self._publish(conn, draw, numbers))
        self._note(conn, made, gone, is_undone=is_undone)
        self._stop.wait(draw.uniform(0, 0.06))

    def _late(self, conn: psycopg.Connection[Any], draw: random.Random, numbers: dict[str, int]) -> None:
        is_undone = draw.random() < 0.3
        with conn.transaction(force_rollback=is_undone):
            made = {self._publish(conn, draw, numbers) for _ in range(3)}
            self._stop.wait(draw.uniform(0.05, 0.8))
        self._note(conn, made, set(), is_undone=is_undone)

    def _publish(self, conn: psycopg.Connection[Any], draw: random.Random, numbers: dict[str, int]) -> str:
        key = draw.choice(list(numbers))
        numbers[key] += 1
        payload = json.dumps({"key": key, "n": numbers[key], "padding": _PADDING})
        began = time.monotonic()
        row = conn.execute("SELECT pgtrickle.publish(%s, %s, %s)::text", (self._outbox, key, payload)).fetchone()
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
        assert row is not None
        return str(row[0])

    def _note(self, conn: psycopg.Connection[Any], made: set[str], gone: set[str], *, is_undone: bool) -> None:
        """After the end of a transaction; of one whose end was cut off nobody knows."""
        if conn.broken:  # which psycopg tells nobody when it was lost while something was rolled back
            raise psycopg.OperationalError("the session has ended in the middle of a transaction")
        (self.rolled_back if is_undone else self.committed).update(made)
        self.rolled_back.update(gone)


def published(conn: psycopg.Connection[Any], outbox: str) -> list[Told]:
    """What is committed, in the order in which the writer of each key has published it."""
    rows = conn.execute(f"SELECT pgt_id::text, payload FROM pgtrickle.outbox_{outbox} ORDER BY id".encode()).fetchall()
    return [told(event_id, payload) for event_id, payload in rows]
