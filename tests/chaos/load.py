"""A load that never lets up: transactions of every ending, from a few threads, through lost connections."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from support.waiting import until

SETUP = (
    "CREATE TABLE orders (id int PRIMARY KEY, customer int, amount numeric(10,2))",
    "CREATE TABLE customers (id int, region text)",
    "INSERT INTO customers SELECT n, 'region ' || n % 4 FROM generate_series(0, 19) n",
    "INSERT INTO orders SELECT n, n % 20, n FROM generate_series(1, 2000) n",
)
QUERIES = {
    "plain": "SELECT id, amount FROM orders WHERE customer < 10",
    "bag": "SELECT customer, amount FROM orders",
    "totals": "SELECT customer, count(*) AS n, sum(amount) AS total, max(amount) AS most FROM orders GROUP BY customer",
    "regions": "SELECT c.region, count(*) AS n, sum(o.amount) AS total FROM orders o"
    " JOIN customers c ON c.id = o.customer GROUP BY c.region",
    "distinct_amounts": "SELECT DISTINCT amount FROM orders",
    "chain": "SELECT n, count(*) AS groups FROM totals GROUP BY n",
}


def statement(draw: random.Random) -> str:
    """One statement of an application."""
    key, customer = draw.randrange(3000), draw.randrange(20)
    return draw.choice(
        (
            f"INSERT INTO orders VALUES ({key}, {customer}, 1)"
            " ON CONFLICT (id) DO UPDATE SET amount = orders.amount + 1",
            f"INSERT INTO orders VALUES ({key}, {customer}, {key}) ON CONFLICT DO NOTHING",
            f"UPDATE orders SET amount = amount + 1 WHERE customer = {customer} AND id % 50 = {key % 50}",
            f"UPDATE orders SET customer = {customer} WHERE id = {key}",
            f"DELETE FROM orders WHERE id = {key}",
            f"DELETE FROM orders WHERE id BETWEEN {key} AND {key + 20}",
            f"UPDATE customers SET region = 'region {key % 4}' WHERE id = {customer}",
        )
    )


@contextmanager
def load(url: str, threads: int = 2) -> Iterator[None]:
    """Write until the block ends."""
    stop = threading.Event()
    workers = [threading.Thread(target=_write, args=(url, stop, seed), daemon=True) for seed in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        stop.set()
        for worker in workers:
            worker.join(30)


def _write(url: str, stop: threading.Event, seed: int) -> None:
    draw = random.Random(seed)
    while not stop.is_set():
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
                while not stop.wait(draw.random() * 0.02):
                    _transaction(connection, draw)
        except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction):
            # Ended by the test, or the server is away or a standby: an application connects again.
            stop.wait(0.05)


def _transaction(connection: psycopg.Connection[Any], draw: random.Random) -> None:
    try:
        with connection.transaction(force_rollback=draw.random() < 0.2):
            for _ in range(draw.randint(1, 5)):
                with connection.transaction(force_rollback=draw.random() < 0.2):
                    connection.execute(statement(draw).encode())
    except (psycopg.errors.DeadlockDetected, psycopg.errors.IntegrityError):
        return


def differences(connection: psycopg.Connection[Any], name: str) -> int:
    """In how many rows a stream table differs from its query."""
    query = QUERIES[name]
    columns = connection.execute(f"SELECT * FROM ({query}) q LIMIT 0".encode()).description or ()
    stored = f"SELECT {', '.join(column.name for column in columns)} FROM {name}"
    row = connection.execute(
        (
            f"SELECT (SELECT count(*) FROM ({query} EXCEPT ALL {stored}) q)"
            f" + (SELECT count(*) FROM ({stored} EXCEPT ALL {query}) q)"
        ).encode()
    ).fetchone()
    return int(row[0]) if row else -1


def assert_settled(connection: psycopg.Connection[Any]) -> None:
    """Everything becomes equal by itself, none has failed for good, and then nothing is left to do."""
    until(
        lambda: all(differences(connection, name) == 0 for name in QUERIES),
        seconds=60,
        what="every stream table equals its query",
    )
    states = connection.execute("SELECT pgt_name, status, program_state FROM pgtrickle.pgt_stream_tables").fetchall()
    assert {(status, program) for _, status, program in states} == {("ACTIVE", "compiled")}, states
    for name in QUERIES:
        row = connection.execute("SELECT equal FROM pgtrickle.verify(%s)", (name,)).fetchone()
        assert row == (True,), name
    left = (
        "SELECT FROM pgtrickle.pending() JOIN pgtrickle.pgt_stream_tables USING (pgt_id)"
        " WHERE has_changes AND pgt_name = ANY (%s)"
    )
    until(
        lambda: not connection.execute(left, (list(QUERIES),)).fetchall(),
        seconds=20,
        what="nothing pending",
    )
