"""Rows that have a partner or none: outer joins and subqueries in conditions.

Lies it would catch: a row that finds its first partner and stays lonely, or loses its last one and is lost; NULLs
beside a row that has partners; NOT IN that forgets NULL; a condition under OR, NOT or CASE taken for a filter; a group
without rows that counts NULL instead of 0.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import pytest

from property.scenarios import Step, must, refreshed, scenario
from property.trial import Trial

TABLES = (
    "CREATE TABLE l (id int PRIMARY KEY, k int, v int)",
    "CREATE TABLE r (id int PRIMARY KEY, k int, w int)",
    "CREATE TABLE s (k int, x text)",
    "INSERT INTO l VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30), (4, NULL, 40), (5, 5, NULL)",
    "INSERT INTO r VALUES (1, 1, 1), (2, 1, 2), (3, 3, 3), (4, NULL, 4)",
    "INSERT INTO s VALUES (1, 'a'), (1, 'a'), (NULL, 'b'), (9, NULL)",
)
STEPS: tuple[Step, ...] = (
    "INSERT INTO r VALUES (5, 2, 5)",
    "DELETE FROM r WHERE k = 1",
    "UPDATE r SET k = 1 WHERE id = 3",
    ("UPDATE l SET k = 3 WHERE id = 1", "INSERT INTO r VALUES (6, 3, 30)", "DELETE FROM s WHERE k = 1"),
    ("DELETE FROM r WHERE k IS NULL", "INSERT INTO s VALUES (2, 'c'), (3, 'c')"),
    ("UPDATE l SET k = NULL WHERE id = 2", "UPDATE r SET k = NULL WHERE id = 5", "UPDATE s SET k = 1 WHERE x = 'c'"),
    ("UPDATE l SET v = v + 1", "UPDATE r SET w = w + 10", "UPDATE s SET x = 'd' WHERE k IS NULL"),
    ("DELETE FROM l WHERE id = 3", "INSERT INTO l VALUES (6, 2, 30), (7, 3, 5)", "INSERT INTO r VALUES (7, 2, 1)"),
    "DELETE FROM r",
    ("INSERT INTO r SELECT id, k, v FROM l", "DELETE FROM l WHERE k IS NULL"),
    ("DELETE FROM l", "DELETE FROM s"),
    ("INSERT INTO l VALUES (1, 1, 1), (2, 2, 2), (3, NULL, 3)", "INSERT INTO s VALUES (2, 'z')"),
)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT l.id, l.v, r.id AS rid, r.w FROM l LEFT JOIN r ON r.k = l.k",
        "SELECT l.id, r.w FROM l LEFT JOIN r ON r.id = l.k",
        "SELECT l.id, r.id AS rid FROM l RIGHT JOIN r ON r.k = l.k",
        "SELECT l.id, r.id AS rid, l.v, r.w FROM l FULL JOIN r ON r.k = l.k",
        "SELECT k, l.id, r.id AS rid FROM l FULL JOIN r USING (k)",
        "SELECT k, l.v, r.w, s.x FROM l FULL JOIN r USING (k) FULL JOIN s USING (k)",
        "SELECT k, v, w FROM l LEFT JOIN r USING (k)",
        "SELECT k, v, w FROM l RIGHT JOIN r USING (k)",
        "SELECT l.id, r.id AS rid FROM l LEFT JOIN r ON r.k < l.k AND l.v > 10",
        "SELECT l.id, r.id AS rid FROM l LEFT JOIN r ON r.k = l.k AND r.w > 1 AND l.v < 40",
        "SELECT l.id FROM l LEFT JOIN r ON r.k = l.k WHERE r.id IS NULL",
        "SELECT l.id, r.w, s.x FROM l LEFT JOIN r ON r.k = l.k LEFT JOIN s ON s.k = r.k",
        "SELECT l.id, r.w, s.x FROM l LEFT JOIN (r JOIN s ON s.k = r.k) ON r.k = l.k",
        "SELECT l.id, r.w, s.x FROM (l LEFT JOIN r ON r.k = l.k) JOIN s ON s.k = l.k",
        "SELECT s.x, l.v FROM s LEFT JOIN l ON l.k = s.k",
        "SELECT l.id, count(r.id) AS rs, sum(r.w), count(*) FROM l LEFT JOIN r ON r.k = l.k GROUP BY l.id",
        "SELECT r.k, count(*), max(l.v) FROM l LEFT JOIN r ON r.k = l.k GROUP BY r.k",
        "SELECT count(*), count(r.k) AS ks, sum(l.v) FROM l FULL JOIN r ON r.k = l.k",
        "SELECT DISTINCT l.k, r.w FROM l LEFT JOIN r ON r.k = l.k",
        "SELECT l.id, g.n FROM l LEFT JOIN (SELECT k, count(*) AS n FROM r GROUP BY k) g ON g.k = l.k",
        "SELECT l.id FROM l WHERE EXISTS (SELECT FROM r WHERE r.k = l.k)",
        "SELECT l.id, l.v FROM l WHERE NOT EXISTS (SELECT 1 FROM r WHERE r.k = l.k AND r.w > l.v - 15)",
        "SELECT l.id FROM l WHERE EXISTS (SELECT FROM r WHERE r.k > l.k)",
        "SELECT l.id FROM l WHERE EXISTS (SELECT FROM r WHERE w > 3)",
        "SELECT l.id FROM l WHERE l.k IN (SELECT k FROM r)",
        "SELECT l.id FROM l WHERE l.k NOT IN (SELECT k FROM r)",
        "SELECT l.id FROM l WHERE l.k NOT IN (SELECT k FROM r WHERE k IS NOT NULL)",
        "SELECT l.id FROM l WHERE (l.k, l.v) IN (SELECT k, w * 10 FROM r)",
        "SELECT l.id FROM l WHERE l.v > ANY (SELECT w FROM r WHERE r.k = l.k)",
        "SELECT l.id FROM l WHERE l.v > ALL (SELECT w FROM r WHERE r.k = l.k)",
        "SELECT l.id FROM l WHERE NOT l.v > ALL (SELECT w FROM r)",
        "SELECT l.id FROM l WHERE l.k IN (SELECT k FROM r) OR l.v > 20",
        "SELECT l.id, l.k IN (SELECT k FROM r) AS here, EXISTS (SELECT FROM s WHERE s.k = l.k) AS there FROM l",
        "SELECT id, k IN (SELECT k FROM l a WHERE EXISTS (SELECT FROM l b WHERE b.id = a.k)) AS here FROM l",
        "SELECT l.id, CASE WHEN l.k = ALL (SELECT k FROM r WHERE r.w < 4) THEN 'all' ELSE 'not' END AS c FROM l",
        "SELECT l.id FROM l WHERE EXISTS (SELECT FROM r WHERE r.k = l.k AND EXISTS (SELECT FROM s WHERE s.k = r.k))",
        "SELECT l.id FROM l WHERE l.k IN (SELECT k FROM r GROUP BY k HAVING count(*) > 1)",
        "SELECT l.id FROM l WHERE l.k IN (SELECT k FROM r UNION ALL SELECT k FROM s)",
        "SELECT s.k, s.x FROM s WHERE s.k IN (SELECT k FROM l)",
        "SELECT l.id, CASE WHEN EXISTS (SELECT FROM (SELECT l.id AS c, (SELECT max(w) FROM r WHERE r.k = l.k) AS m"
        " FROM l) x WHERE x.m = l.v / 10) THEN 1 ELSE 0 END AS b FROM l",
        "SELECT l.k, count(*) FROM l WHERE EXISTS (SELECT FROM r WHERE r.k = l.k) GROUP BY l.k",
        "SELECT l.id, (SELECT count(*) FROM r WHERE r.k = l.k) AS n FROM l",
        "SELECT l.id, (SELECT sum(w) + 1 FROM r WHERE r.k = l.k AND r.w > 1) AS n FROM l",
        "SELECT l.id, l.v - (SELECT avg(w) FROM r) AS off FROM l",
        "SELECT l.id FROM l WHERE l.v > (SELECT 5 * max(w) FROM r WHERE r.k = l.k)",
        "SELECT l.id FROM l WHERE (SELECT count(*) FROM r WHERE r.k = l.k) = 0",
        "SELECT l.id FROM l WHERE l.v > 5 AND l.v > (SELECT avg(w) FROM r WHERE r.k = l.k)",
        "SELECT l.id, q.n FROM l JOIN s ON s.k = l.k LEFT JOIN (SELECT k, w, count(*) AS n FROM r GROUP BY k, w) q"
        " ON q.k = l.k AND q.w = l.v / 10",
        "SELECT s.x FROM s WHERE s.k IN (SELECT l.k FROM l WHERE l.k IN (SELECT k FROM r WHERE w < 4)"
        " AND l.v > (SELECT 2 * sum(r.w) FROM r WHERE r.k = l.k AND r.id = l.id))",
        "SELECT l.id FROM l WHERE l.k IN (SELECT k FROM (SELECT k, rank() OVER (PARTITION BY k ORDER BY w) AS p FROM r)"
        " q WHERE p > 1)",
        "SELECT l.id, q.n FROM l JOIN (SELECT l.k, sum(g.n) AS n FROM l LEFT JOIN"
        " (SELECT k, count(*) AS n FROM r GROUP BY k) g ON g.k = l.k GROUP BY l.k) q ON q.k = l.id",
        "SELECT l.id FROM l WHERE l.id NOT IN (SELECT id FROM r)",
        "SELECT l.id FROM l WHERE l.id NOT IN (SELECT id FROM r WHERE r.k = l.k)",
        "SELECT l.id, l.k NOT IN (SELECT id FROM r) AS alone FROM l",
        "SELECT l.id, r.id AS rid FROM l, r WHERE l.k = r.k AND l.v < 25 AND r.w < 3 OR l.k = r.k AND l.v >= 25",
        "SELECT l.id, r.id AS rid FROM l, r WHERE l.k = r.k AND (l.v < 25 AND r.w < 3 OR l.v > 35 AND r.w IS NOT NULL)",
        "SELECT sum(l.v) AS v FROM l, r WHERE (l.k = r.k AND l.v IN (10, 11) AND r.w > 0) OR (l.k = r.k AND l.v > 25)",
    ],
)
def test_partners(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


@refreshed
@pytest.mark.parametrize(
    "query",
    [
        "SELECT l.id FROM l WHERE EXISTS (SELECT FROM r WHERE r.k = l.k AND EXISTS (SELECT FROM s WHERE s.k = l.v))",
        "SELECT l.id FROM l LEFT JOIN r ON r.id = l.id AND EXISTS (SELECT FROM s WHERE s.k = r.k)",
    ],
)
def test_what_has_no_rule_yet_is_refreshed_in_full(made: Trial, query: str) -> None:
    for statement in TABLES:
        must(made, statement)
    table = made.create("st", query, compiled=False)
    for step in STEPS:
        for statement in (step,) if isinstance(step, str) else step:
            must(made, statement)
        made.refresh(table, may_be_full=True)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k, count(*) FROM l GROUP BY k HAVING count(*) > (SELECT count(*) - 3 FROM r)",
        "SELECT k, count(*), EXISTS (SELECT FROM r WHERE r.k = l.k) AS met FROM l GROUP BY k",
        "SELECT count(*), (SELECT max(w) FROM r) AS m FROM l",
        "SELECT k, (SELECT count(*) FROM r) AS m FROM l GROUP BY k HAVING count(*) < (SELECT count(*) FROM r)",
        "SELECT count(*), sum(v) IN (SELECT w FROM r) AS b FROM l",
        "SELECT k, count(*) FROM l GROUP BY k HAVING count(*) > ANY (SELECT w FROM r)",
        "SELECT k, count(*), (SELECT max(w) FROM r WHERE r.k = l.k) AS m FROM l GROUP BY k",
        "SELECT (SELECT min(x) FROM s WHERE s.k = l.k) AS x, count(*) FROM l GROUP BY 1",
        "SELECT (SELECT min(x) FROM s WHERE s.k = l.k) AS x, count(*) FROM l"
        " GROUP BY (SELECT min(x) FROM s WHERE s.k = l.k)",
        "SELECT id, rank() OVER (ORDER BY v) IN (SELECT w FROM r) AS b FROM l",
        "SELECT id, (SELECT count(*) FROM r WHERE r.k = l.k) + row_number() OVER (ORDER BY id) AS n FROM l",
        "SELECT k, sum(v) FROM l GROUP BY ROLLUP (k) HAVING sum(v) > (SELECT avg(w) FROM r)",
    ],
)
def test_subqueries_beside_groups(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT l.id, l.k NOT IN (SELECT r.k FROM r WHERE r.w IN (SELECT s.k FROM s)) AS m FROM l",
        "SELECT l.id, l.k NOT IN (SELECT r.k FROM r WHERE (r.k NOT IN (SELECT s.k FROM s)) IS NOT FALSE) AS m FROM l",
        "SELECT l.id, (l.k, l.v) IN (SELECT r.k, r.w FROM r WHERE r.w <> SOME (SELECT l.k FROM l WHERE l.v = r.k)) AS m"
        " FROM l",
        "SELECT r.id, l.id AS lid FROM l JOIN r ON l.k = r.k AND CASE WHEN l.v > 5 THEN l.k = ALL (SELECT q.k FROM r q"
        " WHERE q.w NOT IN (SELECT s.k FROM s) AND q.w IS NOT NULL) ELSE l.v IS NULL END",
    ],
)
def test_a_subquery_read_in_two_places_has_its_own_subquery_in_each(made: Trial, query: str) -> None:
    """Whether IN is unknown is asked beside whether it is true, of the same rows."""
    scenario(made, TABLES, query, *STEPS)
