"""The stored relation in the user's own words is the one that the algebra prints. Oracle: PostgreSQL runs both.

Catches: a key taken from another table of the same name, a column put into the wrong SELECT, a quote that hides FROM.
"""

from __future__ import annotations

import pytest
from psycopg import sql

from trickle.catalog.explain import captured
from trickle.catalog.install import compile_facts
from trickle.catalog.introspect import read_facts
from trickle.ivm import Program, Target

from .conftest import Connection, one

BOTH = [
    "SELECT id, note FROM orders",
    "SELECT note FROM orders",
    "SELECT note AS \"a FROM b\", 'it''s FROM here' AS said FROM orders ORDER BY 1",
    "SELECT note IS DISTINCT FROM 'n1' AS other, (SELECT max(amount) FROM orders) AS most FROM orders",
    'SELECT o.note, l."Unit Price" FROM orders o JOIN "Odd Lines" l ON l.order_id = o.id WHERE l."Unit Price" > 2',
    'SELECT amount FROM orders WHERE EXISTS (SELECT FROM "Odd Lines" WHERE order_id = id)',
    'SELECT amount FROM orders WHERE id IN (SELECT order_id FROM "Odd Lines") AND customer IN (SELECT id FROM orders)',
    "SELECT extract(month FROM date '2026-01-01' + id) AS m, note FROM orders",
    "SELECT customer FROM orders UNION ALL SELECT id FROM orders",
    "SELECT o.note, p.note AS other FROM orders o LEFT JOIN orders p ON p.id = o.customer",
    'SELECT l.n FROM orders, "Odd Lines" l(k, order_id, n) WHERE l.k = orders.id',
]
IN_OTHER_WORDS = [
    "SELECT count(*) AS n FROM orders GROUP BY customer HAVING count(*) > 1",
    'SELECT o.note FROM orders o JOIN "Odd Lines" l(k, nr, n) ON l.nr = o.id',
    "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer",
    "WITH o AS (SELECT * FROM orders) SELECT note FROM o",
    "SELECT q.note FROM (SELECT * FROM orders) q",
    "SELECT o.note FROM orders o JOIN orders p ON p.id = o.customer",
]


@pytest.fixture
def shop(orders: Connection) -> Connection:
    orders.execute('CREATE TABLE "Odd Lines" (id int PRIMARY KEY, order_id int, "Unit Price" int)')
    orders.execute('INSERT INTO "Odd Lines" SELECT i, i % 5, i % 4 FROM generate_series(1, 12) i')
    return orders


def compiled(conn: Connection, query: str) -> Program:
    with conn.transaction(force_rollback=True):
        view = one(conn, "SELECT pgtrickle._bind_query('asked', 'it', %s, 'public')::int8", query)
        return compile_facts(conn, captured(read_facts(conn, view)), Target(0, "public", "it"))


@pytest.mark.parametrize("query", BOTH)
def test_both_are_the_same_bag(shop: Connection, query: str) -> None:
    program = compiled(shop, query)
    assert program.as_written is not None
    difference = sql.SQL("SELECT count(*) FROM (({0} EXCEPT ALL {1}) UNION ALL ({1} EXCEPT ALL {0})) d").format(
        *(sql.SQL("(SELECT * FROM ({}) q)").format(sql.SQL(q)) for q in (program.as_written, program.storage.query))
    )
    row = shop.execute(difference).fetchone()
    assert row == (0,)
    columns = shop.execute(sql.SQL("SELECT * FROM ({}) q LIMIT 0").format(sql.SQL(program.as_written))).description
    assert [column.name for column in columns or ()] == list(program.storage.columns)


@pytest.mark.parametrize("query", IN_OTHER_WORDS)
def test_what_the_query_cannot_say(shop: Connection, query: str) -> None:
    assert compiled(shop, query).as_written is None


def test_the_planner_chooses(shop: Connection) -> None:
    """The correlated sum is a look into an index as written, and an aggregate over the whole table taken apart."""
    shop.execute('INSERT INTO "Odd Lines" SELECT i, i / 10, i FROM generate_series(100, 40000) i')
    shop.execute('CREATE INDEX ON "Odd Lines" (order_id); ANALYZE "Odd Lines"; ANALYZE orders')
    query = (
        'SELECT o.note FROM orders o WHERE o.amount > (SELECT sum("Unit Price") FROM "Odd Lines" WHERE order_id = o.id)'
    )
    program = compiled(shop, query)
    assert program.as_written is not None
    cost = "EXPLAIN (FORMAT JSON) "
    plans = [one(shop, cost + q)[0]["Plan"]["Total Cost"] for q in (program.as_written, program.storage.query)]
    assert plans[0] < plans[1]
