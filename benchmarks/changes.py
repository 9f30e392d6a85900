"""Batches of changes: 70 % updates, 15 % deletes, 15 % inserts, random keys, one transaction.

What a batch does is written down first, in bench.batch, so that the same batch can be applied to several tables.
Every update sets amount and quantity; one in ten also moves the row to another customer and region.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

_TABLE = """
CREATE TABLE bench.batch (
    action      "char"        NOT NULL,
    id          int           NOT NULL,
    region      text          NOT NULL,
    customer_id int           NOT NULL,
    amount      numeric(10,2) NOT NULL,
    quantity    int           NOT NULL)
"""
_DRAW = """
WITH old AS (
    SELECT id, region, customer_id, row_number() OVER () AS n
    FROM (SELECT id, region, customer_id FROM bench.sales ORDER BY random() LIMIT %(updates)s + %(deletes)s) drawn
), drawn AS (
    SELECT CASE WHEN n <= %(updates)s THEN 'u' ELSE 'd' END AS action, id, region, customer_id, n %% 10 = 0 AS moves
    FROM old
    UNION ALL
    SELECT 'i', (SELECT max(id) FROM bench.sales) + n, NULL, NULL, true FROM generate_series(1, %(inserts)s) n
)
INSERT INTO bench.batch
SELECT action, id,
       CASE WHEN moves THEN 'region ' || 1 + floor(random() * 5)::int ELSE region END,
       CASE WHEN moves THEN 1 + floor(random() * %(groups)s)::int ELSE customer_id END,
       round((random() * 1000)::numeric, 2), 1 + floor(random() * 100)::int
FROM drawn
"""
_APPLY = (
    "UPDATE {table} s SET region = b.region, customer_id = b.customer_id, amount = b.amount, quantity = b.quantity"
    " FROM bench.batch b WHERE b.action = 'u' AND s.id = b.id",
    "DELETE FROM {table} s USING bench.batch b WHERE b.action = 'd' AND s.id = b.id",
    "INSERT INTO {table} SELECT id, region, customer_id, amount, quantity FROM bench.batch WHERE action = 'i'",
)


@dataclass(frozen=True, slots=True)
class Rate:
    """How much of the table a batch changes."""

    name: str
    rows: int


def rates(rows: int) -> tuple[Rate, ...]:
    return (Rate("100 rows", min(100, rows // 2)), Rate("1 %", max(rows // 100, 10)), Rate("10 %", rows // 10))


def create(conn: Connection[Any]) -> None:
    conn.execute(_TABLE)


def draw(conn: Connection[Any], size: int, groups: int) -> None:
    """Choose the next batch."""
    updates, deletes = size * 70 // 100, size * 15 // 100
    parameters = {
        "updates": updates,
        "deletes": deletes,
        "inserts": size - updates - deletes,
        "groups": groups,
    }
    conn.execute("TRUNCATE bench.batch")
    conn.execute(_DRAW, parameters)
    conn.execute("ANALYZE bench.batch")


def apply(conn: Connection[Any], table: sql.Identifier) -> None:
    """Apply the batch in one transaction."""
    with conn.transaction():
        for statement in _APPLY:
            conn.execute(sql.SQL(statement).format(table=table))
