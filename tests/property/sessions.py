"""Sessions that really wait for each other: each has a thread, and one hand that moves them in turn.

A statement is over, or waits for a lock of another session; then the others go on, and it comes to its end when
they commit. What a session sees after each of its statements, in the same transaction, must be right.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

# How the server may end a statement because of the others; its transaction is then rolled back.
CONFLICTS = (
    psycopg.errors.IntegrityError,
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
)
PATIENCE_SECONDS = 20.0


@dataclass
class Session:
    """One connection, driven by a thread of its own."""

    connection: psycopg.Connection[Any]
    todo: queue.SimpleQueue[Callable[[], None] | None] = field(default_factory=queue.SimpleQueue)
    idle: threading.Event = field(default_factory=threading.Event)
    failure: BaseException | None = None
    conflicts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.idle.set()
        self.pid = self.connection.info.backend_pid
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    @property
    def is_open(self) -> bool:
        return self.connection.info.transaction_status is not TransactionStatus.IDLE

    def start(self, action: Callable[[], None]) -> None:
        self.idle.clear()
        self.todo.put(action)

    def close(self) -> None:
        self.todo.put(None)
        self.connection.cancel()
        self.thread.join(PATIENCE_SECONDS)
        self.connection.close()

    def _work(self) -> None:
        while (action := self.todo.get()) is not None:
            try:
                action()
            except CONFLICTS as error:
                self.conflicts.append(type(error).__name__)
                self.connection.rollback()
            except BaseException as error:
                self.failure = error
            finally:
                self.idle.set()


@dataclass
class Hand:
    """Moves the sessions, one step at a time, and looks on from a connection of its own."""

    sessions: Sequence[Session]
    watch: psycopg.Connection[Any]
    check: Callable[[psycopg.Connection[Any]], None]
    script: list[str] = field(default_factory=list)
    waits: int = 0

    def write(self, number: int, statement: str) -> bool:
        """Run a statement in a session's transaction, and look at the outcome there; not if it still waits."""
        session = self.sessions[number]
        if not session.idle.is_set():
            return False
        self.script.append(f"{number}: {statement}")

        def action() -> None:
            session.connection.execute(statement.encode())
            self.check(session.connection)

        self._do(session, action)
        return True

    def end(self, number: int, word: str) -> bool:
        session = self.sessions[number]
        if not session.idle.is_set() or not session.is_open:
            return False
        self.script.append(f"{number}: {word}")
        self._do(session, session.connection.commit if word == "COMMIT" else session.connection.rollback)
        return True

    def finish(self) -> None:
        """Let everybody commit, in whatever order the locks allow."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(s.is_open or not s.idle.is_set() for s in self.sessions):
            for number in range(len(self.sessions)):
                self.end(number, "COMMIT")
            if time.monotonic() > deadline:
                raise AssertionError("the sessions wait for each other for ever")
            time.sleep(0.001)
        self._raise()
        self.check(self.watch)

    def _do(self, session: Session, action: Callable[[], None]) -> None:
        session.start(action)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not session.idle.wait(0.003):
            waiting = self.watch.execute("SELECT cardinality(pg_blocking_pids(%s))", (session.pid,)).fetchone()
            if waiting and waiting[0]:
                self.script[-1] += "  -- waits"
                self.waits += 1
                break
            if time.monotonic() > deadline:
                raise AssertionError(f"neither done nor waiting: {self.script[-1]}")
        self._raise()

    def _raise(self) -> None:
        for session in self.sessions:
            if session.failure is not None:
                session.failure.add_note("\n".join(self.script))
                raise session.failure
