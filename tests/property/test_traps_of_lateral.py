"""Subqueries tied to the row outside: LATERAL, the first few for each row, scalar subqueries without aggregates.

Lies it would catch: a row outside that keeps the partner it had; a group without rows that has no row; a second row
that is taken for the first; a limit that counts over all rows instead of those tied.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import pytest

from property.scenarios import Step, must, refreshed, scenario
from property.trial import Trial
from trickle.errors import TrickleError

TABLES = (
    "CREATE TABLE l (id int PRIMARY KEY, k int, v int)",
    "CREATE TABLE r (id int PRIMARY KEY, k int, w int)",
    "CREATE TABLE s (k int PRIMARY KEY, x text)",
    "INSERT INTO l VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30), (4, NULL, 40), (5, 5, NULL)",
    "INSERT INTO r VALUES (1, 1, 1), (2, 1, 2), (3, 3, 3), (4, NULL, 4), (8, 1, 0)",
    "INSERT INTO s VALUES (1, 'a'), (3, 'b'), (9, NULL)",
)
STEPS: tuple[Step, ...] = (
    "INSERT INTO r VALUES (5, 2, 5)",
    "DELETE FROM r WHERE id = 2",
    "UPDATE r SET k = 1 WHERE id = 3",
    ("UPDATE l SET k = 3 WHERE id = 1", "INSERT INTO r VALUES (6, 3, 30)", "DELETE FROM s WHERE k = 1"),
    ("DELETE FROM r WHERE k IS NULL", "INSERT INTO s VALUES (2, 'c')"),
    ("UPDATE l SET k = NULL WHERE id = 2", "UPDATE r SET k = NULL WHERE id = 5", "UPDATE s SET k = 1 WHERE x = 'c'"),
    ("UPDATE l SET v = v + 1", "UPDATE r SET w = 10 - w", "UPDATE s SET x = 'd' WHERE k = 9"),
    ("DELETE FROM l WHERE id = 3", "INSERT INTO l VALUES (6, 2, 30), (7, 3, 5)", "INSERT INTO r VALUES (7, 2, 1)"),
    "DELETE FROM r",
    ("INSERT INTO r SELECT id, k, v FROM l", "DELETE FROM l WHERE k IS NULL"),
    ("DELETE FROM l", "DELETE FROM s"),
    ("INSERT INTO l VALUES (1, 1, 1), (2, 2, 2), (3, NULL, 3)", "INSERT INTO s VALUES (2, 'z')"),
)
QUERIES = (
    "SELECT l.id, (SELECT x FROM s WHERE s.k = l.k) AS x FROM l",
    "SELECT l.id, coalesce((SELECT x || l.k FROM s WHERE s.k = l.k), 'none') AS x FROM l WHERE l.v > 5",
    "SELECT l.id, (SELECT w FROM r WHERE r.k = l.k ORDER BY w DESC, id LIMIT 1) AS w FROM l",
    "SELECT l.id, (SELECT w FROM r ORDER BY id LIMIT 1) AS w FROM l",
    "SELECT l.id FROM l WHERE l.v > (SELECT w FROM r WHERE r.k = l.k ORDER BY id OFFSET 1 LIMIT 1)",
    "SELECT l.id, (SELECT 1) AS one FROM l",
    "SELECT l.id, (SELECT max(w) FROM r WHERE r.k = l.k GROUP BY r.k) AS m FROM l",
    "SELECT l.id FROM l WHERE 0 < (SELECT count(*) FROM r WHERE r.k > l.k)",
    "SELECT l.id, (SELECT sum(w) FROM r WHERE r.k IS NOT DISTINCT FROM l.k) AS s FROM l",
    "SELECT l.id, (SELECT max(w) FROM r WHERE r.k = l.k AND r.w * 10 <= l.v) AS m FROM l",
    "SELECT l.id, x.n FROM l, LATERAL (SELECT count(*) AS n FROM r WHERE r.k + 1 = l.k OR r.w = l.id) x",
    "SELECT l.id, ARRAY(SELECT w FROM r WHERE r.k = l.k ORDER BY w, id) AS ws FROM l",
    "SELECT l.id FROM l WHERE l.id = ANY (ARRAY(SELECT id FROM r WHERE w > 1))",
    "SELECT l.id, x.w FROM l, LATERAL (SELECT r.w FROM r WHERE r.k = l.k) x",
    "SELECT l.id, x.d FROM l CROSS JOIN LATERAL (SELECT r.w - l.v AS d FROM r WHERE r.k = l.k AND r.w < l.v) x",
    "SELECT l.id, x.w FROM l LEFT JOIN LATERAL (SELECT r.w FROM r WHERE r.k = l.k) x ON true",
    "SELECT l.id, x.id AS rid FROM l, LATERAL (SELECT r.id FROM r WHERE r.k = l.k ORDER BY w, id LIMIT 2) x",
    "SELECT l.id, x.w, x.n FROM l LEFT JOIN LATERAL (SELECT w, row_number() OVER (ORDER BY w, id) AS n"
    " FROM r WHERE r.k = l.k) x ON true",
    "SELECT l.id, x.n, x.s FROM l, LATERAL (SELECT count(*) AS n, sum(w) AS s FROM r WHERE r.k = l.k) x",
    "SELECT l.id, x.n FROM l JOIN LATERAL (SELECT count(*) AS n FROM r WHERE r.k = l.k) x ON x.n > 1",
    "SELECT l.id, x.w, x.n FROM l, LATERAL (SELECT w, count(*) AS n FROM r WHERE r.k = l.k GROUP BY w) x",
    "SELECT l.id, x.w FROM l, LATERAL (SELECT DISTINCT w FROM r WHERE r.k = l.k) x",
    "SELECT l.id, x.w FROM l, LATERAL (SELECT DISTINCT ON (w) w, id FROM r WHERE r.k = l.k ORDER BY w, id) x",
    "SELECT l.id, x.w, y.x FROM l, LATERAL (SELECT w, k FROM r WHERE r.k = l.k) x,"
    " LATERAL (SELECT s.x FROM s WHERE s.k = x.k) y",
    "SELECT l.id, x.a FROM l, LATERAL (SELECT l.v + 1 AS a) x",
    "SELECT l.id, x.z FROM l, LATERAL (VALUES (1), (2)) x(z)",
    "SELECT l.id FROM l WHERE EXISTS (SELECT FROM r WHERE r.k = l.k LIMIT 1)",
    "SELECT l.id FROM l WHERE EXISTS (SELECT r.k FROM r WHERE r.k = l.k GROUP BY r.k HAVING count(*) > 1)",
    "SELECT l.id FROM l WHERE l.v IN (SELECT w * 10 FROM r WHERE r.k = l.k ORDER BY w LIMIT 2)",
    "SELECT l.id FROM l WHERE l.id IN (SELECT max(id) FROM r)",
    "SELECT l.id, r.w FROM l JOIN r ON r.id = l.id AND EXISTS (SELECT FROM s WHERE s.k = r.k)",
    "SELECT l.id, r.w FROM l JOIN r ON r.k = l.k AND r.w = (SELECT max(w) FROM r x WHERE x.k = l.k)",
)


@pytest.mark.parametrize("query", QUERIES)
def test_tied_subqueries(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


@refreshed
def test_a_second_row_is_an_error_and_loses_nothing(made: Trial) -> None:
    for statement in TABLES:
        must(made, statement)
    must(made, "DELETE FROM r WHERE id IN (2, 8)")
    table = made.create("st", "SELECT l.id, (SELECT w FROM r WHERE r.k = l.k) AS w FROM l")
    must(made, "INSERT INTO r VALUES (20, 1, 7)")
    with pytest.raises(TrickleError, match="more than one row returned by a subquery"):
        made.client.refresh_stream_table(f"{made.schema}.st")
    must(made, "DELETE FROM r WHERE id = 1")
    made.refresh(table)
