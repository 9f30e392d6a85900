"""How a trap is told: tables, one query, and steps after each of which the stream table must be right."""

from __future__ import annotations

import pytest

from property.trial import StreamTable, Trial

KEYED = "CREATE TABLE t (id int PRIMARY KEY, g text, v int, n numeric, f float8)"
KEYED_ROWS = (
    "INSERT INTO t VALUES (1, 'a', 1, 1.5, 0.5), (2, 'a', 2, 2.25, 0.25), (3, NULL, NULL, NULL, NULL),"
    " (4, 'b', 4, 1, 1)"
)
KEYLESS = "CREATE TABLE k (a int, b text)"
KEYLESS_ROWS = "INSERT INTO k VALUES (1, 'x'), (1, 'x'), (1, 'x'), (NULL, 'x'), (NULL, NULL), (NULL, NULL)"
KEYLESS_STEPS = (
    "DELETE FROM k WHERE ctid = (SELECT min(ctid) FROM k WHERE a = 1)",
    "UPDATE k SET b = 'y' WHERE ctid = (SELECT min(ctid) FROM k WHERE a = 1)",
    "DELETE FROM k WHERE ctid = (SELECT min(ctid) FROM k WHERE b IS NULL)",
    "UPDATE k SET a = 1, b = 'x'",
    ("DELETE FROM k", KEYLESS_ROWS),
    "INSERT INTO k SELECT * FROM k",
    "UPDATE k SET b = b",
)
GROUPS = "SELECT g, count(*), sum(v), min(v), max(v) FROM t GROUP BY g"
# After these the contents change without a change of rows, or the definition changes: the next refresh may be full.
FULL = ("TRUNCATE", "ALTER TABLE", "ATTACH", "DETACH", "CREATE OR REPLACE")

Step = str | tuple[str, ...]
# About the refresh itself: an IMMEDIATE stream table has none.
refreshed = pytest.mark.parametrize("made", ["DIFFERENTIAL"], indirect=True)


def scenario(made: Trial, setup: tuple[str, ...], query: str, *steps: Step) -> StreamTable:
    """Create the tables and one stream table; after each step refresh and compare."""
    for statement in setup:
        must(made, statement)
    table = made.create("st", query)
    follow(made, table, *steps)
    return table


def follow(made: Trial, table: StreamTable, *steps: Step) -> None:
    for step in steps:
        statements = (step,) if isinstance(step, str) else step
        for statement in statements:
            must(made, statement)
        made.refresh(table, may_be_full=any(word in s for s in statements for word in FULL))


def must(made: Trial, statement: str) -> None:
    """A step of a story always works."""
    assert made.run(statement), made.script[-1]


def states(made: Trial, table: StreamTable) -> list[str]:
    """The tables that the program keeps for itself."""
    rows = made.connection.execute("SELECT state::text FROM pgtrickle._state_tables(%s)", (table.pgt_id,))
    return [state for (state,) in rows.fetchall()]


def filled_as_kept(made: Trial, table: StreamTable) -> None:
    """The one state table of a stream table equals what a full refresh fills it with."""
    (state,) = states(made, table)
    rows = f"SELECT t::text FROM {state} t ORDER BY 1".encode()
    before = made.connection.execute(rows).fetchall()
    made.client.refresh_stream_table(f"{made.schema}.{table.sql}", full=True)
    assert made.connection.execute(rows).fetchall() == before
