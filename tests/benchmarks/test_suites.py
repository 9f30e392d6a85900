"""Oracle: PostgreSQL itself. Each query of TPC-H and of Nexmark is kept differentially over small tables, and after
every batch of changes compared with its query as a bag. Never how fast anything is."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql
from support.databases import Database

from benchmarks import nexmark, tpch, tpch_data
from benchmarks.measure import ResultsDiffer, check_equal
from benchmarks.shapes import Shape
from benchmarks.suite import Suite, chosen
from trickle import connect
from trickle.errors import TrickleError

SUITES = {"tpch": tpch.SUITE, "nexmark": nexmark.SUITE}
SIZES = {"tpch": 0.01, "nexmark": 0.01}
CHANGES = {"tpch": 15, "nexmark": 100}
# Of TPC-H the first moves a nation, the second also has two regions swap their names, the third does neither.
BATCHES = (tpch_data.NATION_AT, tpch_data.REGION_AT, tpch_data.REGION_AT + 1)


@pytest.mark.full
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", SUITES)
def test_every_query_is_exact_after_every_batch(db: Database, name: str) -> None:
    suite = SUITES[name]
    queries = chosen(suite, None)
    found: list[str] = []
    with db.connect() as conn, connect(db.url) as client:
        suite.load(conn, SIZES[name])
        for query in queries:
            status = client.create_stream_table(query.name, query.query, schedule="1h", refresh_mode="DIFFERENTIAL")
            assert status.program_state == "compiled", f"{query.name}: {status.program_reason}"
            assert _rows(conn, query), f"{query.name} is empty and would prove nothing"
        for number in BATCHES:
            suite.apply(conn, number, CHANGES[name])
            for query in queries:
                try:
                    client.refresh_stream_table(query.name)
                    check_equal(conn, sql.Identifier(query.name), query.query, _columns(conn, query))
                except (psycopg.Error, TrickleError, ResultsDiffer) as error:
                    found.append(f"{query.name} after batch {number}: {type(error).__name__}: {error}")
    assert not found, "\n".join(found)


def test_an_unknown_query_is_refused() -> None:
    with pytest.raises(ValueError, match="no such query: q23"):
        chosen(tpch.SUITE, "q01,q23")


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_each_query_stands_alone(suite: Suite) -> None:
    """One statement without its semicolon, since it is put into parentheses; the number is in the name."""
    numbers = range(1, 23) if suite.name == "tpch" else [n for n in range(23) if n != 12]
    assert [query.name for query in chosen(suite, None)] == [f"q{number:02}" for number in numbers]
    assert not [query.name for query in chosen(suite, None) if ";" in query.query]


def _rows(conn: Connection[Any], query: Shape) -> int:
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(query.name))).fetchone()
    return int(row[0]) if row else 0


def _columns(conn: Connection[Any], query: Shape) -> sql.Composable:
    described = conn.execute(sql.SQL("SELECT * FROM ({}) q LIMIT 0").format(sql.SQL(query.query))).description
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in described or ())
