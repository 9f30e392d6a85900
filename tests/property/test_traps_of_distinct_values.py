"""Counts of distinct values, for which a program keeps the values that each group has.

Lies it would catch: a value that is counted once for each row, or no longer while another row has it; NULL counted as a
value; a group of nothing but NULLs that is gone, or one without rows that is not; one of several equal keys shown where
the query would show another; what stands beside the count added up wrongly; values kept that no index can hold.
Oracle: PostgreSQL, for the stream table and for its state table; the catalog, for whether there is one.
"""

from __future__ import annotations

import pytest

from property.scenarios import filled_as_kept, follow, must, refreshed, scenario, states
from property.trial import Trial
from trickle.ivm.program.frame import LARGE_ROWS

TABLES = (
    "CREATE TABLE t (id int PRIMARY KEY, g text, h int, x int, d date, v bigint, p numeric(10,2), n numeric, f float8,"
    " s text)",
    "CREATE TABLE o (x int, ok boolean)",
    "INSERT INTO t SELECT i, CASE WHEN i % 11 > 0 THEN chr(97 + i % 4) END, i % 3, CASE WHEN i % 5 > 0 THEN i % 7 END,"
    " date '2001-01-01' + i % 6, i, i / 4.0, i / 8.0, i / 2.0, chr(65 + i % 3) FROM generate_series(1, 120) i",
    "INSERT INTO o VALUES (1, true), (1, false), (2, true), (3, NULL), (NULL, false)",
)
STEPS = (
    "UPDATE t SET x = 3 WHERE id = 7",
    "UPDATE t SET x = NULL WHERE g = 'a'",
    "DELETE FROM t WHERE x = 2 AND g = 'b'",
    ("INSERT INTO t SELECT id + 1000, g, h, x, d, v, p, n, f, lower(s) FROM t", "DELETE FROM t WHERE id < 60"),
    "UPDATE t SET g = CASE g WHEN 'b' THEN 'c' WHEN 'c' THEN 'b' END, n = n + 0.00, p = p + 1 WHERE id % 3 = 0",
    ("UPDATE t SET x = 99 WHERE x = 4", "UPDATE t SET x = 4 WHERE x = 99", "UPDATE o SET ok = NOT ok"),
    ("DELETE FROM o WHERE x IS NULL", "INSERT INTO o VALUES (4, true), (4, true)"),
    "UPDATE t SET x = 5, h = NULL, v = NULL WHERE h = 1",
    ("DELETE FROM t WHERE g = 'd'", "DELETE FROM o WHERE ok", "UPDATE t SET s = upper(s), d = NULL WHERE h = 2"),
    "UPDATE t SET p = 'NaN' WHERE g = 'b'",
    "DELETE FROM t",
    "INSERT INTO t (id, g, x) VALUES (1, 'a', NULL), (2, NULL, 1), (3, NULL, 1)",
    "TRUNCATE t",
    "INSERT INTO t (id, g, x) VALUES (1, 'a', 1), (2, NULL, NULL)",
)
KEPT = (
    "SELECT g, count(DISTINCT x) AS c FROM t GROUP BY g",
    "SELECT count(DISTINCT x) AS c FROM t",
    "SELECT count(DISTINCT x) AS c, count(*) AS n, sum(v) AS v, sum(p) AS p, count(v) AS m FROM t",
    "SELECT g, h, count(DISTINCT d) AS c, count(*) AS n, sum(h) AS s, sum(p) AS p, count(d) AS m FROM t GROUP BY g, h",
    "SELECT g, count(DISTINCT x) + count(DISTINCT x) AS c, count(DISTINCT x)::text || '!' AS t FROM t GROUP BY g",
    "SELECT h, count(DISTINCT x % 3) AS c FROM t GROUP BY h",
    "SELECT upper(g) AS g, count(DISTINCT g = 'a') AS c FROM t GROUP BY upper(g)",
    "SELECT p, count(DISTINCT x) AS c, sum(p) AS s FROM t GROUP BY p",
    "SELECT x, count(DISTINCT x) AS c FROM t GROUP BY x",
    "SELECT g, count(DISTINCT t.x) AS c FROM t WHERE t.x NOT IN (SELECT x FROM o WHERE ok) GROUP BY g",
    "SELECT ok, count(DISTINCT t.x) AS c, count(*) AS n FROM t JOIN o ON o.x = t.h GROUP BY ok",
    "SELECT g, count(DISTINCT o.x) AS c, count(*) AS n FROM t LEFT JOIN o ON o.x = t.x GROUP BY g",
    "SELECT g, count(DISTINCT x) AS c FROM (SELECT g, x FROM t UNION ALL SELECT 'a', x FROM o) u GROUP BY g",
)
NOT_KEPT = (
    "SELECT g, count(DISTINCT n) AS c FROM t GROUP BY g",
    "SELECT g, count(DISTINCT p) AS c FROM t GROUP BY g",
    "SELECT g, count(DISTINCT f) AS c FROM t GROUP BY g",
    "SELECT h, count(DISTINCT g) AS c FROM t GROUP BY h",
    "SELECT h, count(DISTINCT s) AS c FROM t GROUP BY h",
    "SELECT n, count(DISTINCT x) AS c FROM t GROUP BY n",
    "SELECT g, count(DISTINCT x) FILTER (WHERE h = 1) AS c FROM t GROUP BY g",
    "SELECT g, count(DISTINCT x) AS c, count(*) FILTER (WHERE h = 1) AS n FROM t GROUP BY g",
    "SELECT g, count(DISTINCT x) AS c, count(DISTINCT h) AS d FROM t GROUP BY g",
    "SELECT g, count(DISTINCT x) AS c, sum(DISTINCT x) AS d FROM t GROUP BY g",
    "SELECT g, count(DISTINCT x) AS c, avg(v) AS a FROM t GROUP BY g",
    "SELECT g, count(DISTINCT x) AS c, max(v) AS m FROM t GROUP BY g",
    "SELECT g, count(DISTINCT x) AS c, sum(n) AS s FROM t GROUP BY g",
    "SELECT g, count(DISTINCT (x, h)) AS c FROM t GROUP BY g",
    "SELECT g, count(DISTINCT x) AS c FROM t GROUP BY g HAVING count(*) > 3",
)


@pytest.mark.parametrize("query", KEPT)
def test_values_that_are_kept(made: Trial, query: str) -> None:
    table = scenario(made, TABLES, query)
    assert len(states(made, table)) == (1 if made.mode == "DIFFERENTIAL" else 0)
    follow(made, table, *STEPS)


@refreshed
@pytest.mark.parametrize("query", NOT_KEPT)
def test_values_that_are_not(made: Trial, query: str) -> None:
    table = scenario(made, TABLES, query, *STEPS)
    assert states(made, table) == []


@refreshed
@pytest.mark.parametrize("query", KEPT)
def test_what_is_kept_is_what_each_group_has(made: Trial, query: str) -> None:
    filled_as_kept(made, scenario(made, TABLES, query, *STEPS[:9]))


@refreshed
def test_many_changes(made: Trial) -> None:
    table = scenario(made, TABLES, KEPT[3])
    must(
        made,
        "INSERT INTO t SELECT i, chr(97 + i % 5), i % 4, i % 9, date '2001-01-01' + i % 7, i, i"
        f" FROM generate_series(5000, {5000 + LARGE_ROWS + 200}) i",
    )
    made.refresh(table)
    must(made, "UPDATE t SET d = d + 1, h = h + 1")
    made.refresh(table)
    follow(made, table, "DELETE FROM t WHERE id % 7 = 0")
