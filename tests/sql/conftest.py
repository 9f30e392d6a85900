"""What the tests of the SQL runtime share: a session as the database's owner and a view into buffers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.databases import Database

Connection = psycopg.Connection[Any]
Changes = Callable[[str], list[tuple[int, dict[str, Any]]]]


@pytest.fixture
def conn(db: Database) -> Iterator[Connection]:
    """A session of the owner, in autocommit."""
    with db.connect() as connection:
        yield connection


@pytest.fixture
def orders(conn: Connection) -> Connection:
    """The same session, with a table `orders` of nine rows."""
    conn.execute("CREATE TABLE orders (id int PRIMARY KEY, customer int, amount numeric(10,2), note text)")
    conn.execute("INSERT INTO orders SELECT i, i % 3, i, 'n' || i FROM generate_series(1, 9) i")
    return conn


@pytest.fixture
def changes(conn: Connection) -> Changes:
    """The changes captured since the last call: (weight, row by column name), in order of weight and text."""

    seen = 0

    def take(table: str) -> list[tuple[int, dict[str, Any]]]:
        nonlocal seen
        found = conn.execute(
            "SELECT source_id, source_relid FROM pgtrickle.pgt_change_tracking WHERE source_relid = %s::regclass",
            (table,),
        ).fetchone()
        assert found is not None
        source_id, relid = found
        names = dict(
            conn.execute(
                "SELECT 'c' || attnum, attname FROM pg_attribute WHERE attrelid = %s AND attnum > 0", (relid,)
            ).fetchall()
        )
        buffer = sql.Identifier("pgtrickle_changes", f"changes_{source_id}")
        rows = conn.execute(
            sql.SQL(
                "SELECT weight, to_jsonb(x) - 'seq' - 'xid' - 'weight', seq FROM {} x WHERE seq > %s ORDER BY 1, 2"
            ).format(buffer),
            (seen,),
        ).fetchall()
        seen = max((seq for _, _, seq in rows), default=seen)
        return [(weight, {names[column]: value for column, value in row.items()}) for weight, row, _ in rows]

    return take


def one(connection: Connection, query: str, *values: object) -> Any:
    """The first column of the first row."""
    row = connection.execute(query.encode(), values or None).fetchone()
    assert row is not None
    return row[0]


def outcome(connection: Connection, name: str) -> tuple[Any, ...]:
    """Refresh one stream table; (action, inserted, updated, deleted, reason)."""
    row = connection.execute(
        "SELECT r.* FROM pgtrickle.pgt_stream_tables s, pgtrickle._refresh(s.pgt_id) r"
        " WHERE s.pgt_relid = %s::regclass",
        (name,),
    ).fetchone()
    assert row is not None
    return tuple(row)


def is_equal(connection: Connection, name: str) -> bool:
    """Refresh a stream table and compare it with its query."""
    return bool(one(connection, "SELECT equal AND NOT pending FROM pgtrickle.verify(%s)", name))
