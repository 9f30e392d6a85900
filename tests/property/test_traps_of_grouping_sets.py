"""GROUPING SETS, ROLLUP and CUBE.

Lies it would catch: a NULL of the data taken for a NULL of a set; a grand total that disappears with the last row; a
set that stands twice and is counted once. And a cliff: a grand total for which a change of one row reads all rows.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import pytest

from property.scenarios import Step, follow, refreshed, scenario, states
from property.trial import Trial

TABLES = (
    "CREATE TABLE t (id int PRIMARY KEY, a int, b text, n numeric, v int)",
    "INSERT INTO t SELECT i, nullif(i % 3, 2), chr(97 + i % 2), i % 2 + 0.50, i FROM generate_series(1, 9) i",
)
STEPS: tuple[Step, ...] = (
    "INSERT INTO t VALUES (20, 1, NULL, 1.500, 3)",
    "DELETE FROM t WHERE id IN (3, 4)",
    ("UPDATE t SET a = NULL WHERE id = 1", "UPDATE t SET v = v + 1"),
    "UPDATE t SET b = 'z' WHERE a = 1",
    "DELETE FROM t",
    "INSERT INTO t VALUES (1, NULL, NULL, 0, 1), (2, NULL, 'x', 1, 1)",
)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a, b, count(*) AS n, sum(v) AS s, GROUPING(a, b) AS g FROM t GROUP BY ROLLUP (a, b)",
        "SELECT a, b, max(v) AS m, GROUPING(b) AS g FROM t GROUP BY CUBE (a, b)",
        "SELECT a, b, count(*) AS n FROM t GROUP BY GROUPING SETS ((a), (b), ())",
        "SELECT a, b, count(*) AS n FROM t GROUP BY GROUPING SETS (ROLLUP (a), (b, a), (a))",
        "SELECT a, b, v % 2 AS c, count(*) AS n FROM t GROUP BY a, ROLLUP (b, (v % 2, a))",
        "SELECT a, count(*) AS n FROM t GROUP BY DISTINCT ROLLUP (a), ROLLUP (a)",
        "SELECT a, count(*) AS n FROM t GROUP BY ROLLUP (a), ROLLUP (a)",
        "SELECT a, n, sum(n) AS s FROM t GROUP BY ROLLUP (a, n)",
        "SELECT a + 1 AS x, count(*) AS n FROM t GROUP BY ROLLUP (a + 1) HAVING count(*) > 1 OR GROUPING(a + 1) = 1",
        "SELECT CASE WHEN GROUPING(a) = 1 THEN 'all' ELSE a::text END AS label, sum(v) AS s FROM t GROUP BY ROLLUP (a)",
        "SELECT count(*) AS n FROM t GROUP BY ()",
        "SELECT a, b, rank() OVER (PARTITION BY GROUPING(a, b) ORDER BY count(*) DESC, a, b) AS r"
        " FROM t GROUP BY CUBE (a, b)",
        "SELECT x.a, x.n, t.id FROM t JOIN (SELECT a, count(*) AS n FROM t GROUP BY ROLLUP (a)) x ON x.a = t.a",
    ],
)
def test_grouping_sets(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


@refreshed
@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("SELECT a, b, count(*) AS n, sum(v) AS s, avg(v) FILTER (WHERE v > 2) AS m FROM t GROUP BY ROLLUP (a, b)", 3),
        ("SELECT a, min(v) AS lo, max(b) AS hi, count(b) AS n FROM t GROUP BY CUBE (a, id % 2)", 4),
        ("SELECT a, b, sum(v) AS s FROM t GROUP BY ROLLUP (a, b) HAVING sum(v) > 3 OR GROUPING(a) = 1", 3),
        ("SELECT a::numeric + 0.5 AS x, sum(v) AS s FROM t GROUP BY GROUPING SETS ((a), (a, b), ())", 3),
        ("SELECT 'all' AS what, count(*) AS n FROM t UNION ALL SELECT b, sum(v) FROM t WHERE v > 1 GROUP BY b", 2),
        ("SELECT sum(v) AS s FROM t UNION ALL SELECT v FROM t UNION ALL SELECT max(v) FROM t", 2),
        # What a group shows need not be what is kept: 0.50 and 0.5 are one key, and a sum of numbers has digits.
        ("SELECT a, sum(n) AS s FROM t GROUP BY ROLLUP (a)", 0),
        ("SELECT n, count(*) AS c FROM t GROUP BY ROLLUP (n)", 1),
        # Not to be had by adding.
        ("SELECT a, string_agg(b, ',' ORDER BY v) AS l FROM t GROUP BY ROLLUP (a)", 0),
    ],
)
def test_each_set_is_folded(made: Trial, query: str, kept: int) -> None:
    table = scenario(made, TABLES, query)
    assert len(states(made, table)) == kept
    follow(made, table, *STEPS, "TRUNCATE t", *STEPS[:4])


def test_writers_that_keep_them_themselves_share_no_total(made: Trial) -> None:
    table = scenario(made, TABLES, "SELECT a, count(*) AS n FROM t GROUP BY ROLLUP (a)", *STEPS)
    assert len(states(made, table)) == (2 if made.mode == "DIFFERENTIAL" else 0)
