"""Equal values that look different, merged below other operators: groups, DISTINCT, set operations, extremes, windows.

Lies it would catch: a group that shows 1.0 when it is computed now and 1.00 when it is computed as it was, so that the
row to take away is not the one that is stored; rows stored by an order that the program does not complete likewise.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step, by equality.
"""

from __future__ import annotations

import pytest

from property.scenarios import Step, scenario
from property.trial import Trial

TABLES = (
    "CREATE TABLE a (id int, n numeric, f float8, i interval, ns numeric[], d jsonb)",
    "CREATE TABLE b (id int, n numeric, f float8, i interval, ns numeric[], d jsonb)",
    "INSERT INTO a VALUES (1, 1.0, 0, '1 day', '{1.0}', '1.0'), (2, 1, '-0', '24:00', '{1}', '1'),"
    " (3, 1.00, 0, '24:00', '{1.00}', '1.00'), (4, 2.5, 2, '2 days', '{2.50,1}', '2.5'),"
    " (5, NULL, NULL, NULL, NULL, NULL), (6, 2.500, '2', '48:00', '{2.5,1.0}', '2.50')",
    "INSERT INTO b SELECT * FROM a WHERE id < 5",
)
# More than an insertion sort takes, which would leave equal values as they came.
MANY = (
    "INSERT INTO a SELECT id + 100, n, f, i, ns, d FROM a, generate_series(1, 6) UNION ALL"
    " SELECT id + 200, n + 1, f + 1, i + i, ns, d FROM a, generate_series(1, 3)"
)
STEPS: tuple[Step, ...] = (
    "UPDATE a SET id = id + 10",
    "DELETE FROM a WHERE ctid = (SELECT min(ctid) FROM a)",
    "INSERT INTO a SELECT * FROM b WHERE id = 1",
    ("DELETE FROM b WHERE id = 2", "UPDATE b SET id = id"),
    "UPDATE a SET n = 1.0000, f = -f, i = '1 day', ns = '{1.000}', d = '1.0000' WHERE n = 1 AND id > 12",
    ("INSERT INTO b VALUES (7, 2.5000, 2, '2 days', '{2.500,1}', '2.500')", "DELETE FROM a WHERE n = 2.5"),
    ("DELETE FROM a", "INSERT INTO b VALUES (8, 1, 0, '24:00', '{1}', '1')"),
    ("DELETE FROM b", "INSERT INTO a VALUES (1, 1.000, 0, '1 day', '{1.0}', '1.0')"),
)


@pytest.mark.parametrize("x", ["n", "f", "i", "ns", "d"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT x, count(*) OVER (PARTITION BY x) AS c FROM (SELECT x FROM a UNION SELECT x FROM b) q",
        "SELECT q.x, b.id FROM (SELECT DISTINCT x FROM a) q LEFT JOIN b ON b.x = q.x",
        "SELECT q.x, q.c, b.id FROM (SELECT x, count(*) AS c FROM a GROUP BY x) q JOIN b ON b.id <= q.c",
        "SELECT x FROM a EXCEPT ALL SELECT x FROM b",
        "SELECT x, 1 AS one FROM a INTERSECT SELECT x, 1 FROM b",
        "SELECT x, count(*) AS c FROM a GROUP BY GROUPING SETS ((x), (id, x))",
        "SELECT x FROM (SELECT DISTINCT x FROM a) q, generate_series(1, 2)",
        "SELECT (SELECT count(*) FROM (SELECT DISTINCT x FROM a) w) AS c, q.x FROM (SELECT DISTINCT x FROM a) q",
    ],
)
def test_a_group_looks_the_same_whenever_it_is_computed(made: Trial, query: str, x: str) -> None:
    scenario(made, TABLES, query.replace("x", x), *STEPS)


@pytest.mark.parametrize("x", ["n", "f", "i", "ns"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT q.x, b.id FROM (SELECT id % 2 AS odd, max(x) AS x FROM a GROUP BY id % 2) q JOIN b ON b.id >= q.odd",
        "SELECT q.x, b.id FROM (SELECT min(x) FILTER (WHERE id > 1) AS x FROM a) q, b",
        "SELECT x, lead(x) OVER (ORDER BY x DESC) AS l FROM (SELECT id % 3 AS o, min(x) AS x FROM a GROUP BY 1) q",
        "SELECT id, (SELECT max(x) FROM b WHERE b.id >= a.id) AS x FROM a",
    ],
)
def test_an_extreme_looks_the_same_whenever_it_is_computed(made: Trial, query: str, x: str) -> None:
    scenario(made, TABLES, query.replace("max(x", f"max({x}").replace("min(x", f"min({x}"), *STEPS)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT q.s, b.id FROM (SELECT id % 2 AS odd, sum(DISTINCT n) AS s FROM a GROUP BY 1) q JOIN b ON b.id > odd",
        "SELECT q.s::text::numeric, b.id FROM (SELECT avg(DISTINCT n) AS s FROM a) q, b",
        "SELECT q.ns, b.id FROM (SELECT id % 2 AS odd, array_agg(DISTINCT n) AS ns FROM a GROUP BY 1) q, b",
        "SELECT q.c, b.id FROM (SELECT id % 2 AS odd, count(DISTINCT n) AS c FROM a GROUP BY 1) q, b",
    ],
)
def test_distinct_values_inside_an_aggregate(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT lag(n) OVER (PARTITION BY n ORDER BY id / 8) AS l, id / 8 AS e FROM a",
        "SELECT first_value(n) OVER (PARTITION BY id / 8 ORDER BY n) AS l FROM a",
        "SELECT e, array_agg(n) OVER (PARTITION BY e ORDER BY n) AS l FROM (SELECT id / 8 AS e, n FROM a) q",
        "SELECT string_agg(i::text, ',') OVER (PARTITION BY i ORDER BY id / 8) = '' AS l FROM a",
    ],
)
def test_rows_are_stored_by_the_order_that_the_program_completes(made: Trial, query: str) -> None:
    """The query as it is written fills the stream table by whatever order it happens to read."""
    scenario(made, TABLES, query, *STEPS)


@pytest.mark.parametrize("direction", ["", "DESC", "NULLS FIRST", "DESC NULLS LAST", "USING >"])
@pytest.mark.parametrize("x", ["n", "i"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT x, nth_value(x, 2) OVER (PARTITION BY x ORDER BY x way ROWS BETWEEN UNBOUNDED PRECEDING"
        " AND 1 PRECEDING) AS l FROM a",
        "SELECT x, lag(x) OVER (PARTITION BY id % 2, x ORDER BY x way, id % 2 DESC) AS l FROM a",
        "SELECT x, l FROM (SELECT x, lead(x) OVER (PARTITION BY x ORDER BY x way) AS l FROM a) q WHERE l > '0'",
    ],
)
def test_a_partition_sorted_by_its_own_key(made: Trial, query: str, x: str, direction: str) -> None:
    """PostgreSQL sorts the key of a partition as ORDER BY says, and sorts again what is sorted otherwise."""
    scenario(made, (*TABLES, MANY), query.replace("x", x).replace("way", direction), *STEPS)
