"""A stream table changes its mode while its sources are written: every write counts once, whichever mode it met."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from support.databases import Database

import trickle

from .conftest import Connection, one

WRITERS = 3
QUERIES = (
    "SELECT customer, count(*) AS n, sum(amount) AS total FROM orders GROUP BY customer",
    "SELECT a.id, b.id AS other FROM orders a JOIN orders b ON a.customer = b.customer AND a.id < b.id",
)
MODES = ("IMMEDIATE", "DIFFERENTIAL", "IMMEDIATE", "FULL", "IMMEDIATE", "AUTO", "FULL", "DIFFERENTIAL", "IMMEDIATE")


@pytest.mark.parametrize("query", QUERIES)
def test_every_write_counts_once(db: Database, orders: Connection, query: str) -> None:
    stop = threading.Event()
    ids = itertools.count(1000)

    def write(writer: int) -> int:
        written = 0
        with db.connect(autocommit=False) as connection:
            while not stop.is_set():
                new = next(ids)
                try:
                    connection.execute("INSERT INTO orders (id, customer, amount) VALUES (%s, %s, 1)", (new, new % 9))
                    connection.execute("UPDATE orders SET amount = amount + 1 WHERE id = %s", (new,))
                    if new % 3 == 0:
                        connection.execute("DELETE FROM orders WHERE id = %s", (new,))
                    connection.commit()
                    written += 1
                except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                    connection.rollback()
                stop.wait(0.01 * writer)
        return written

    with trickle.connect(db.url) as client, ThreadPoolExecutor(WRITERS) as pool:
        client.create_stream_table("st", query, refresh_mode="DIFFERENTIAL")
        running = [pool.submit(write, writer) for writer in range(1, WRITERS + 1)]
        try:
            for mode in MODES:
                client.alter_stream_table("st", refresh_mode=mode)
                if mode != "IMMEDIATE":
                    client.refresh_stream_table("st")
                assert client.verify("st").equal, mode
        finally:
            stop.set()
        assert all(work.result() > 0 for work in running)
        assert client.verify("st").equal
        assert one(orders, "SELECT requested_mode FROM pgtrickle.pgt_stream_tables") == "IMMEDIATE"
