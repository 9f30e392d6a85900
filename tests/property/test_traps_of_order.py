"""Rows chosen or valued by their place: window functions, LIMIT, DISTINCT ON, set operations.

Lies it would catch: a row that moves all rows after it and leaves them where they were; a partition that is forgotten
when its last row goes; a bag operation that counts wrong; a row that enters the first ten without pushing one out.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import pytest

from property.scenarios import Step, must, scenario
from property.trial import Trial

TABLES = (
    "CREATE TABLE t (id int PRIMARY KEY, k int, v int, s text)",
    "INSERT INTO t SELECT i, nullif(i % 4, 3), i * 7 % 5, chr(97 + i % 3) FROM generate_series(1, 14) i",
    "CREATE TABLE u (k int, w int)",
    "INSERT INTO u VALUES (0, 1), (0, 1), (1, 2), (1, 3), (NULL, 4), (7, 0)",
)
STEPS: tuple[Step, ...] = (
    "INSERT INTO t VALUES (20, 1, 3, 'z')",
    "DELETE FROM t WHERE id IN (3, 4)",
    "UPDATE t SET v = v + 1 WHERE id < 6",
    ("UPDATE t SET k = 2 WHERE k = 1", "INSERT INTO u VALUES (2, 9), (0, 1)"),
    "UPDATE t SET id = id + 100 WHERE id > 9",
    ("UPDATE t SET k = NULL, v = NULL WHERE id = 7", "DELETE FROM u WHERE k = 0"),
    ("INSERT INTO u SELECT k, v FROM t", "INSERT INTO t SELECT i, 1, i % 3, 'q' FROM generate_series(30, 36) i"),
    "DELETE FROM t WHERE k IS NULL",
    "DELETE FROM t",
    ("INSERT INTO t VALUES (1, 1, 1, 'a'), (2, NULL, 2, 'b')", "DELETE FROM u"),
)
WINDOWS = (
    "SELECT id, k, row_number() OVER (PARTITION BY k ORDER BY v, id) AS n FROM t",
    "SELECT id, row_number() OVER (ORDER BY v DESC NULLS LAST, id) AS n FROM t",
    "SELECT id, rank() OVER (PARTITION BY k ORDER BY v) AS r, dense_rank() OVER (ORDER BY v) AS d FROM t",
    "SELECT id, sum(v) OVER (PARTITION BY k ORDER BY id) AS s, count(*) OVER (PARTITION BY k) AS n FROM t",
    "SELECT id, avg(v) OVER (PARTITION BY k ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS a FROM t",
    "SELECT id, sum(v) OVER (ORDER BY id RANGE BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE TIES) AS a FROM t",
    "SELECT id, sum(v) OVER (ORDER BY v GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) AS a FROM t",
    "SELECT id, lag(v) OVER w AS b, lead(v, 2, -1) OVER w AS a, first_value(s) OVER w AS f FROM t"
    " WINDOW w AS (PARTITION BY k ORDER BY id)",
    "SELECT id, ntile(3) OVER (ORDER BY id) AS q, percent_rank() OVER (ORDER BY v) AS p FROM t",
    "SELECT id, last_value(v) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS l FROM t"
    " WINDOW w AS (PARTITION BY k, s ORDER BY id)",
    "SELECT id, v - avg(v) OVER (PARTITION BY v % 2) AS off FROM t WHERE k IS NOT NULL",
    "SELECT id, string_agg(s, '') OVER (PARTITION BY k ORDER BY id) AS a FROM t",
    "SELECT k, sum(v) AS total, rank() OVER (ORDER BY sum(v) DESC NULLS LAST) AS r FROM t GROUP BY k",
    "SELECT k, sum(count(*)) OVER (ORDER BY k) AS running FROM t GROUP BY k",
    "SELECT id, n FROM (SELECT id, row_number() OVER (PARTITION BY k ORDER BY v DESC, id) AS n FROM t) x WHERE n <= 2",
    "SELECT u.w, x.n FROM u JOIN (SELECT k, row_number() OVER (PARTITION BY k ORDER BY id) AS n FROM t) x ON x.k = u.k",
    "SELECT t.id, u.w, count(*) OVER (PARTITION BY t.k) AS n FROM t LEFT JOIN u ON u.k = t.k",
    "SELECT DISTINCT k, first_value(id) OVER (PARTITION BY k ORDER BY v, id) AS f FROM t",
    "SELECT n, count(*) FROM (SELECT count(*) OVER (PARTITION BY k, v) AS n FROM t) x GROUP BY n",
    "SELECT id, sum(v) FILTER (WHERE s = 'a') OVER (PARTITION BY k) AS a FROM t",
    "SELECT id, max(v) OVER (PARTITION BY k) - v AS gap FROM t WHERE id IN (SELECT max(id) FROM t GROUP BY s)",
    "SELECT id, count(*) OVER () AS a, count(*) OVER (PARTITION BY k) AS b, count(*) OVER (PARTITION BY s, k) FROM t",
)
PLACES = (
    "SELECT id, v FROM t ORDER BY v DESC NULLS LAST, id LIMIT 3",
    "SELECT id, v FROM t ORDER BY id LIMIT 3 OFFSET 2",
    "SELECT id FROM t ORDER BY id OFFSET 4",
    "SELECT id, v FROM t ORDER BY v FETCH FIRST 2 ROWS WITH TIES",
    "SELECT k, v FROM t ORDER BY k, v OFFSET 1 FETCH NEXT 3 ROWS WITH TIES",
    "SELECT k, count(*) AS n FROM t GROUP BY k ORDER BY n DESC, k LIMIT 2",
    "SELECT DISTINCT v FROM t ORDER BY v LIMIT 2",
    "SELECT u.w, x.id FROM u JOIN (SELECT id, k FROM t ORDER BY id DESC LIMIT 5) x ON x.k = u.k",
    "SELECT count(*), sum(v) FROM (SELECT v FROM t ORDER BY id LIMIT 6) x",
    "SELECT k FROM t UNION SELECT k FROM u ORDER BY k NULLS FIRST LIMIT 2",
    "SELECT id FROM t ORDER BY id LIMIT NULL",
    "SELECT id FROM t ORDER BY id LIMIT 0",
    "SELECT id FROM t WHERE v = (SELECT max(v) FROM t) OR id IN (SELECT id FROM t ORDER BY id LIMIT 2)",
    "SELECT DISTINCT ON (k) k, id, v FROM t ORDER BY k, v DESC, id",
    "SELECT DISTINCT ON (k, v % 2) k, v, id FROM t ORDER BY k, v % 2, id",
    "SELECT DISTINCT ON (k) k, id FROM t ORDER BY k NULLS FIRST, id DESC LIMIT 2",
    "SELECT x.id, u.w FROM (SELECT DISTINCT ON (k) k, id FROM t ORDER BY k, id) x LEFT JOIN u ON u.k = x.k",
)
SETS = (
    "SELECT k FROM t INTERSECT SELECT k FROM u",
    "SELECT k FROM t INTERSECT ALL SELECT k FROM u",
    "SELECT k FROM t EXCEPT SELECT k FROM u",
    "SELECT k FROM t EXCEPT ALL SELECT k FROM u",
    "SELECT k, v FROM t EXCEPT ALL SELECT k, w FROM u UNION ALL SELECT 1, 1",
    "(SELECT k FROM t UNION SELECT w FROM u) EXCEPT (SELECT v FROM t INTERSECT SELECT k FROM u)",
    "SELECT k, count(*) FROM (SELECT k FROM t EXCEPT ALL SELECT k FROM u) x GROUP BY k",
    "SELECT t.id FROM t JOIN (SELECT k FROM t INTERSECT ALL SELECT k FROM u) x ON x.k = t.k",
    "SELECT t.id, x.name FROM t JOIN (VALUES (0, 'none'), (1, 'one'), (2, NULL)) x(k, name) ON x.k = t.k",
    "SELECT v.k, count(t.id) FROM (VALUES (0), (1), (9)) v(k) LEFT JOIN t ON t.k = v.k GROUP BY v.k",
    "SELECT id FROM t WHERE (k, s) IN (VALUES (1, 'a'), (2, 'b'))",
    "SELECT id, k FROM t UNION ALL SELECT 0, NULL",
    "SELECT t.id, c.one FROM t CROSS JOIN (SELECT 1 AS one) c",
)


@pytest.mark.parametrize("query", WINDOWS)
def test_windows(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


@pytest.mark.parametrize("query", PLACES)
def test_places(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


@pytest.mark.parametrize("query", SETS)
def test_sets(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, row_number() OVER (PARTITION BY k ORDER BY v) AS n FROM t",
        "SELECT k, v, first_value(id) OVER (PARTITION BY k ORDER BY v) AS f FROM t",
        "SELECT id, array_agg(s) OVER (PARTITION BY k ORDER BY v) AS a FROM t",
        "SELECT id, v FROM t ORDER BY v LIMIT 4",
        "SELECT DISTINCT ON (k) k, id FROM t ORDER BY k, v",
        "SELECT id, lag(id) OVER (ORDER BY v) AS l, lead(id) OVER (PARTITION BY k ORDER BY v) AS m FROM t",
    ],
)
def test_rows_that_tie_are_told_apart(made: Trial, query: str) -> None:
    """The answer is one that PostgreSQL could give, and the same one however the rows lie on disk."""
    for statement in TABLES:
        must(made, statement)
    made.client.create_stream_table(f"{made.schema}.st", query, refresh_mode="DIFFERENTIAL")
    for step in STEPS:
        for statement in (step,) if isinstance(step, str) else step:
            must(made, statement)
        must(made, "UPDATE t SET s = s")
        made.client.refresh_stream_table(f"{made.schema}.st")
        kept = made.connection.execute("TABLE st").fetchall()
        must(made, "UPDATE t SET v = v")
        again = made.client.refresh_stream_table(f"{made.schema}.st")
        assert sorted(map(str, made.connection.execute("TABLE st").fetchall())) == sorted(map(str, kept))
        assert (again.rows_inserted, again.rows_updated, again.rows_deleted) == (0, 0, 0)
    made.client.drop_stream_table(f"{made.schema}.st")
