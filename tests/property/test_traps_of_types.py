"""Columns of types without equality, and of types whose equal values look different, below every operator.

Lies it would catch: an old row that is rebuilt as 1.0 though 1.00 is stored; a program that groups by json and fails;
two documents that are printed alike and counted once.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import pytest

from property.scenarios import Step, scenario
from property.trial import Trial

TABLES = (
    "CREATE TABLE l (id int PRIMARY KEY, k int, doc json, at point, n numeric)",
    "CREATE TABLE r (id int, k int, doc json, at point, n numeric)",
    "INSERT INTO l VALUES (1, 1, '{\"a\": 1}', '(1,2)', 1.0), (2, 1, '{\"a\":1}', NULL, 1.00),"
    " (3, 2, '[]', '(0,0)', 2), (4, NULL, NULL, '(1,2)', NULL)",
    "INSERT INTO r VALUES (1, 1, '{\"a\": [1]}', '(3,4)', 1.0), (1, 1, '{\"a\": [1]}', '(3,4)', 1.0),"
    " (2, 1, '{\"a\":[1]}', NULL, 1.00), (3, 3, NULL, '(5,6)', 7)",
)
STEPS: tuple[Step, ...] = (
    "INSERT INTO r VALUES (4, 2, '{\"a\": 2}', '(7,8)', 2.0)",
    "DELETE FROM r WHERE ctid = (SELECT min(ctid) FROM r WHERE id = 1)",
    "UPDATE r SET n = 1.000, doc = '{\"a\":  [1]}' WHERE id = 2",
    ("UPDATE l SET n = n + 0.00 WHERE k = 1", "UPDATE l SET doc = '{}' WHERE id = 3"),
    ("UPDATE l SET k = 3 WHERE id = 1", "DELETE FROM r WHERE k = 1"),
    ("INSERT INTO r VALUES (5, 3, '[1]', NULL, 1), (5, 3, '[1]', NULL, 1.0)", "UPDATE l SET at = '(9,9)' WHERE id = 1"),
    "DELETE FROM l WHERE id < 3",
    "DELETE FROM r",
)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT l.id, r.doc, r.n FROM l LEFT JOIN r ON r.k = l.k",
        "SELECT l.id, l.doc, r.at FROM l FULL JOIN r ON r.k = l.k",
        "SELECT l.id, l.doc, l.n FROM l WHERE NOT EXISTS (SELECT FROM r WHERE r.k = l.k)",
        "SELECT r.doc, r.n FROM r WHERE r.k IN (SELECT k FROM l)",
        "SELECT r.id, r.doc, row_number() OVER (PARTITION BY k ORDER BY id, n) AS p FROM r",
        "SELECT l.id, x.a FROM l LEFT JOIN (SELECT k, doc -> 'a' AS a FROM r) x ON x.k = l.k",
        "SELECT l.id, x.m FROM l LEFT JOIN (SELECT k, n + 1 AS m FROM r) x ON x.k = l.k",
        "SELECT l.id, g.docs FROM l JOIN (SELECT k, json_agg(doc ORDER BY id)::text AS docs FROM r GROUP BY k) g"
        " ON g.k = l.k",
        "SELECT l.id, g.docs FROM l LEFT JOIN (SELECT k, json_agg(n ORDER BY id, n) AS docs FROM r GROUP BY k) g"
        " ON g.k = l.k",
        "SELECT DISTINCT ON (k) k, id, doc FROM l ORDER BY k, id",
        "SELECT id, doc, at FROM l ORDER BY id LIMIT 2",
        "SELECT l.id, x.doc FROM l"
        " LEFT JOIN LATERAL (SELECT doc FROM r WHERE r.k = l.k ORDER BY id, n LIMIT 1) x ON true",
        "SELECT l.id, (SELECT doc FROM r WHERE r.k = l.k ORDER BY id DESC, n LIMIT 1) AS doc FROM l",
    ],
)
def test_any_type_may_stand_below_any_operator(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


COMPOSITES = (
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE TABLE c (id int PRIMARY KEY, one pair)",
    "INSERT INTO c VALUES (1, (1, 'x')), (2, NULL), (3, (NULL, NULL))",
)
COMPOSITE_STEPS = (
    "INSERT INTO c VALUES (10, (1, NULL)), (11, (1, NULL)), (12, (NULL, NULL)), (13, NULL)",
    "UPDATE c SET one = (1, NULL) WHERE id = 13",
    "DELETE FROM c WHERE id IN (10, 12)",
    "DELETE FROM c WHERE id = 11",
    "UPDATE c SET one = NULL",
    "UPDATE c SET one = (NULL, NULL) WHERE id IN (1, 2)",
    "DELETE FROM c WHERE id = 2",
    "UPDATE c SET one = (2, 'x') WHERE id = 1",
)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT one, count(*) AS n FROM c GROUP BY one",
        "SELECT one, count(*) AS n FROM c GROUP BY one HAVING count(*) > 0",
        "SELECT count(one) AS n FROM c",
        "SELECT DISTINCT one, id / 2 AS half FROM c",
        "SELECT max(n) AS n FROM (SELECT one, count(*) AS n FROM c GROUP BY one) q",
        "SELECT id, rank() OVER (PARTITION BY one ORDER BY id) AS place FROM c",
    ],
)
def test_a_row_of_nulls_is_not_null(made: Trial, query: str) -> None:
    scenario(made, COMPOSITES, query, *COMPOSITE_STEPS)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT l.id, (SELECT count(*) FROM r WHERE r.n::text = l.n::text) AS v FROM l",
        "SELECT l.id, (SELECT sum(r.id) FROM r WHERE r.n::text < l.n::text AND r.k <> l.k) AS v FROM l",
        "SELECT l.id, x.v FROM l CROSS JOIN LATERAL (SELECT count(*) AS v FROM r WHERE r.n::text = l.n::text) x",
        "SELECT l.id FROM l WHERE l.k < (SELECT sum(r.id) FROM r WHERE r.n <= l.n AND length(r.n::text) <= scale(l.n))",
        "SELECT l.id, (SELECT count(*) FROM r WHERE r.n < l.n) AS v FROM l",
    ],
)
def test_a_subquery_sees_how_the_value_outside_is_written(made: Trial, query: str) -> None:
    """Rows outside that are equal and look different ask different questions."""
    scenario(made, TABLES, query, *STEPS)
