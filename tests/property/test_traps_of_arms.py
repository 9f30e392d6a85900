"""Small tables that hang on each other, which a derivative joins with each other before anything else.

Lies it would catch: a row that changes together with what it hangs on, counted once too often or not at all; an arm
whose rows pass while what selects them changes; a term that is left out because another one has no rows.
Oracle: PostgreSQL; and the printed algebra of the change, for whether there is an arm.
"""

from __future__ import annotations

import pytest

from property.scenarios import follow, must, refreshed, scenario
from property.trial import Trial
from trickle.ivm.program.frame import LARGE_ROWS

TABLES = (
    "CREATE TABLE f (id int PRIMARY KEY, s int, t int, v int)",
    "CREATE TABLE s (k int PRIMARY KEY, n int, c int)",
    "CREATE TABLE n (k int PRIMARY KEY, r int, label text)",
    "CREATE TABLE r (k int PRIMARY KEY, label text)",
    "INSERT INTO r VALUES (0, 'east'), (1, 'west')",
    "INSERT INTO n VALUES (0, 0, 'a'), (1, 1, 'b'), (2, 0, 'c')",
    "INSERT INTO s SELECT i, i % 4, i % 7 FROM generate_series(1, 300) i",
    "INSERT INTO f SELECT i, CASE WHEN i % 40 > 0 THEN i % 310 END, i % 290, i % 11 FROM generate_series(1, 3100) i",
    "CREATE INDEX ON f (s)",
    "ANALYZE f, s, n, r",
)
STEPS = (
    "UPDATE s SET n = 1 WHERE k IN (4, 5, 8)",
    "UPDATE n SET label = 'b' WHERE k = 0",
    "UPDATE r SET label = CASE label WHEN 'east' THEN 'west' ELSE 'east' END",
    ("UPDATE s SET n = 2 WHERE k < 9", "UPDATE n SET r = 1 - r WHERE k = 2", "UPDATE f SET v = v + 1 WHERE s < 12"),
    ("DELETE FROM n WHERE k = 1", "INSERT INTO n VALUES (3, 1, 'b')", "DELETE FROM s WHERE k IN (3, 7)"),
    ("INSERT INTO s VALUES (3, 3, 3), (305, 3, 0)", "DELETE FROM f WHERE id % 9 = 0"),
    ("UPDATE f SET s = 305 WHERE s = 10", "UPDATE s SET k = k + 1000 WHERE k = 11", "DELETE FROM r WHERE k = 0"),
    ("INSERT INTO r VALUES (0, 'east')", "UPDATE n SET label = upper(label) WHERE k = 3"),
    "TRUNCATE s",
    "INSERT INTO s SELECT i, i % 4, 1 FROM generate_series(1, 20) i",
    ("DELETE FROM n", "INSERT INTO n VALUES (1, 1, 'b'), (2, 0, 'b')"),
)
ARM = "s.k = f.s AND n.k = s.n AND n.label = 'b'"
LONG = "s.k = f.s AND n.k = s.n AND r.k = n.r AND r.label = 'east'"
QUERIES = (
    f"SELECT f.id, s.c, n.label FROM f, s, n WHERE {ARM}",
    f"SELECT f.v, s.c FROM s, f, n WHERE {ARM}",
    f"SELECT f.id, n.label FROM f, s, n, r WHERE {LONG}",
    f"SELECT n.label, min(f.v) AS least, max(s.c) AS most, count(*) AS n FROM f, s, n, r WHERE {LONG} GROUP BY n.label",
    f"SELECT n.k, sum(f.v) AS v FROM f, s, n WHERE {ARM} GROUP BY n.k",
    f"SELECT n.k, sum(f.v) AS v FROM f, s, n WHERE {ARM} GROUP BY n.k HAVING count(*) > 20",
    f"SELECT f.id FROM f, s, n WHERE {ARM} AND EXISTS (SELECT FROM f g WHERE g.t = f.s AND g.v > f.v)",
    f"SELECT f.id FROM f, s, n, r WHERE {LONG} AND f.v = (SELECT max(g.v) FROM f g, s, n WHERE g.t = f.t"
    " AND s.k = g.s AND n.k = s.n AND n.label = 'b')",
    "SELECT f.id, q.v FROM f JOIN s ON s.k = f.s JOIN n ON n.k = s.n AND n.label <> 'c'"
    " LEFT JOIN (SELECT t, sum(v) AS v FROM f GROUP BY t) q ON q.t = f.s",
    f"SELECT f.s, count(*) AS n FROM f, s, n WHERE {ARM} GROUP BY f.s ORDER BY n DESC, f.s LIMIT 3",
    "SELECT f.id, a.k AS a, b.k AS b FROM f, s a, s b, n, n m WHERE a.k = f.s AND n.k = a.n AND n.label = 'b'"
    " AND b.k = f.t AND m.k = b.n AND m.label IN ('a', 'c')",
)


@pytest.mark.parametrize("query", QUERIES)
def test_arms(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


@refreshed
@pytest.mark.parametrize("query", QUERIES)
def test_an_arm_is_one_input(made: Trial, query: str) -> None:
    table = scenario(made, TABLES, query)
    found = made.connection.execute(
        "SELECT pg_get_functiondef(format('pgtrickle_programs.refresh_%%s', %s::int)::regproc)", (table.pgt_id,)
    ).fetchone()
    assert found is not None
    assert "one term of the change of an arm" in found[0]


@refreshed
def test_many_changes(made: Trial) -> None:
    table = scenario(made, TABLES, QUERIES[2])
    must(made, f"INSERT INTO f SELECT i + 9000, i % 300, i % 9, i % 5 FROM generate_series(1, {LARGE_ROWS + 200}) i")
    must(made, "UPDATE s SET n = (n + 1) % 4")
    made.refresh(table)
    follow(made, table, "UPDATE r SET label = 'east'")
