"""Aggregates of every kind: those that depend on the order of rows, on all of them at once, or on a user's function.

Lies it would catch: a group written anew because its rows came in another order; an old value that cannot be found
again; an aggregate of a user's that is folded although nothing says how.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import pytest

from property.scenarios import Step, must, scenario
from property.trial import Trial

TABLES = (
    "CREATE TABLE t (id int PRIMARY KEY, k int, x int, y float8, n numeric, s text, a int[], j json, d date)",
    "INSERT INTO t SELECT i, i % 3, i * 7 % 5, i * 0.1, i * 1.50, chr(97 + i % 4), ARRAY[i % 2, i],"
    " json_build_object('i', i), date '2024-01-01' + i FROM generate_series(1, 12) i",
    "CREATE TABLE u (k int, w int)",
    "INSERT INTO u VALUES (0, 1), (1, 2), (1, 3), (NULL, 4)",
    "CREATE FUNCTION longer(text, text) RETURNS text IMMUTABLE LANGUAGE sql"
    " AS 'SELECT CASE WHEN length($1) >= length($2) THEN $1 ELSE $2 END'",
    "CREATE AGGREGATE longest(text) (sfunc = longer, stype = text, initcond = '')",
    "CREATE AGGREGATE product(numeric) (sfunc = numeric_mul, stype = numeric, initcond = '1')",
)
STEPS: tuple[Step, ...] = (
    "INSERT INTO t VALUES (20, 1, 3, 0.7, 2.25, 'zz', '{5,6}', '[]', '2024-02-02')",
    "DELETE FROM t WHERE id IN (3, 4)",
    "UPDATE t SET k = (k + 1) % 3, s = s || 'x' WHERE id < 6",
    ("UPDATE t SET x = NULL, y = NULL, s = NULL WHERE id = 7", "INSERT INTO u VALUES (2, 9)"),
    "UPDATE t SET id = id + 100 WHERE id > 9",
    ("DELETE FROM t WHERE k = 1", "DELETE FROM u WHERE k = 1"),
    "INSERT INTO t SELECT i, 1, i, i / 3.0, i, 'q', ARRAY[i, i], '{}', '2024-03-03' FROM generate_series(30, 34) i",
    "DELETE FROM t",
    "INSERT INTO t VALUES (1, 1, 1, 1, 1.0, 'one', '{1,1}', '1', '2024-01-01')",
)
CALLS = (
    "array_agg(x ORDER BY id)",
    "array_agg(DISTINCT x ORDER BY x DESC)",
    "array_agg(a ORDER BY id)",
    "string_agg(s, ', ' ORDER BY s, id)",
    "string_agg(s, ', ' ORDER BY id) FILTER (WHERE x > 1)",
    "json_agg(x ORDER BY id)::text",
    "jsonb_agg(s ORDER BY id)",
    "jsonb_object_agg(id, x)",
    "json_object_agg(id, j ORDER BY id)::text",
    "percentile_cont(0.5) WITHIN GROUP (ORDER BY x)",
    "percentile_disc(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY x)",
    "mode() WITHIN GROUP (ORDER BY x)",
    "rank(3) WITHIN GROUP (ORDER BY x)",
    "dense_rank(3) WITHIN GROUP (ORDER BY x)",
    "round(stddev(x), 8)",
    "var_pop(n)",
    "round(corr(x, id)::numeric, 8)",
    "round(regr_slope(x, id)::numeric, 8)",
    "regr_count(y, x)",
    "bool_and(x > 1)",
    "bit_or(x)",
    "range_agg(daterange(d, d + 1))",
    "max(a)",
    "longest(s ORDER BY id)",
    "product(n)",
    "count(DISTINCT x)",
    "sum(DISTINCT x)",
)


@pytest.mark.parametrize("call", CALLS)
def test_by_group(made: Trial, call: str) -> None:
    scenario(made, TABLES, f"SELECT k, {call} AS v, count(*) FROM t GROUP BY k", *STEPS)


@pytest.mark.parametrize("call", CALLS)
def test_of_all_rows(made: Trial, call: str) -> None:
    scenario(made, TABLES, f"SELECT {call} AS v FROM t WHERE x IS DISTINCT FROM 2", *STEPS)


@pytest.mark.parametrize(
    "call",
    [
        "array_agg(x ORDER BY id)",
        "max(x) - min(x)",
        "longest(s ORDER BY id)",
        "stddev(x)",
        "mode() WITHIN GROUP (ORDER BY x)",
    ],
)
def test_below_a_join(made: Trial, call: str) -> None:
    grouped = f"SELECT k, {call} AS v FROM t GROUP BY k"
    scenario(made, TABLES, f"SELECT u.w, g.v FROM u JOIN ({grouped}) g ON g.k = u.k", *STEPS)


@pytest.mark.parametrize("call", ["array_agg(x)", "string_agg(s, '-')", "json_agg(j)", "array_agg(y)"])
def test_an_order_left_open_is_fixed(made: Trial, call: str) -> None:
    """Nothing is rewritten while the bag stays the same, whatever the order of its rows on disk."""
    for statement in TABLES:
        must(made, statement)
    name = "st"
    query = f"SELECT k, {call} AS v FROM t GROUP BY k"
    made.client.create_stream_table(f"{made.schema}.{name}", query, refresh_mode="DIFFERENTIAL")
    must(made, "UPDATE t SET id = id + 1000")
    must(made, "UPDATE t SET id = id - 1000")
    outcome = made.client.refresh_stream_table(f"{made.schema}.{name}")
    assert (outcome.action, outcome.rows_inserted, outcome.rows_updated, outcome.rows_deleted) == (
        "DIFFERENTIAL",
        0,
        0,
        0,
    )
    made.client.drop_stream_table(f"{made.schema}.{name}")


@pytest.mark.parametrize(
    "value",
    [
        "sum(CASE WHEN g THEN p ELSE 0 END) / sum(p)",
        "100.00 * sum(CASE WHEN g THEN p * (1 - d) ELSE 0 END) / sum(p * (1 - d))",
        "sum(CASE WHEN g THEN p ELSE 0 END) + 1",
        "1 / (1 + sum(CASE WHEN g THEN p ELSE 0 END))",
        "sum(CASE WHEN g THEN p ELSE 0 END)::text",
        "avg(CASE WHEN g THEN p ELSE 0 END)",
        "sum(CASE WHEN g THEN p WHEN d > 0 THEN 1.5 ELSE 0 END) / count(*)",
        "(sum(CASE WHEN g THEN p END) / 3)::text",
    ],
)
def test_digits_of_sums_beside_zeros(made: Trial, value: str) -> None:
    """A sum that once added 0.00 and the same sum over plain zeros differ in their digits, and in nothing else."""
    tables = (
        "CREATE TABLE sale (id int PRIMARY KEY, k int, g boolean, p numeric(8,2) NOT NULL, d numeric(4,2) NOT NULL)",
        "INSERT INTO sale SELECT i, i % 3, i % 2 = 0, i * 1.37, 0.05 * (i % 3) FROM generate_series(1, 12) i",
    )
    steps: tuple[Step, ...] = (
        "UPDATE sale SET g = false WHERE k = 1",
        "UPDATE sale SET g = NULL WHERE k = 2",
        "INSERT INTO sale VALUES (20, 2, true, 0.01, 0)",
        "DELETE FROM sale WHERE g AND k = 2",
        "UPDATE sale SET g = true, p = p * 1000",
        "DELETE FROM sale WHERE id > 3",
    )
    scenario(made, tables, f"SELECT k, {value} AS v FROM sale GROUP BY k", *steps)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k, sum((SELECT count(*) FROM u WHERE u.k = t.x)) AS v FROM t GROUP BY k",
        "SELECT k, max((SELECT u.w FROM u WHERE u.k = t.k ORDER BY u.w LIMIT 1) + x) AS v FROM t GROUP BY k",
        "SELECT k, count(*) FILTER (WHERE x NOT IN (SELECT w FROM u)) AS v FROM t GROUP BY ROLLUP (k)",
        "SELECT sum((SELECT count(*) FROM u WHERE u.k = t.x)), (SELECT count(*) FROM u) AS n FROM t",
        "SELECT k, string_agg(s, '' ORDER BY (SELECT max(w) FROM u WHERE u.k = t.x), id) AS v FROM t GROUP BY k",
        "SELECT k FROM t GROUP BY k HAVING sum((SELECT count(*) FROM u WHERE u.k = t.k))"
        " > (SELECT count(*) FROM u WHERE u.k = t.k)",
        "SELECT k, sum((SELECT max(w) FROM u)) AS v, (SELECT max(w) FROM u) AS most FROM t GROUP BY k",
    ],
)
def test_aggregates_of_what_subqueries_say(made: Trial, query: str) -> None:
    """What an aggregate is called with is computed for each row, before the rows are grouped."""
    scenario(made, TABLES, query, *STEPS)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k, 2 IN (SELECT s.v FROM generate_series(0, 2) s(v)) AS two, avg(n) AS a FROM t GROUP BY k",
        "SELECT k, sum(n) / (SELECT max(s.v) FROM generate_series(1, 2) s(v)) AS a FROM t GROUP BY k",
        "SELECT id, (SELECT avg(q.n + q.m) FROM (SELECT v.n, v.n * 0.5 AS m FROM (VALUES (1), (2)) v(n)) q) FROM t",
    ],
)
def test_a_subquery_beside_a_sum_has_columns_of_its_own(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)
