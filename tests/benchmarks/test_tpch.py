"""Oracle: PostgreSQL itself. Each of the 22 TPC-H queries is kept differentially at scale factor 0.01, and after every
batch of changes compared with its query as a bag. Never how fast anything is."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql
from support.databases import Database

from benchmarks import tpch, tpch_data
from benchmarks.measure import ResultsDiffer, check_equal
from benchmarks.shapes import Shape
from trickle import connect
from trickle.errors import TrickleError

SCALE = 0.01
ORDERS = 15
# The first moves a nation, the second also has two regions swap their names, the third does neither.
BATCHES = (tpch_data.NATION_AT, tpch_data.REGION_AT, tpch_data.REGION_AT + 1)
# Queries for which there is no delta rule yet: they may leave this set, never enter it.
NOT_COMPILED: frozenset[str] = frozenset()


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_every_query_is_exact_after_every_batch(db: Database) -> None:
    queries = tpch.chosen(None)
    assert len(queries) == 22
    found: list[str] = []
    with db.connect() as conn, connect(db.url) as client:
        tpch_data.load(conn, SCALE)
        reasons = {}
        for query in queries:
            status = client.create_stream_table(query.name, query.query, schedule="1h", refresh_mode="DIFFERENTIAL")
            if status.program_state != "compiled":
                reasons[query.name] = status.program_reason
            assert _rows(conn, query), f"{query.name} is empty and would prove nothing"
        assert set(reasons) <= NOT_COMPILED, reasons
        for number in BATCHES:
            tpch_data.apply(conn, number, ORDERS)
            for query in queries:
                try:
                    client.refresh_stream_table(query.name)
                    check_equal(conn, sql.Identifier(query.name), query.query, _columns(conn, query))
                except (psycopg.Error, TrickleError, ResultsDiffer) as error:
                    found.append(f"{query.name} after batch {number}: {type(error).__name__}: {error}")
    assert not found, "\n".join(found)


def test_an_unknown_query_is_refused() -> None:
    with pytest.raises(ValueError, match="no such query: q23"):
        tpch.chosen("q01,q23")


def test_each_query_stands_alone() -> None:
    """One statement without its semicolon, since it is put into parentheses; the number is in the name."""
    assert [query.name for query in tpch.chosen(None)] == [f"q{number:02}" for number in range(1, 23)]
    assert not [query.name for query in tpch.chosen(None) if ";" in query.query]


def _rows(conn: Connection[Any], query: Shape) -> int:
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(query.name))).fetchone()
    return int(row[0]) if row else 0


def _columns(conn: Connection[Any], query: Shape) -> sql.Composable:
    described = conn.execute(sql.SQL("SELECT * FROM ({}) q LIMIT 0").format(sql.SQL(query.query))).description
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in described or ())
