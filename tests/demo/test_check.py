"""The verdict is not a formality: a wrong row, a lost row and a stream table left behind are all seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support.databases import Database

import trickle
from trickle.demo import check
from trickle.demo.check import Verdict
from trickle.demo.stream_tables import Definition

ROUTES = Definition("route_counts", "", "SELECT origin, dest, count(*) AS flights FROM departures GROUP BY 1, 2", "1s")


@pytest.fixture
def connection(small: Database) -> Iterator[psycopg.Connection[Any]]:
    with trickle.connect(small.url) as client:
        client.create_stream_table(ROUTES.name, ROUTES.query, schedule=ROUTES.schedule)
    with small.connect() as opened:
        yield opened


def verdict(connection: psycopg.Connection[Any]) -> Verdict:
    return check.compare(connection, [ROUTES], frozenset())[0]


def test_an_equal_stream_table(connection: psycopg.Connection[Any]) -> None:
    found = verdict(connection)
    assert found.is_equal
    assert found.rows == 6


def test_one_wrong_row_is_missing_and_extra(small: Database, connection: psycopg.Connection[Any]) -> None:
    with small.superuser() as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute("UPDATE route_counts SET flights = flights + 1 WHERE origin = 'JFK' AND dest = 'ORD'")
    found = verdict(connection)
    assert (found.missing_rows, found.extra_rows, found.is_equal) == (1, 1, False)


def test_a_lost_row_is_missing(small: Database, connection: psycopg.Connection[Any]) -> None:
    with small.superuser() as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute("DELETE FROM route_counts WHERE origin = 'LGA' AND dest = 'ORD'")
    found = verdict(connection)
    assert (found.missing_rows, found.extra_rows, found.is_equal) == (1, 0, False)


def test_what_nobody_refreshes_is_behind(connection: psycopg.Connection[Any]) -> None:
    """With no worker the wait ends by itself, and a stream table that is behind is not equal."""
    assert check.wait_until_current(connection, lambda: None, 5.0) == frozenset()
    connection.execute("DELETE FROM departures")
    tended: list[int] = []
    behind = check.wait_until_current(connection, lambda: tended.append(1), 0.5)
    assert behind == {"route_counts"}
    assert tended
    assert not check.compare(connection, [ROUTES], behind)[0].is_equal
