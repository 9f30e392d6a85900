"""Keys that a change touches, of which only those are looked into that another table asks for.

Lies it would catch: a row that is asked for no longer, or not yet, in the very refresh that changes its group or takes
its last partner; what is asked of a table two steps away, which changes meanwhile; a key that nobody asks for now but
somebody did; NULL, which is no key.
Oracle: PostgreSQL.
"""

from __future__ import annotations

import pytest

from property.scenarios import Step, scenario
from property.trial import Trial

TABLES = (
    "CREATE TABLE nation (n int PRIMARY KEY, name text)",
    "CREATE TABLE supplier (s int PRIMARY KEY, n int, name text)",
    "CREATE TABLE part (p int PRIMARY KEY, size int, kind text)",
    "CREATE TABLE offer (p int, s int, cost int, PRIMARY KEY (p, s))",
    "CREATE TABLE line (id int PRIMARY KEY, p int, s int, quantity int)",
    "INSERT INTO nation VALUES (1, 'here'), (2, 'there'), (3, NULL)",
    "INSERT INTO supplier SELECT i, nullif(i % 4, 0), 's' || i FROM generate_series(1, 12) i",
    "INSERT INTO part SELECT i, nullif(i % 5, 0), CASE WHEN i % 3 = 0 THEN 'new' ELSE 'old' END"
    " FROM generate_series(1, 20) i",
    "INSERT INTO offer SELECT p, s, (p * 7 + s * 3) % 11 FROM generate_series(1, 20) p, generate_series(1, 12) s"
    " WHERE (p + s) % 3 = 0",
    "INSERT INTO line SELECT i, 1 + i % 20, 1 + i % 12, i % 9 FROM generate_series(1, 90) i",
    "INSERT INTO line VALUES (100, NULL, 3, 4), (101, 3, NULL, 4), (102, 3, 3, NULL)",
)
STEPS: tuple[Step, ...] = (
    "UPDATE line SET quantity = quantity + 2 WHERE id % 4 = 0",
    (
        "UPDATE part SET size = 3 WHERE p IN (1, 6)",
        "DELETE FROM line WHERE p = 1",
        "UPDATE offer SET cost = 0 WHERE p = 6",
    ),
    ("UPDATE part SET size = 1 WHERE size = 3", "UPDATE line SET quantity = 1 WHERE p IN (3, 8, 13)"),
    ("UPDATE part SET size = 3, kind = 'new' WHERE p < 5", "UPDATE line SET p = 2 WHERE p = 7"),
    ("DELETE FROM part WHERE p = 3", "DELETE FROM offer WHERE p = 3"),
    ("INSERT INTO part VALUES (3, 3, 'new')", "INSERT INTO offer VALUES (3, 3, 1), (3, 4, 1), (3, 5, 9)"),
    (
        "UPDATE nation SET name = 'there' WHERE n = 1",
        "DELETE FROM offer WHERE s = 5",
        "UPDATE line SET s = 1 WHERE s = 9",
    ),
    (
        "UPDATE nation SET name = 'here' WHERE n IN (1, 2)",
        "INSERT INTO offer VALUES (9, 5, 2)",
        "DELETE FROM line WHERE s = 2",
    ),
    ("UPDATE supplier SET n = 3 - n WHERE n < 3", "UPDATE offer SET cost = cost + 5 WHERE s % 2 = 0"),
    (
        "DELETE FROM line WHERE id > 40",
        "DELETE FROM supplier WHERE s = 1",
        "UPDATE part SET kind = NULL WHERE p % 2 = 0",
    ),
    ("INSERT INTO supplier VALUES (1, 1, 'back')", "INSERT INTO line VALUES (200, 2, 1, 50), (201, 4, 1, 0)"),
    ("DELETE FROM offer", "DELETE FROM line"),
    ("INSERT INTO offer VALUES (2, 1, 3), (3, 1, 3)", "INSERT INTO line VALUES (1, 2, 1, 1), (2, 3, 1, 9)"),
    "UPDATE part SET size = 3, kind = 'new'",
)
QUERIES = (
    # The least of a group, of parts that are asked for by size.
    "SELECT p.p, o.s, o.cost FROM part p JOIN offer o ON o.p = p.p WHERE p.size = 3"
    " AND o.cost = (SELECT min(x.cost) FROM offer x WHERE x.p = p.p)",
    "SELECT p.p, s.name, n.name AS nation FROM part p, offer o, supplier s, nation n"
    " WHERE p.p = o.p AND s.s = o.s AND s.n = n.n AND p.size = 3 AND n.name = 'here'"
    " AND o.cost = (SELECT min(x.cost) FROM offer x, supplier y, nation z"
    " WHERE x.p = p.p AND y.s = x.s AND y.n = z.n AND z.name = 'here')",
    "SELECT sum(l.quantity) AS q, count(*) AS n FROM line l, part p WHERE p.p = l.p AND p.kind = 'new'"
    " AND l.quantity < (SELECT 0.8 * avg(x.quantity) FROM line x WHERE x.p = p.p)",
    # Whoever has a partner at all.
    "SELECT s.s, s.name FROM supplier s WHERE s.name > 's2' AND NOT EXISTS (SELECT FROM line l WHERE l.s = s.s)",
    "SELECT p.kind, count(*) AS n FROM part p WHERE p.size BETWEEN 2 AND 3"
    " AND EXISTS (SELECT FROM line l WHERE l.p = p.p AND l.quantity > 5) GROUP BY p.kind",
    "SELECT s.name FROM supplier s, nation n WHERE s.n = n.n AND n.name = 'here' AND s.s IN (SELECT o.s FROM offer o"
    " WHERE o.p IN (SELECT p FROM part WHERE kind = 'new')"
    " AND o.cost > (SELECT 0.5 * sum(l.quantity) FROM line l WHERE l.p = o.p AND l.s = o.s))",
    "SELECT s.s FROM supplier s LEFT JOIN nation n ON n.n = s.n WHERE coalesce(n.name, 'here') = 'here'"
    " AND EXISTS (SELECT FROM offer o WHERE o.s = s.s AND o.cost > 6)",
    "SELECT p.p, EXISTS (SELECT FROM line l WHERE l.p = p.p) AS sold FROM part p WHERE p.size <> 2",
    "SELECT p.p FROM part p WHERE p.kind = 'new' AND (p.size = 3 OR EXISTS (SELECT FROM line l WHERE l.p = p.p))",
    # Of nobody is anything asked.
    "SELECT p.p FROM part p WHERE EXISTS (SELECT FROM line l WHERE l.p = p.p)",
)


@pytest.mark.parametrize("query", QUERIES)
def test_only_what_is_asked_for_is_looked_into(made: Trial, query: str) -> None:
    scenario(made, TABLES, query, *STEPS)
