"""Logical replication applies rows without statements: IMMEDIATE stream tables over them follow at commit."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
from support.server import SETTINGS, require_server

import trickle
from trickle import embedded
from trickle.catalog import migrate

from .conftest import Connection

TABLES = (
    "CREATE TABLE orders (id int PRIMARY KEY, customer int, amount int)",
    "CREATE TABLE customers (id int PRIMARY KEY, region text)",
)
GROUPS = (
    "SELECT c.region, count(*) AS n, sum(o.amount) AS total"
    " FROM orders o JOIN customers c ON c.id = o.customer GROUP BY c.region"
)


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Connection, Connection]]:
    """A publisher and its subscriber, two databases of one server that may be published."""
    require_server()
    with embedded.temporary(settings={**SETTINGS, "wal_level": "logical"}) as server:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute("CREATE DATABASE here")
            admin.execute("CREATE DATABASE there")
        migrate.init(server.url("there"))
        with (
            psycopg.connect(server.url("here"), autocommit=True) as here,
            psycopg.connect(server.url("there"), autocommit=True) as there,
        ):
            for statement in TABLES:
                here.execute(statement.encode())
                there.execute(statement.encode())
            here.execute("INSERT INTO customers VALUES (1, 'x'), (2, 'y')")
            here.execute("INSERT INTO orders SELECT i, 1 + i % 2, i FROM generate_series(1, 10) i")
            with trickle.connect(server.url("there")) as client:
                client.create_stream_table("st", GROUPS, refresh_mode="IMMEDIATE")
            here.execute("CREATE PUBLICATION all_of_it FOR TABLE orders, customers")
            here.execute("SELECT pg_create_logical_replication_slot('replay', 'pgoutput')")
            there.execute(
                psycopg.sql.SQL(
                    "CREATE SUBSCRIPTION replay CONNECTION {} PUBLICATION all_of_it WITH (create_slot = false)"
                ).format(psycopg.sql.Literal(server.url("here")))
            )
            yield here, there
            there.execute("ALTER SUBSCRIPTION replay DISABLE")
            there.execute("ALTER SUBSCRIPTION replay SET (slot_name = NONE)")
            there.execute("DROP SUBSCRIPTION replay")


def follows(here: Connection, there: Connection) -> bool:
    """Wait until the subscriber holds the publisher's rows; was the stream table right at every look?"""
    state = (
        "SELECT (SELECT array_agg(o ORDER BY id)::text FROM orders o),"
        " (SELECT array_agg(c ORDER BY id)::text FROM customers c)"
    )
    for _ in range(400):
        came = here.execute(state.encode()).fetchone() == there.execute(state.encode()).fetchone()
        differences = there.execute(
            f"SELECT count(*) FROM (({GROUPS} EXCEPT ALL SELECT region, n, total FROM st) UNION ALL"
            f" (SELECT region, n, total FROM st EXCEPT ALL {GROUPS})) q".encode()
        ).fetchone()
        if came or differences != (0,):
            return differences == (0,)
        time.sleep(0.05)
    raise AssertionError("the rows never came")


def test_replicated_rows_are_followed(pair: tuple[Connection, Connection]) -> None:
    here, there = pair
    assert follows(here, there), "after the initial copy"
    for statements in (
        ("INSERT INTO orders VALUES (20, 1, 100)",),
        ("UPDATE orders SET amount = amount + 1", "DELETE FROM orders WHERE id < 3"),
        ("UPDATE customers SET region = 'z' WHERE id = 2", "INSERT INTO orders VALUES (21, 2, 5)"),
        ("INSERT INTO customers VALUES (3, 'new')", "UPDATE orders SET customer = 3 WHERE id > 8"),
        ("INSERT INTO orders VALUES (22, 1, 5)", "TRUNCATE customers", "INSERT INTO customers VALUES (1, 'again')"),
        ("DELETE FROM orders",),
    ):
        with here.transaction():
            for statement in statements:
                here.execute(statement.encode())
        assert follows(here, there), statements


def test_without_the_trigger_at_commit_they_are_not(pair: tuple[Connection, Connection]) -> None:
    here, there = pair
    assert follows(here, there), "the initial copy is over"
    there.execute('ALTER TABLE orders DISABLE TRIGGER " pgt_immediate_commit_1"')
    here.execute("INSERT INTO orders VALUES (50, 1, 100)")
    assert not follows(here, there)
