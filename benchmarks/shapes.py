"""The tables, and the query shapes that are kept over them.

customers(id, name, tier)                           one row per group, 10 000 when there are rows enough
sales(id, region, customer_id, amount, quantity)    five regions, uniformly drawn customers and amounts
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import Connection

GROUPS = 10_000

_TABLES = """
CREATE SCHEMA bench;
CREATE TABLE bench.customers (
    id   int  PRIMARY KEY,
    name text NOT NULL,
    tier text NOT NULL);
CREATE TABLE bench.sales (
    id          int           PRIMARY KEY,
    region      text          NOT NULL,
    customer_id int           NOT NULL,
    amount      numeric(10,2) NOT NULL,
    quantity    int           NOT NULL);
SELECT setseed(0.25);
"""
_CUSTOMERS = """
INSERT INTO bench.customers
SELECT n, 'customer ' || n, (ARRAY['gold', 'silver', 'bronze'])[n %% 3 + 1] FROM generate_series(1, %(groups)s) n
"""
_SALES = """
INSERT INTO bench.sales
SELECT n, 'region ' || 1 + n %% 5, 1 + floor(random() * %(groups)s)::int, round((random() * 1000)::numeric, 2),
       1 + floor(random() * 100)::int
FROM generate_series(1, %(rows)s) n
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """A query, the key of its result, and how many times faster than REFRESH it shall be kept at 1 000 000 rows."""

    name: str
    query: str
    key: tuple[str, ...]
    faster_after_100_rows: float | None
    faster_after_1_percent: float


SHAPES = (
    Shape("scan", "SELECT id, region, customer_id, amount, quantity FROM bench.sales", ("id",), 100, 7),
    Shape(
        "filter",
        "SELECT id, region, customer_id, amount, quantity FROM bench.sales WHERE amount > 500",
        ("id",),
        100,
        5.5,
    ),
    Shape(
        "agg5",
        "SELECT region, sum(amount) AS total, count(*) AS sales FROM bench.sales GROUP BY region",
        ("region",),
        25,
        17,
    ),
    Shape(
        "agg10k",
        "SELECT customer_id, sum(amount) AS total, count(*) AS sales FROM bench.sales GROUP BY customer_id",
        ("customer_id",),
        None,
        5,
    ),
    Shape(
        "join",
        "SELECT s.id, s.amount, s.quantity, c.name, c.tier"
        " FROM bench.sales s JOIN bench.customers c ON c.id = s.customer_id",
        ("id",),
        100,
        6,
    ),
    Shape(
        "join_agg",
        "SELECT c.id, c.name, sum(s.amount) AS total, count(*) AS sales"
        " FROM bench.sales s JOIN bench.customers c ON c.id = s.customer_id GROUP BY c.id, c.name",
        ("id",),
        100,
        10,
    ),
)


def chosen(names: str | None) -> tuple[Shape, ...]:
    """The shapes named in a comma-separated list; all of them without one."""
    if names is None:
        return SHAPES
    by_name = {shape.name: shape for shape in SHAPES}
    wanted = names.split(",")
    unknown = [name for name in wanted if name not in by_name]
    if unknown:
        raise ValueError(f"no such shape: {', '.join(unknown)}; there are {', '.join(by_name)}")
    return tuple(by_name[name] for name in wanted)


def groups_for(rows: int) -> int:
    """Every group keeps some ten rows in small runs too, so that its shape stays the same."""
    return max(10, min(GROUPS, rows // 10))


def load(conn: Connection[Any], rows: int) -> None:
    """Create and fill the tables, in the state a database is in that has been up for a while."""
    conn.execute(_TABLES)
    sizes = {"rows": rows, "groups": groups_for(rows)}
    conn.execute(_CUSTOMERS, sizes)
    conn.execute(_SALES, sizes)
    conn.execute("CREATE INDEX sales_customer_idx ON bench.sales (customer_id)")
    conn.execute("VACUUM (ANALYZE) bench.customers, bench.sales")
