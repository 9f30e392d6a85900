"""Batches of changes: 70 % updates, 15 % deletes, 15 % inserts, random keys, one transaction.

What the next batches do is written down first, in bench.batch, so that the same batch can be applied to several tables
and nobody is timed right after a million rows were read to draw it.
Every update sets amount and quantity; one in ten also moves the row to another customer and region.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection, sql

_TABLE = """
CREATE TABLE bench.batch (
    number      int           NOT NULL,
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
    FROM (
        SELECT id, region, customer_id FROM bench.sales
        ORDER BY random() LIMIT (%(updates)s::int + %(deletes)s) * %(batches)s
    ) drawn
), drawn AS (
    SELECT n %% %(batches)s AS number, CASE WHEN n <= %(updates)s::int * %(batches)s THEN 'u' ELSE 'd' END AS action,
           id, region, customer_id, n / %(batches)s %% 10 = 0 AS moves
    FROM old
    UNION ALL
    SELECT n %% %(batches)s, 'i', (SELECT max(id) FROM bench.sales) + n, NULL, NULL, true
    FROM generate_series(1, %(inserts)s::int * %(batches)s) n
)
INSERT INTO bench.batch
SELECT number, action, id,
       CASE WHEN moves THEN 'region ' || 1 + floor(random() * 5)::int ELSE region END,
       CASE WHEN moves THEN 1 + floor(random() * %(groups)s)::int ELSE customer_id END,
       round((random() * 1000)::numeric, 2), 1 + floor(random() * 100)::int
FROM drawn
"""
_APPLY = (
    "UPDATE {table} s SET region = b.region, customer_id = b.customer_id, amount = b.amount, quantity = b.quantity"
    " FROM bench.batch b WHERE b.number = %s AND b.action = 'u' AND s.id = b.id",
    "DELETE FROM {table} s USING bench.batch b WHERE b.number = %s AND b.action = 'd' AND s.id = b.id",
    "INSERT INTO {table} SELECT id, region, customer_id, amount, quantity FROM bench.batch"
    " WHERE number = %s AND action = 'i'",
)


@dataclass(frozen=True, slots=True)
class Rate:
    """How much of the table a batch changes, and how many batches follow each other.

    Changes that are not large come one after another in life, each refreshed while the caches still know the last one.
    """

    name: str
    rows: int
    batches: int = 1


def rates(rows: int) -> tuple[Rate, ...]:
    return (
        Rate("100 rows", min(100, rows // 20), batches=10),
        Rate("1 %", max(rows // 100, 10), batches=3),
        Rate("10 %", rows // 10),
    )


def create(conn: Connection[Any]) -> None:
    conn.execute(_TABLE)


def draw(conn: Connection[Any], size: int, groups: int, batches: int = 1) -> None:
    """Choose the next batches, each of `size` rows; no two of them change the same row."""
    updates, deletes = size * 70 // 100, size * 15 // 100
    parameters = {
        "updates": updates,
        "deletes": deletes,
        "inserts": size - updates - deletes,
        "groups": groups,
        "batches": batches,
    }
    conn.execute("TRUNCATE bench.batch")
    conn.execute(_DRAW, parameters)
    conn.execute("ANALYZE bench.batch")


def apply(conn: Connection[Any], table: sql.Identifier, number: int = 0) -> None:
    """Apply one of the batches, counted from 0, in one transaction."""
    with conn.transaction():
        for statement in _APPLY:
            conn.execute(sql.SQL(statement).format(table=table), [number])
