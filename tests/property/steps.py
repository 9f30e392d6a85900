"""Concurrent transactions, moved one step at a time by one thread: every interleaving is a list of steps.

    sessions 0 … 2    write, set and undo savepoints, refresh; what they do stays open until they commit, roll
                      back or prepare
    session 3         every step is a transaction of its own, which commits before the older ones
    prepared          committed or rolled back later, by whoever is free

A step that would wait for another session gives up at once (`lock_timeout`) and counts as not taken; inside a
transaction it is guarded by a savepoint, or else it ends the transaction, as in an application.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from hypothesis import strategies as st
from psycopg.pq import TransactionStatus
from support.databases import Database

SESSIONS = 4
LONER = 3
# What a session may meet because of the others; it has then done nothing.
GIVEN_UP = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.IntegrityError,
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
)

TABLES = (
    "CREATE TABLE orders (id int PRIMARY KEY, customer int, amount numeric(8,2))",
    "CREATE TABLE customers (id int, region text)",
    "INSERT INTO orders SELECT n, n % 3, n FROM generate_series(1, 6) n",
    "INSERT INTO customers VALUES (0, 'x'), (1, 'y'), (1, NULL), (NULL, 'y')",
)
QUERIES = {
    "plain": "SELECT id, amount FROM orders WHERE customer > 0",
    "bag": "SELECT customer, region FROM orders CROSS JOIN customers WHERE orders.amount > 3",
    "totals": "SELECT customer, count(*) AS n, sum(amount) AS total, max(amount) AS most FROM orders GROUP BY customer",
    "regions": "SELECT c.region, count(*) AS n, sum(o.amount) AS total FROM orders o"
    " JOIN customers c ON c.id = o.customer GROUP BY c.region",
    "pairs": "SELECT a.id, b.id AS other FROM orders a JOIN orders b ON a.customer = b.customer AND a.id < b.id",
    "above": "SELECT n, count(*) AS groups FROM totals GROUP BY n",
}


@dataclass(frozen=True, slots=True)
class Step:
    """Who does what: a word, and an SQL statement or the name of a stream table where it takes one."""

    session: int
    word: str
    what: str = ""

    def __repr__(self) -> str:
        return f"{self.session}: {self.word} {self.what}".rstrip()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


def _writes() -> st.SearchStrategy[str]:
    number, key = st.integers(0, 3), st.integers(1, 9)
    return st.one_of(
        st.builds("INSERT INTO orders VALUES ({}, {}, {})".format, key, number, number),
        st.builds(
            "INSERT INTO orders VALUES ({}, 1, {}) ON CONFLICT (id) DO UPDATE SET amount = 9".format, key, number
        ),
        st.builds("INSERT INTO orders SELECT id + 10, customer, amount FROM orders WHERE id < {}".format, key),
        st.builds("UPDATE orders SET amount = amount + 1 WHERE customer = {}".format, number),
        st.builds("UPDATE orders SET customer = {} WHERE id = {}".format, number, key),
        st.builds("UPDATE orders SET id = id + 20 WHERE id = {}".format, key),
        st.builds("DELETE FROM orders WHERE id = {}".format, key),
        st.builds("DELETE FROM orders WHERE customer = {}".format, number),
        st.builds("INSERT INTO customers VALUES ({}, 'x'), ({}, NULL)".format, number, number),
        st.builds("UPDATE customers SET region = 'z' WHERE id = {}".format, number),
        st.builds("DELETE FROM customers WHERE ctid = (SELECT min(ctid) FROM customers WHERE id = {})".format, number),
        st.builds(
            "WITH gone AS (DELETE FROM orders WHERE id = {} RETURNING customer)"
            " INSERT INTO customers SELECT customer, 'w' FROM gone".format,
            key,
        ),
        st.builds(
            "MERGE INTO orders o USING (VALUES ({})) s (k) ON o.id = s.k WHEN MATCHED THEN DELETE"
            " WHEN NOT MATCHED THEN INSERT VALUES (s.k, 2, 2)".format,
            key,
        ),
        st.sampled_from(("TRUNCATE orders", "TRUNCATE customers", "UPDATE orders SET amount = amount")),
    )


def steps() -> st.SearchStrategy[Step]:
    """One step. Writes are most; TRUNCATE is rare because it makes the next refresh a full one."""
    session = st.integers(0, SESSIONS - 1)
    ends = ("commit", "commit", "commit", "rollback", "prepare", "prepare")
    between = ("savepoint", "release", "undo", "noise", "prune", "commit prepared", "roll back prepared")
    refresh = st.builds(Step, session, st.just("refresh"), st.sampled_from(list(QUERIES)))
    alone = st.builds(Step, st.just(LONER), st.just("refresh"), st.sampled_from(list(QUERIES)))
    return st.one_of(
        st.builds(Step, session, st.just("write"), _writes()),
        st.builds(Step, session, st.just("guarded"), _writes()),
        st.builds(Step, session, st.just("guarded"), _writes()),
        st.builds(Step, session, st.sampled_from(ends)),
        st.builds(Step, session, st.sampled_from(between)),
        refresh,
        alone,
    )


@dataclass(slots=True)
class Stage:
    """The sessions and what is open in each."""

    connections: list[psycopg.Connection[Any]]
    savepoints: list[list[str]] = field(default_factory=list)
    prepared: list[str] = field(default_factory=list)
    number: int = 0
    taken: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)

    def take(self, step: Step) -> None:
        """Take one step, or give it up."""
        connection = self.connections[step.session]
        if connection.info.transaction_status is TransactionStatus.INERROR:
            self._end(step.session, "ROLLBACK")
        is_open = connection.info.transaction_status is TransactionStatus.INTRANS
        if not is_open and step.session != LONER and step.word in ("write", "guarded", "refresh", "savepoint"):
            connection.execute("BEGIN")
            is_open = True
        self.taken.append(f"{step!r}{'' if is_open else ' (alone)'}")
        try:
            self._take(step, connection, is_open)
        except GIVEN_UP as error:
            self.taken[-1] += f" — given up: {type(error).__name__}"

    def _take(self, step: Step, connection: psycopg.Connection[Any], is_open: bool) -> None:
        session, names = step.session, self.savepoints[step.session]
        self.number += 1
        match step.word:
            case "commit" | "rollback" if is_open:
                self._end(session, step.word.upper())
            case "savepoint" if is_open:
                names.append(f"s{self.number}")
                connection.execute(f"SAVEPOINT {names[-1]}".encode())
            case "release" if names:
                connection.execute(f"RELEASE {names.pop()}".encode())
            case "undo" if names:
                connection.execute(f"ROLLBACK TO {names[-1]}".encode())
            case "prepare" if is_open:
                name = f"p{self.number}"
                self._end(session, f"PREPARE TRANSACTION '{name}'")
                self.prepared.append(name)
            case "commit prepared" | "roll back prepared" if self.prepared and not is_open:
                word = "COMMIT" if step.word.startswith("commit") else "ROLLBACK"
                connection.execute(f"{word} PREPARED '{self.prepared[0]}'".encode())
                self.prepared.pop(0)
            case "noise" if not is_open:
                # A later transaction that commits, so that earlier open ones are no longer the newest.
                connection.execute("SELECT pg_current_xact_id()")
            case "prune" if not is_open:
                connection.execute("SELECT pgtrickle._prune(source_id) FROM pgtrickle.pgt_change_tracking")
            case "write":
                connection.execute(step.what.encode())
            case "guarded":
                with connection.transaction():
                    connection.execute(step.what.encode())
            case "refresh":
                self.refresh(session, step.what)

    def refresh(self, session: int, name: str) -> str:
        """Refresh in the session's transaction, or one of its own, and compare in that same transaction.

        One thread moves everything, so nothing commits between the two, and both see what the frontier says.
        """
        connection = self.connections[session]
        with connection.transaction():
            row = connection.execute(
                "SELECT (r).action FROM pgtrickle._refresh((SELECT pgt_id FROM pgtrickle.pgt_stream_tables"
                " WHERE pgt_name = %s)) r",
                (name,),
            ).fetchone()
            different = compare(connection, name)
            assert not different, f"{name} differs at its frontier after {row}: {different}"
        self.outcomes.append(row[0] if row else "")
        return self.outcomes[-1]

    def _end(self, session: int, statement: str) -> None:
        self.savepoints[session].clear()
        self.connections[session].execute(statement.encode())


def compare(connection: psycopg.Connection[Any], name: str) -> Sequence[Any]:
    """The rows in which a stream table and its query differ, as this session sees both."""
    query = QUERIES[name]
    columns = connection.execute(f"SELECT * FROM ({query}) q LIMIT 0".encode()).description or ()
    stored = f"SELECT {', '.join(c.name for c in columns)} FROM {name}"
    statement = (
        f"(SELECT 'missing', q::text FROM ({query} EXCEPT ALL {stored}) q) UNION ALL"
        f" (SELECT 'extra', q::text FROM ({stored} EXCEPT ALL {query}) q)"
    )
    return connection.execute(statement.encode()).fetchall()


@contextmanager
def stage(db: Database, schema: str) -> Iterator[Stage]:
    """The sessions; afterwards nothing is open and nothing is prepared."""
    connections = [db.connect(prepare_threshold=None) for _ in range(SESSIONS)]
    opened = Stage(connections, [[] for _ in connections])
    try:
        for connection in connections:
            connection.execute(f"SET search_path = {schema}".encode())
            connection.execute("SET lock_timeout = '5ms'")
        yield opened
    except BaseException as error:
        error.add_note("\n".join(opened.taken))
        raise
    finally:
        for connection in connections:
            connection.rollback()
        for name in opened.prepared:
            connections[0].execute(f"ROLLBACK PREPARED '{name}'".encode())
        for connection in connections:
            connection.close()
