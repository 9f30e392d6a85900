"""Comparisons with the one row of a group over everything: where it changes, only the rows between count.

Lies it would catch: a row that changes itself while what it is compared with does; NULL, which is neither above nor
below; a value that both rows let through and that is taken away once; outputs that show the row they are compared with;
two conditions of which one holds before and the other after.
Oracle: PostgreSQL.
"""

from __future__ import annotations

import pytest

from property.scenarios import scenario
from property.trial import Trial

TABLES = (
    "CREATE TABLE t (id int PRIMARY KEY, g int, v int, w numeric(8,2),"
    " f float8 GENERATED ALWAYS AS (CASE v WHEN 5 THEN 'NaN' ELSE v / 3.0 END) STORED,"
    " d date GENERATED ALWAYS AS ('2026-01-01'::date + v) STORED,"
    " c text GENERATED ALWAYS AS (chr(97 + g * 3)) STORED)",
    "CREATE TABLE u (id int PRIMARY KEY, v int)",
    "INSERT INTO t SELECT i, i % 4, CASE WHEN i % 9 > 0 THEN i % 23 END, i / 4.0 FROM generate_series(1, 60) i",
    "INSERT INTO u SELECT i, i FROM generate_series(1, 12) i",
)
STEPS = (
    "UPDATE u SET v = v + 3 WHERE id < 7",
    "UPDATE t SET v = 5 WHERE id BETWEEN 10 AND 20",
    ("UPDATE t SET v = v + 1 WHERE id % 5 = 0", "UPDATE u SET v = 0 WHERE id = 3", "DELETE FROM t WHERE id = 7"),
    "UPDATE u SET v = NULL",
    "UPDATE u SET v = id",
    ("INSERT INTO t VALUES (100, 1, 6, 6.5), (101, 2, NULL, NULL)", "INSERT INTO u VALUES (50, 40)"),
    "DELETE FROM u WHERE id = 50",
    "DELETE FROM u",
    "INSERT INTO u VALUES (1, 7), (2, 7)",
    "UPDATE t SET v = -v",
    "DELETE FROM t WHERE id > 30",
    "UPDATE u SET v = 7 WHERE id = 1",
)
AVG = "(SELECT avg(v) FROM u)"
QUERIES = (
    f"SELECT id, v FROM t WHERE v > {AVG}",
    f"SELECT g, count(*) AS n, sum(v) AS s, sum(w) AS w FROM t WHERE v >= {AVG} GROUP BY g",
    f"SELECT g, count(*) AS n FROM t WHERE v > {AVG} OR v < (SELECT min(v) FROM u) GROUP BY g",
    f"SELECT g, count(*) AS n FROM t WHERE v > {AVG} AND w < (SELECT sum(v) FROM u) GROUP BY g",
    "SELECT g, count(*) AS n, max(w) AS w FROM t"
    " WHERE v BETWEEN (SELECT min(v) FROM u) AND (SELECT max(v) FROM u) GROUP BY g",
    f"SELECT g, count(*) AS n FROM t WHERE v <> {AVG} GROUP BY g",
    "SELECT g, count(*) AS n FROM t WHERE v IS DISTINCT FROM (SELECT max(v) FROM u) GROUP BY g",
    f"SELECT id, v, {AVG} AS mean FROM t WHERE v > {AVG}",
    "SELECT g, sum(v) AS s FROM t WHERE v > (SELECT avg(x.v) FROM t x) GROUP BY g",
    "SELECT g, sum(v) AS s FROM t GROUP BY g HAVING sum(v) > (SELECT sum(v) * 0.2 FROM t)",
    f"SELECT t.g, count(*) AS n FROM t JOIN t x ON x.id = t.g WHERE t.v > x.v + {AVG} GROUP BY t.g",
    f"SELECT DISTINCT g FROM t WHERE v * 2 > {AVG} + w",
    "SELECT count(*) AS n FROM t WHERE v = (SELECT max(v) FROM u)",
    f"SELECT g, count(*) AS n FROM t WHERE (v > {AVG}) IS NOT FALSE GROUP BY g",
    # An index finds the rows between the old row and the new one.
    f"SELECT id, v FROM t WHERE v < {AVG}",
    f"SELECT id, v FROM t WHERE v <= {AVG}",
    f"SELECT id, v FROM t WHERE {AVG} >= w",
    "SELECT g, count(*) AS n FROM t WHERE (SELECT min(v) FROM u) < v GROUP BY g",
    "SELECT id FROM t WHERE f > (SELECT max(v) / 2.0 FROM u)",
    "SELECT id FROM t WHERE d <= (SELECT max(date '2026-01-01' + v) FROM u)",
    "SELECT id FROM t WHERE d < (SELECT max(timestamp '2026-01-01 12:00' + v * interval '1 day') FROM u)",
    "SELECT id, c FROM t WHERE c > (SELECT max(chr(96 + v)) FROM u WHERE v BETWEEN 1 AND 20)",
)


@pytest.mark.parametrize("query", QUERIES)
def test_what_is_compared_with_one_row(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)
