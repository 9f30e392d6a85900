"""Values that no ordered index holds: texts, arrays and documents of a third of a page and more, as keys of groups.

Lies it would catch: a stream table that can be refreshed no more once such a value came, or cannot be created beside
one; rows that are not found again when the index that found them is another; a long key in a state table.
Oracle: PostgreSQL.
"""

from __future__ import annotations

import pytest

from property.scenarios import Step, follow, must, refreshed, scenario, states
from property.trial import Trial

LONG = "(SELECT string_agg(md5(i::text), '') FROM generate_series({0}, {0} + 600) i)"
FIRST, SECOND = LONG.format(1), LONG.format(5000)
TABLES = (
    "CREATE TABLE t (id int PRIMARY KEY, k int, s text, b bytea, a text[], j jsonb)",
    "CREATE TABLE u (k int PRIMARY KEY, w int)",
    "INSERT INTO t SELECT i, i % 3, 's' || i % 4, 'b', ARRAY['a' || i % 2], '{}' FROM generate_series(1, 12) i",
    "INSERT INTO t VALUES (13, NULL, NULL, NULL, NULL, NULL)",
    "INSERT INTO u VALUES (0, 1), (1, 2), (2, 3)",
)
COMING = f"""INSERT INTO t SELECT 20 + n, n, x, x::bytea, ARRAY[x], to_jsonb(x)
             FROM (VALUES (0, {FIRST}), (1, {FIRST}), (2, {SECOND})) v(n, x)"""
STEPS: tuple[Step, ...] = (
    "UPDATE t SET k = 2 WHERE id IN (1, 20)",
    "INSERT INTO t VALUES (30, 1, 's1', 'b', '{a}', '[]')",
    "DELETE FROM t WHERE id = 21",
    f"UPDATE t SET s = {SECOND}, a = ARRAY[NULL, {SECOND}] WHERE id = 20",
    ("DELETE FROM t WHERE id = 22", "UPDATE u SET w = 9 WHERE k = 2"),
    "UPDATE t SET s = 'short' WHERE id = 20",
)
QUERIES = (
    "SELECT s, count(*) AS n FROM t GROUP BY s",
    "SELECT k, s, sum(id) AS ids FROM t GROUP BY k, s",
    "SELECT s, max(id) AS id, min(a) AS a FROM t GROUP BY s HAVING count(*) > 1",
    "SELECT DISTINCT b FROM t",
    "SELECT DISTINCT a, k FROM t",
    "SELECT j, count(*) AS n FROM t GROUP BY j",
    "SELECT s FROM t UNION SELECT w::text FROM u",
    "SELECT s, count(*) AS n FROM t GROUP BY s ORDER BY n DESC, s LIMIT 2",
    "SELECT t.s, u.w FROM t JOIN u USING (k) ORDER BY t.s DESC, u.w LIMIT 3",
    "SELECT u.w, q.n FROM u LEFT JOIN (SELECT max(k) AS k, count(*) AS n FROM t GROUP BY s) q USING (k)",
    "SELECT k, s, count(*) AS n FROM t GROUP BY ROLLUP (k, s)",
)


@refreshed
@pytest.mark.parametrize("query", QUERIES)
def test_one_that_comes_later(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, COMING, *STEPS)


@pytest.mark.parametrize("query", QUERIES)
def test_one_that_is_there_before(made: Trial, query: str) -> None:
    scenario(made, (*TABLES, COMING), query, *STEPS)


@refreshed
def test_a_recursion_over_long_names(made: Trial) -> None:
    must(made, "CREATE TABLE step (a text, b text)")
    must(made, "INSERT INTO step VALUES ('root', 'x'), ('x', 'y'), ('q', 'y')")
    query = "WITH RECURSIVE r AS (SELECT 'root' AS s UNION SELECT b FROM step JOIN r ON a = s) SELECT s FROM r"
    table = scenario(made, (), query, f"INSERT INTO step VALUES ('y', {FIRST}), ({FIRST}, 'z')")
    follow(made, table, "DELETE FROM step WHERE a = 'x'", "INSERT INTO step VALUES ('root', 'y')")


@refreshed
def test_other_state_tables_keep_their_order(made: Trial) -> None:
    """A number is never that long in practice, so what is in the order of numbers stays so."""
    query = "SELECT s, sum(id) AS n FROM t GROUP BY s ORDER BY n DESC LIMIT 2"
    table = scenario(made, TABLES, query, COMING)
    (state,) = states(made, table)
    rows = made.connection.execute(
        "SELECT m.amname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam"
        " WHERE i.indrelid = %s::regclass ORDER BY 1",
        [state],
    )
    assert rows.fetchall() == [("btree",), ("hash",)]
    follow(made, table, *STEPS)
