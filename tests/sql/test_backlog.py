"""What other readers keep in a change buffer costs a refresh nothing, whenever its plans were made.

Lies it would catch: a plan made over an empty buffer or one of a page that goes on to scan a full one.
"""

from __future__ import annotations

import pytest
from psycopg import Connection
from support.databases import Database

from trickle import Client

QUERIES = {
    "rows": "SELECT id, amount FROM sales WHERE amount > 0",
    "groups": "SELECT customer, count(*) AS n, sum(amount) AS total FROM sales GROUP BY customer",
    "joined groups": "SELECT c.name, sum(s.amount) AS s FROM sales s JOIN customers c ON c.id = s.customer GROUP BY 1",
}
BACKLOG = 20_000


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
@pytest.mark.parametrize("mode", ["DIFFERENTIAL", "AUTO", "IMMEDIATE"])
@pytest.mark.parametrize("first", [0, 5], ids=["planned empty", "planned small"])
def test_the_backlog_of_another_reader_is_not_read(db: Database, mode: str, query: str, first: int) -> None:
    with db.connect() as conn, Client(conn) as client:
        conn.execute("CREATE TABLE customers AS SELECT id, 'customer ' || id AS name FROM generate_series(1, 1000) id")
        conn.execute("ALTER TABLE customers ADD PRIMARY KEY (id)")
        conn.execute("CREATE TABLE sales (id serial PRIMARY KEY, customer int, amount int)")
        _sell(conn, 5_000)
        client.create_stream_table("quick", query, refresh_mode=mode, schedule="1h")
        client.create_stream_table("slow", QUERIES["rows"], refresh_mode="DIFFERENTIAL", schedule="1h")
        with db.superuser() as admin:
            admin.execute("VACUUM (ANALYZE)")
        _follow(client, mode)
        _sell(conn, first)
        _follow(client, mode)
        _sell(conn, BACKLOG)
        _follow(client, mode)
        with conn.transaction():
            before = _rows_read(conn)
            _sell(conn, 5)
            _follow(client, mode)
            assert _rows_read(conn) - before < BACKLOG / 100


def _rows_read(conn: Connection) -> int:
    """From all buffers, by this session since its counts were last published, which no transaction does midway."""
    row = conn.execute(
        "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::int"
        " FROM pg_stat_xact_all_tables WHERE schemaname = 'pgtrickle_changes' AND starts_with(relname, 'changes_')"
    ).fetchone()
    assert row is not None
    count: int = row[0]
    return count


def _sell(conn: Connection, rows: int) -> None:
    conn.execute("INSERT INTO sales (customer, amount) SELECT 1 + i %% 1000, i FROM generate_series(1, %s) i", [rows])


def _follow(client: Client, mode: str) -> None:
    if mode != "IMMEDIATE":
        client.refresh_stream_table("quick")
