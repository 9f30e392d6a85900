"""A client on the test's database, and a small shop in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.databases import Database

import trickle

TOTALS = "SELECT customer, sum(amount) AS total, count(*) AS cnt FROM orders GROUP BY customer"


@pytest.fixture
def client(db: Database) -> Iterator[trickle.Client]:
    with db.connect() as owner:
        owner.execute("CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, amount numeric NOT NULL)")
        owner.execute("INSERT INTO orders SELECT n, n % 3, n FROM generate_series(1, 9) AS n")
    with trickle.connect(db.url) as opened:
        yield opened


@pytest.fixture
def totals(client: trickle.Client) -> trickle.Client:
    """The client, with the stream table `totals`."""
    client.create_stream_table("totals", TOTALS, schedule="1s")
    return client
