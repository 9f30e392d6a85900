"""The one session of a child, settled once, and what every job does on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection, Cursor
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from trickle.sql import load
from trickle.worker.protocol import Outcome, Part

CompileProgram = Callable[[Connection[TupleRow], int], Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the session of a child: two that the server enforces, and what it may keep in the server's memory."""

    statement_seconds: float = 300.0
    lock_seconds: float = 30.0
    stream_tables: int = 250  # whose plans one session keeps


@dataclass(slots=True)
class Workbench:
    """The session of a child and what belongs to it."""

    conn: Connection[TupleRow]
    pooled: bool
    limits: Limits
    compile_program: CompileProgram | None = None
    initiated_by: str = "SCHEDULER"
    met: set[int] = field(default_factory=set)  # the stream tables whose plans the session keeps

    @classmethod
    def prepare(
        cls,
        conn: Connection[TupleRow],
        pooled: bool,
        limits: Limits,
        compile_program: CompileProgram | None = None,
        initiated_by: str = "SCHEDULER",
    ) -> Workbench:
        """Settle the session once; behind a pooler each job brings its settings along instead."""
        bench = cls(conn, pooled, limits, compile_program, initiated_by)
        if not pooled:
            conn.execute(load("queries/worker_session_settings"), bench.settings(is_local=False))
        return bench

    @property
    def backend_pid(self) -> int | None:
        return None if self.pooled else self.conn.info.backend_pid

    @property
    def is_lost(self) -> bool:
        return self.conn.closed or self.conn.info.transaction_status is TransactionStatus.UNKNOWN

    @property
    def is_full(self) -> bool:
        """Whether the session keeps the plans of more stream tables than it may; only with its end does it forget any.

        A pooler ends sessions by its own rules.
        """
        return not self.pooled and len(self.met) > self.limits.stream_tables

    def settings(self, *, is_local: bool) -> dict[str, object]:
        return {
            "statement_timeout": f"{max(1, round(self.limits.statement_seconds * 1000))}ms",
            "lock_timeout": f"{max(1, round(self.limits.lock_seconds * 1000))}ms",
            "is_local": is_local,
        }

    def one(self, name: str, parameters: dict[str, object]) -> TupleRow | None:
        """The row of one call: one round trip on a session of our own, a transaction behind a pooler."""
        if not self.pooled:
            return self.conn.execute(load(name), parameters).fetchone()
        with self.transaction():
            return self.conn.execute(load(name), parameters).fetchone()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several calls in one transaction."""
        with self.conn.transaction():
            if self.pooled:
                self.conn.execute(load("queries/worker_session_settings"), self.settings(is_local=True))
            yield

    def refresh(self, pgt_id: int) -> Part:
        """One refresh, in the transaction in progress or in one of its own."""
        if self.pooled and self.conn.info.transaction_status is TransactionStatus.IDLE:
            with self.transaction():
                return self.answer(pgt_id, self.ask(pgt_id))
        return self.answer(pgt_id, self.ask(pgt_id))

    def ask(self, pgt_id: int) -> Cursor[TupleRow]:
        """Send the call of a refresh; in a pipeline its answer comes later."""
        self.met.add(pgt_id)
        parameters: dict[str, object] = {"pgt_id": pgt_id, "initiated_by": self.initiated_by}
        return self.conn.execute(load("queries/worker_refresh"), parameters)

    def answer(self, pgt_id: int, cursor: Cursor[TupleRow]) -> Part:
        """What became of a call."""
        row = cursor.fetchone()
        if row is None:
            return Part(pgt_id, Outcome("NO_DATA"), 0.0)
        action, inserted, updated, deleted, reason, seconds = row
        return Part(pgt_id, Outcome(action, inserted or 0, updated or 0, deleted or 0, reason), seconds)

    def close(self) -> None:
        self.conn.close()
