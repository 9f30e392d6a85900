"""Branches of a union that have other types than the union has.

Lies it would catch: a change of one branch alone that keeps the branch's type, so that a date is printed without the
time that the union gives it, or is not found again by the hash of its row; a branch that reads no table, forgotten.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import pytest

from property.scenarios import Step, scenario
from property.trial import Trial

TABLES = (
    "CREATE TABLE t (id int PRIMARY KEY, v int, d date, s varchar(3), c char(4))",
    "CREATE TABLE u (id int, n numeric, f float8, at timestamp, s text)",
    "INSERT INTO t VALUES (1, 7, '2026-01-01', 'a', 'a'), (2, 8, NULL, 'ab', NULL), (3, NULL, '2026-01-02', '', 'b')",
    "INSERT INTO u VALUES (1, 7.50, 0.1, '2026-01-01 12:00', 'a '), (2, NULL, 7, NULL, 'ab')",
)
STEPS: tuple[Step, ...] = (
    "INSERT INTO t VALUES (4, 9, '2026-02-01', 'b', 'ab')",
    "UPDATE t SET v = v + 2, d = d + 1, s = s || 'c', c = 'c' WHERE id < 3",
    "INSERT INTO u VALUES (3, 2, 2, '2026-02-01', 'b')",
    ("DELETE FROM t WHERE id = 2", "UPDATE u SET n = n + 1, f = 1, at = at + interval '1 day', s = 'a'"),
    "DELETE FROM u WHERE id = 1",
    "UPDATE t SET v = 3, s = NULL, c = 'a'",
    ("DELETE FROM t", "DELETE FROM u"),
    "INSERT INTO t VALUES (5, 5, '2026-01-01', 'a', 'a'), (6, 5, '2026-01-01', 'a', 'a')",
)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT v AS x FROM t UNION ALL SELECT n FROM u",
        "SELECT v AS x FROM t UNION ALL SELECT 1.5",
        "SELECT x / 2 AS half FROM (SELECT v AS x FROM t UNION ALL SELECT n FROM u) q",
        "SELECT x / 2 AS half FROM (SELECT v AS x FROM t UNION ALL SELECT 7.5) q",
        "SELECT x / 2 AS half, count(*) AS c FROM (SELECT v AS x FROM t UNION ALL SELECT f FROM u) q GROUP BY x / 2",
        "SELECT sum(x / 2) AS s FROM (SELECT v AS x FROM t UNION ALL SELECT n FROM u) q",
        "SELECT sum(x) AS s, avg(x) AS a FROM (VALUES (1.5), (NULL)) q(x), t WHERE x < v",
        "SELECT x / 2 AS half FROM (SELECT v AS x FROM t UNION SELECT n FROM u) q",
        "SELECT x / 2 AS half FROM (SELECT v AS x FROM t EXCEPT ALL SELECT n FROM u) q",
        "SELECT x / 2 AS half FROM (SELECT v AS x FROM t INTERSECT SELECT 7.0) q",
        "SELECT x / 2 AS half FROM (SELECT v AS x FROM t UNION ALL (SELECT id FROM u UNION ALL SELECT f FROM u)) q",
        "SELECT q.x / 2 AS half, t.id FROM (SELECT v AS x FROM t UNION ALL SELECT n FROM u) q JOIN t ON t.v = q.x",
        "SELECT t.id, t.v IN (SELECT x / 2 FROM (SELECT v AS x FROM t UNION ALL SELECT n FROM u) q) AS y FROM t",
        "SELECT x || '|' AS y FROM (SELECT c AS x FROM t UNION ALL SELECT s FROM u) q",
        "SELECT x || '|' AS y FROM (SELECT s AS x FROM t UNION ALL SELECT 'abcde' FROM u) q",
        "SELECT x::text AS y FROM (SELECT d AS x FROM t UNION ALL SELECT at FROM u) q",
        "SELECT x::text AS y, rank() OVER (ORDER BY x) AS r FROM (SELECT d AS x FROM t UNION ALL SELECT at FROM u) q",
        "SELECT x, count(*) AS n FROM (SELECT sum(v) AS x FROM t GROUP BY d UNION ALL SELECT max(n) FROM u) q"
        " GROUP BY x",
        "SELECT sum(v) AS x, 1 AS k FROM t GROUP BY d UNION ALL SELECT 1::numeric, count(*) FROM u GROUP BY s",
        "SELECT NULL AS x FROM u UNION ALL SELECT v FROM t",
    ],
)
def test_a_branch_that_changes_alone_has_the_type_of_the_union(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) AS n FROM (SELECT s AS x FROM t UNION SELECT s FROM u UNION ALL SELECT 'a') q",
        "SELECT q.y FROM ((SELECT v AS x, id AS y FROM t UNION SELECT id, id FROM u) UNION ALL SELECT v, 1 FROM t) q",
        "SELECT t.id, (SELECT count(*) FROM ((SELECT v AS x, id AS y FROM t UNION SELECT id, id FROM u)"
        " UNION ALL SELECT 1, id FROM u) q WHERE q.y BETWEEN 1 AND 2) AS n FROM t",
        "SELECT q.c FROM (SELECT v, d, count(*) AS c FROM t GROUP BY v, d UNION ALL SELECT id, at, 0 FROM u) q",
    ],
)
def test_groups_in_a_branch_keep_keys_that_nobody_reads(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT coalesce(q.x, 0) + 1 AS y FROM (SELECT id AS x FROM t EXCEPT SELECT id FROM u) q",
        "SELECT q.n FROM (SELECT x, count(*) AS n FROM (SELECT id AS x FROM t UNION ALL SELECT id FROM t) w"
        " GROUP BY x) q WHERE q.n NOT IN (SELECT u.id FROM u)",
        "SELECT q.x + t.v AS y FROM (SELECT id AS x FROM t UNION SELECT id FROM t) q JOIN t ON t.id = q.x",
        "SELECT q.x || '' AS y FROM (SELECT x + 0 AS x FROM (SELECT DISTINCT v AS x FROM t) w) q JOIN t ON t.v = q.x",
    ],
)
def test_the_keys_of_merged_branches_identify_rows(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)
