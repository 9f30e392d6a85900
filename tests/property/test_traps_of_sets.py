"""Set-returning functions in FROM and in the select list.

Lies it would catch: a row that returns nothing and stays; rows of two functions that do not advance together; an
ordinality that counts over all rows; a function that is not called again when its argument changes.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import pytest

from property.scenarios import Step, scenario
from property.trial import Trial

TABLES = (
    "CREATE TABLE t (id int PRIMARY KEY, k int, tags text[], doc jsonb)",
    "INSERT INTO t VALUES (1, 3, '{a,b}', '{\"x\": [1, 2]}'), (2, 0, '{}', '{}'), "
    " (3, 2, NULL, '{\"x\": [], \"y\": 1}'), (4, NULL, '{a,a,NULL}', NULL)",
    "CREATE TABLE names (tag text, name text)",
    "INSERT INTO names VALUES ('a', 'Anna'), ('b', 'Bert'), ('c', 'Carl')",
)
STEPS: tuple[Step, ...] = (
    "INSERT INTO t VALUES (5, 1, '{c}', '{\"x\": [7], \"z\": null}')",
    "UPDATE t SET tags = tags || 'b'::text WHERE id < 4",
    ("UPDATE t SET k = k - 1", "DELETE FROM names WHERE tag = 'a'"),
    "UPDATE t SET doc = jsonb_set(coalesce(doc, '{}'), '{x}', '[3, 3]')",
    "DELETE FROM t WHERE id IN (1, 4)",
    ("UPDATE t SET id = id + 10, k = 4", "INSERT INTO names VALUES ('b', 'Berta')"),
    "DELETE FROM t",
)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT t.id, u.tag FROM t, unnest(t.tags) u(tag)",
        "SELECT t.id, u.tag, u.n FROM t CROSS JOIN LATERAL unnest(t.tags) WITH ORDINALITY u(tag, n)",
        "SELECT t.id, u.tag FROM t LEFT JOIN unnest(t.tags) u(tag) ON true",
        "SELECT t.id, n.name FROM t, unnest(t.tags) u(tag) JOIN names n ON n.tag = u.tag",
        "SELECT u.tag, count(*) AS n FROM t, unnest(t.tags) u(tag) GROUP BY u.tag",
        "SELECT t.id, g FROM t, generate_series(1, t.k) g",
        "SELECT t.id, e.key, e.value FROM t, jsonb_each(t.doc) e",
        "SELECT t.id, x.v::int + 1 AS v FROM t, jsonb_array_elements_text(t.doc -> 'x') x(v)",
        "SELECT t.id, a.x, a.y FROM t, ROWS FROM (unnest(t.tags), generate_series(1, t.k)) a(x, y)",
        "SELECT t.id, a.x, a.y, a.n FROM t,"
        " ROWS FROM (unnest(t.tags), generate_series(1, t.k)) WITH ORDINALITY a(x, y, n)",
        "SELECT g.n, t.id FROM generate_series(0, 3) g(n) LEFT JOIN t ON t.k = g.n",
        "SELECT g.n, count(t.id) AS c FROM generate_series(0, 3) g(n) LEFT JOIN t ON t.k = g.n GROUP BY g.n",
        "SELECT t.id, unnest(t.tags) AS tag FROM t",
        "SELECT t.id, unnest(t.tags) AS tag, generate_series(1, t.k) AS g FROM t",
        "SELECT t.id, upper(unnest(t.tags)) AS tag FROM t WHERE t.k > 0",
        "SELECT DISTINCT unnest(tags) AS tag FROM t",
        "SELECT k, generate_series(1, count(*)) AS g FROM t GROUP BY k",
        "SELECT id, jsonb_object_keys(doc) AS key FROM t",
        "SELECT id, unnest(tags) AS tag FROM t ORDER BY id, tag LIMIT 3",
        "SELECT t.id, (SELECT count(*) FROM generate_series(1, 3) g) AS n FROM t",
    ],
)
def test_set_returning_functions(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)
