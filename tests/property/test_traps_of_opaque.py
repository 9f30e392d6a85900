"""Constructs without a delta rule of their own: table functions, whole rows, subqueries where no rule follows them.

Lies it would catch: a construct that is read as something simpler; a block that is computed again over rows as they
are instead of as they were; a change that a block's guard overlooks; an order that two computations see differently.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import pytest

from property.scenarios import Step, must, scenario
from property.trial import Trial

TABLES = (
    "CREATE TABLE t (id int PRIMARY KEY, p int, g text, v int, tags text[], j jsonb)",
    "CREATE TABLE u (id int PRIMARY KEY, tid int, w int)",
    "CREATE TABLE k (a int, b text, x json)",
    "CREATE TABLE d (id int PRIMARY KEY, gone int, n numeric, f float8)",
    "ALTER TABLE d DROP COLUMN gone",
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE TABLE c (id int PRIMARY KEY, one pair, many pair[])",
    "CREATE VIEW seen AS SELECT id, g FROM t WHERE v > 0",
    "CREATE FUNCTION two(i int) RETURNS TABLE (a int, b int) LANGUAGE sql IMMUTABLE"
    " AS 'SELECT i, i + 1 UNION ALL SELECT i, i + 2'",
    'INSERT INTO t VALUES (1, NULL, \'a\', 1, \'{a,b}\', \'[{"a": 1, "b": "x"}, {"a": 2}]\'),'
    " (2, 1, 'a', 2, '{}', '[]'), (3, 1, 'b', NULL, NULL, NULL),"
    ' (4, 2, NULL, 4, \'{b,b,NULL}\', \'[{"a": null, "b": "y"}]\')',
    "INSERT INTO u VALUES (1, 1, 1), (2, 1, 2), (3, 2, 4), (4, NULL, 4), (5, 9, NULL)",
    "INSERT INTO k VALUES (1, 'x', '{}'), (1, 'x', '{}'), (1, 'x', '{ }'), (NULL, 'y', NULL)",
    "INSERT INTO d VALUES (1, 1.0, 0.5), (2, 1.00, 0.25), (3, NULL, NULL), (4, 2, -0.0)",
    "INSERT INTO c VALUES (1, (1, 'x'), ARRAY[(1, 'x'), (2, NULL)]::pair[]), (2, NULL, '{}'), (3, (NULL, NULL), NULL)",
)
STEPS: tuple[Step, ...] = (
    ("INSERT INTO t VALUES (5, 4, 'b', 1, '{a,c}', '[{\"a\": 7}]')", "INSERT INTO u VALUES (6, 5, 1)"),
    ("UPDATE t SET tags = array_append(tags, 'b') WHERE id < 3", "UPDATE t SET j = j || '[{\"a\": 9}]' WHERE id = 4"),
    ("DELETE FROM u WHERE id = 1", "UPDATE d SET n = 1.000 WHERE id = 1"),
    ("DELETE FROM k WHERE ctid = (SELECT min(ctid) FROM k WHERE a = 1)", "UPDATE c SET many = many || (3, 'z')::pair"),
    ("UPDATE t SET v = 2 WHERE id = 3", "UPDATE u SET tid = 3 WHERE tid IS NULL", "DELETE FROM d WHERE id = 4"),
    ("UPDATE t SET id = 10 WHERE id = 1", "UPDATE c SET one = (5, 'q') WHERE id = 2"),
    ("UPDATE t SET g = 'c'", "UPDATE u SET w = w + 1", "UPDATE d SET f = f + 0.125"),
    ("DELETE FROM t WHERE v = 2", "INSERT INTO k SELECT a, b, x FROM k", "INSERT INTO d VALUES (9, 5, 1e3)"),
    ("DELETE FROM u", "DELETE FROM c WHERE id = 1"),
    ("INSERT INTO u SELECT id, id, v FROM t", "UPDATE t SET g = NULL, tags = '{a}' WHERE id = 4"),
    ("DELETE FROM t", "DELETE FROM k", "DELETE FROM d"),
    ("INSERT INTO t VALUES (1, 1, 'z', 3, '{a}', '[{\"a\": 1}]')", "INSERT INTO d VALUES (1, 1.50, 0.5)"),
)
ROW_LOCAL = (
    "SELECT t.id FROM t WHERE EXISTS (SELECT FROM unnest(t.tags) x WHERE x = 'a')",
    "SELECT t.id FROM t WHERE NOT EXISTS (SELECT FROM unnest(t.tags) q(x) WHERE q.x = t.g)",
    "SELECT t.id, (SELECT string_agg(x, ',' ORDER BY x) FROM unnest(t.tags) x) AS s FROM t",
    "SELECT t.id, ARRAY(SELECT upper(x) FROM unnest(t.tags) x ORDER BY x DESC LIMIT 2) AS s FROM t",
    "SELECT t.id FROM t WHERE 'b' IN (SELECT unnest(t.tags))",
    "SELECT t.g, count(*) AS n, max((SELECT count(*) FROM unnest(t.tags) t)) AS m FROM t GROUP BY t.g",
    "SELECT (SELECT count(*) FROM unnest(t.tags) x) AS n, count(*) FROM t GROUP BY (SELECT count(*)"
    " FROM unnest(t.tags) x)",
    "SELECT t.g, (SELECT count(*) FROM generate_series(1, count(t.v)) x) AS n FROM t GROUP BY t.g",
    "SELECT t.id, (SELECT (SELECT t.v + y) FROM (SELECT t.id AS y) q) AS s FROM t",
    "SELECT t.id, u.id AS u FROM t JOIN u ON u.tid = t.id AND u.w > (SELECT count(*) FROM unnest(t.tags))",
    "SELECT t.id, u.id AS u FROM t LEFT JOIN u ON u.tid = t.id AND u.w > (SELECT count(*) FROM unnest(t.tags))",
    "SELECT t.id, x.n, x.s FROM t, LATERAL (SELECT count(*) AS n, max(y) AS s FROM unnest(t.tags) y) x",
    "SELECT t.id, x.a FROM t LEFT JOIN LATERAL (SELECT DISTINCT y AS a FROM unnest(t.tags) y) x ON x.a > 'a'",
    "SELECT t.id, x.a, u.w FROM t CROSS JOIN LATERAL (SELECT y || t.g AS a FROM unnest(t.tags) y) x"
    " LEFT JOIN u ON u.tid = t.id",
    "SELECT t.id, (WITH RECURSIVE r AS (SELECT t.v AS i UNION ALL SELECT i - 1 FROM r WHERE i > 0)"
    " SELECT sum(i) FROM r) AS s FROM t",
    "SELECT u.id FROM u WHERE EXISTS (SELECT FROM t WHERE t.id = u.tid AND EXISTS"
    " (SELECT FROM unnest(t.tags) x WHERE x = 'a'))",
)
TABLE_FUNCTIONS = (
    "SELECT t.id, x.a, x.b FROM t, jsonb_to_recordset(t.j) AS x(a int, b text)",
    "SELECT t.id, x.a FROM t LEFT JOIN jsonb_to_recordset(t.j) AS x(a int, b text) ON x.a > t.v",
    "SELECT t.id, x.a, x.n FROM t, ROWS FROM (jsonb_to_recordset(t.j) AS (a int, b text), generate_series(1, 2))"
    " AS x(a, b, n)",
    "SELECT t.id, x.a, x.b FROM t LEFT JOIN LATERAL two(t.id) x ON x.b > t.v + 2",
    "SELECT t.id, x.k FROM t LEFT JOIN generate_series(1, 3) x(k) ON x.k = t.v",
    "SELECT t.id, x.k FROM t RIGHT JOIN generate_series(1, 3) x(k) ON x.k = t.v",
    "SELECT t.id, x.k FROM t FULL JOIN generate_series(1, 3) x(k) ON x.k = t.v",
    "SELECT v, t.id FROM t JOIN generate_series(1, 3) x(v) USING (v)",
    "SELECT x, t.id FROM t, upper(t.g) x",
    "SELECT t.id, x FROM t, COALESCE(t.g, 'none') x",
    "SELECT t.id, (two(t.id)).a, (two(t.id)).b FROM t",
    "SELECT c.id, (unnest(c.many)).* FROM c",
    "SELECT c.id, unnest(c.many) AS e, generate_series(1, 3) AS i FROM c",
    "SELECT t.id, unnest(tags || 'z'::text) AS e FROM t",
    "SELECT t.id, generate_series(1, generate_series(1, v)) AS s FROM t",
    "SELECT unnest(tags) AS tag, count(*) AS n, max(v) AS m FROM t GROUP BY 1",
    "SELECT g, unnest(tags) AS tag, count(*) AS n FROM t GROUP BY GROUPING SETS ((1), (1, 2))",
    "SELECT upper(unnest(tags)) AS tag, unnest(array_agg(id ORDER BY id)) AS id FROM t GROUP BY upper(unnest(tags))",
)
SUBQUERIES = (
    "SELECT t.id, u.w FROM t LEFT JOIN u ON u.tid = t.id AND EXISTS (SELECT FROM d WHERE d.id = u.w)",
    "SELECT t.id, u.w FROM t LEFT JOIN u ON u.tid = t.id AND NOT EXISTS (SELECT FROM d WHERE d.id = t.v)",
    "SELECT t.id, u.w FROM t LEFT JOIN u ON u.tid = t.id AND u.w = (SELECT max(w) FROM u)",
    "SELECT t.id, u.w FROM t LEFT JOIN u ON u.tid = t.id AND u.w IN (SELECT d.id FROM d WHERE d.id = t.v)",
    "SELECT t.id, u.w FROM t FULL JOIN u ON u.tid = t.id AND u.w NOT IN (SELECT d.id FROM d)",
    "SELECT t.id, u.w FROM t RIGHT JOIN u ON u.tid = t.id AND t.v > (SELECT min(x.w) FROM u x WHERE x.id = t.id)",
    "SELECT t.id, x.w FROM t LEFT JOIN LATERAL (SELECT w FROM u WHERE u.tid = t.id) x ON x.w > t.v",
    "SELECT t.id, x.s FROM t LEFT JOIN LATERAL (SELECT w + t.v AS s FROM u WHERE u.tid = t.id) x ON x.s > 2",
    "SELECT t.id, x.m FROM t LEFT JOIN LATERAL (SELECT max(w) AS m FROM u WHERE u.tid = t.id) x ON x.m > t.v",
    "SELECT id FROM t ORDER BY id LIMIT (SELECT max(w) FROM u)",
    "SELECT id FROM t ORDER BY id OFFSET (SELECT count(*) FROM d) LIMIT (SELECT 2)",
    "SELECT id FROM t UNION SELECT id FROM u ORDER BY 1 LIMIT (SELECT min(w) FROM u)",
    "SELECT t.id FROM t WHERE EXISTS (SELECT FROM u WHERE u.tid = t.id AND EXISTS"
    " (SELECT FROM d WHERE d.id = t.v AND d.id >= u.w))",
    "SELECT t.id, (SELECT (SELECT max(w) FROM u WHERE u.tid = t.id)) AS m FROM t",
    "SELECT t.id, (SELECT sum(w + t.v) FROM u WHERE u.tid = t.id) AS s FROM t",
    "SELECT t.id, (SELECT w FROM u WHERE u.tid < t.id ORDER BY w DESC, id LIMIT 1) AS w FROM t",
    "SELECT t.id, t.v IN (SELECT w FROM u WHERE u.tid = t.id GROUP BY w HAVING count(*) > t.p) AS b FROM t",
    "SELECT t.id FROM t WHERE t.v = (SELECT count(*) FROM u WHERE u.tid = t.id HAVING count(*) > 1)",
    "SELECT t.id, ARRAY(SELECT w FROM u WHERE u.tid = t.id ORDER BY w, id LIMIT 2) AS a FROM t",
    "SELECT t.id, ARRAY(SELECT DISTINCT w FROM u WHERE u.tid = t.id ORDER BY w) AS a FROM t",
    "SELECT t.id, ARRAY(SELECT w FROM u WHERE u.tid = t.id UNION SELECT 1 ORDER BY 1) AS a FROM t",
    "SELECT id FROM t WHERE (v, g) < ANY (SELECT w, 'b'::text FROM u)",
    "SELECT id FROM t WHERE (v, p) = (SELECT w, tid FROM u WHERE u.id = t.id)",
    "SELECT t.g, (SELECT count(*) FROM u WHERE u.w > max(t.v)) AS n FROM t GROUP BY t.g",
    "SELECT t.id, (SELECT rank(3) WITHIN GROUP (ORDER BY w) FROM u WHERE u.tid = t.id) AS r FROM t",
    "SELECT a.id FROM t a WHERE a.v > ALL (SELECT b.v FROM t b WHERE b.g = a.g AND b.id <> a.id"
    " AND b.v > ANY (SELECT w FROM u WHERE u.tid = a.id))",
    "SELECT id, v, count(*) AS n FROM t GROUP BY GROUPING SETS ((id), (id, g))",
)
WHOLE_ROWS = (
    "SELECT k::text AS k FROM k",
    "SELECT d AS r FROM d",
    "SELECT count(t) AS n, count(u) AS m FROM t FULL JOIN u ON u.tid = t.id",
    "SELECT t.id, row_to_json(u)::text AS r FROM t LEFT JOIN u ON u.tid = t.id",
    "SELECT t.g, jsonb_agg(t ORDER BY t.id) AS r FROM t GROUP BY t.g",
    "SELECT to_jsonb(t) - 'id' AS r FROM t",
    "SELECT row_to_json(q)::text AS r FROM (SELECT id, upper(g) AS big FROM t) q",
    "SELECT t.id, to_jsonb(q) AS r FROM t LEFT JOIN (SELECT tid, max(w) AS most FROM u GROUP BY tid) q ON q.tid = t.id",
    'WITH q AS (SELECT id, w AS "W" FROM u) SELECT jsonb_agg(q ORDER BY q.id) AS r FROM q',
    "SELECT to_jsonb(seen) AS r FROM seen",
    "SELECT l.id, to_jsonb(r) ->> 'w' AS w FROM t l LEFT JOIN (SELECT u.tid AS id, u.w FROM u) r ON l.id = r.id"
    " ORDER BY 1, 2 LIMIT (SELECT count(*) / 2 FROM u)",
    "SELECT t.id FROM t LEFT JOIN u ON u.tid = t.id WHERE u IS NULL",
    "SELECT t.id, (SELECT jsonb_agg(u ORDER BY u.id) FROM u WHERE u.tid = t.id) AS us FROM t",
    "SELECT t.id, to_jsonb(x) AS x FROM t, LATERAL (SELECT w, t.g AS h FROM u WHERE u.tid = t.id) x",
    "SELECT t.id, to_jsonb(x) AS x FROM t, jsonb_to_recordset(t.j) AS x(a int, b text)",
    "SELECT a.id FROM t a JOIN t b ON a IS NOT DISTINCT FROM b",
    "SELECT DISTINCT u.w, (SELECT max(q.r) FROM (SELECT to_jsonb(u)::text AS r) q) AS r FROM u",
)
DETERMINED = (
    "SELECT max(m) AS m FROM (SELECT g, mode() WITHIN GROUP (ORDER BY n) AS m FROM t JOIN d USING (id) GROUP BY g) q",
    "SELECT sum(DISTINCT f) AS s FROM d",
    "SELECT w.n, count(*) AS c FROM (SELECT DISTINCT n FROM (SELECT n FROM d LIMIT ALL) q"
    " WHERE n IN (SELECT (SELECT max(n) FROM d WHERE d.id <> x.id) FROM d x)) w GROUP BY w.n",
    "SELECT u.id, q.s FROM u LEFT JOIN (WITH RECURSIVE r AS (SELECT id, f FROM d WHERE id = 1 UNION ALL"
    " SELECT d.id, d.f FROM d JOIN r ON d.id = r.id + 1) SELECT sum(f) AS s FROM r) q ON true",
)


@pytest.mark.parametrize("query", [*ROW_LOCAL, *TABLE_FUNCTIONS, *SUBQUERIES, *WHOLE_ROWS, *DETERMINED])
def test_constructs(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)


JSON_TABLE = (
    "SELECT t.id, x.a, x.b FROM t, JSON_TABLE(t.j, '$[*]' COLUMNS (a int PATH '$.a', b text PATH '$.b')) x",
    "SELECT t.id, x.a, x.n FROM t LEFT JOIN JSON_TABLE(t.j, '$' COLUMNS (n FOR ORDINALITY, NESTED '$[*]'"
    " COLUMNS (a int PATH '$.a'))) x ON x.a > 1",
    "SELECT json_arrayagg(g ORDER BY g RETURNING jsonb) AS j FROM t",
    "SELECT t.g, JSON_OBJECTAGG(t.id: t.v RETURNING jsonb) AS j FROM t GROUP BY t.g",
    "SELECT max(q.n) AS n FROM (SELECT count(*) AS n, JSON_ARRAYAGG(v) FROM t GROUP BY g) q",
    "SELECT t.id, q.vs::text AS vs FROM t JOIN (SELECT g, JSON_ARRAYAGG(v ORDER BY v) AS vs FROM t GROUP BY g) q"
    " ON q.g = t.g",
)


@pytest.mark.parametrize("query", JSON_TABLE)
def test_sql_json(made: Trial, query: str) -> None:
    if not made.can("SELECT * FROM JSON_TABLE('[]'::jsonb, '$' COLUMNS (a int PATH '$')) x"):
        pytest.skip("this server has no JSON_TABLE")
    scenario(made, TABLES, query, *STEPS)


def test_xmltable(made: Trial) -> None:
    if not made.can("SELECT '<a/>'::xml"):
        pytest.skip("this server was built without XML")
    for statement in TABLES:
        must(made, statement)
    query = (
        "SELECT t.id, x.a, x.n FROM t LEFT JOIN XMLTABLE('/r/a' PASSING CAST('<r><a>' || t.v || '</a><a/></r>' AS xml)"
        " COLUMNS n FOR ORDINALITY, a text PATH 'text()' DEFAULT t.g) x ON true"
    )
    table = made.create("st", query)
    for step in STEPS:
        for statement in (step,) if isinstance(step, str) else step:
            must(made, statement)
        made.refresh(table)
