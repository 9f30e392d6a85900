"""WITH RECURSIVE … UNION over random graphs: cycles, rows twice, NULLs, and a few nodes that most edges meet.

Lies it would catch: a circle that keeps itself alive after its only entry is gone; a row that falls though another way
leads to it, or that is taken for standing because that way leads through the row itself; a way that goes while another
comes; a change of two tables of the step at once counted once too often; a NULL that is not met by a NULL.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import random

import pytest

from property.scenarios import Step, must, refreshed
from property.trial import Trial

TABLES = (
    "CREATE TABLE e (a int, b int, w numeric, tag text)",
    "CREATE TABLE k (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL)",
    "CREATE TABLE s (a int, tag text)",
    "CREATE TABLE x (a int)",
    "CREATE INDEX ON e (a)",
    "CREATE INDEX ON k (b)",
)
REACHED = "WITH RECURSIVE r(x) AS (SELECT a FROM s UNION {step}) SELECT x FROM r"
QUERIES = (
    REACHED.format(step="SELECT e.b FROM r JOIN e ON e.a = r.x"),
    REACHED.format(step="SELECT k.b FROM r JOIN k ON k.a = r.x"),
    REACHED.format(step="SELECT f.b FROM r JOIN e ON e.a = r.x JOIN k f ON f.a = e.b"),
    REACHED.format(step="SELECT f.b FROM r, e, e f WHERE e.a = r.x AND f.a = e.b"),
    REACHED.format(
        step="SELECT e.b FROM r JOIN e ON e.a = r.x AND e.w < 3 WHERE NOT EXISTS (SELECT FROM x WHERE x.a = e.b)"
    ),
    REACHED.format(step="SELECT e.b FROM r JOIN e ON e.a = r.x WHERE r.x NOT IN (SELECT a FROM x)"),
    REACHED.format(step="SELECT e.b FROM r JOIN e ON e.a = r.x WHERE EXISTS (SELECT FROM k WHERE k.a = e.b)"),
    REACHED.format(step="SELECT coalesce(e.b, r.x + 1) FROM r LEFT JOIN e ON e.a = r.x WHERE r.x < 7"),
    REACHED.format(step="SELECT e.b FROM r, e WHERE e.a > r.x AND e.w > 2"),
    REACHED.format(step="SELECT e.b FROM r JOIN (SELECT a, b FROM e UNION ALL SELECT b, a FROM k) e ON e.a = r.x"),
    REACHED.format(step="SELECT e.b FROM r JOIN e ON e.a IS NOT DISTINCT FROM r.x"),
    REACHED.format(step="SELECT x + 1 FROM r WHERE x < 5"),
    "WITH RECURSIVE r(x, y) AS (SELECT a, b FROM e UNION SELECT r.x, e.b FROM r JOIN e ON e.a = r.y)"
    " SELECT x, y FROM r",
    "WITH RECURSIVE r(x, y) AS (SELECT a, b FROM k UNION SELECT k.a, r.y FROM k JOIN r ON k.b = r.x) SELECT y FROM r",
    "WITH RECURSIVE r(x, d) AS (SELECT a, 0 FROM s UNION SELECT e.b, r.d + 1 FROM r JOIN e ON e.a = r.x AND r.d < 4)"
    " SELECT x, d FROM r",
    "WITH RECURSIVE r(x, path) AS (SELECT a, ARRAY[a] FROM s UNION SELECT k.b, r.path || k.b FROM r JOIN k"
    " ON k.a = r.x WHERE k.b <> ALL (r.path) AND cardinality(r.path) < 4) SELECT x, path FROM r",
    "WITH RECURSIVE r(x, tag) AS (SELECT a, tag FROM s UNION SELECT e.b, coalesce(e.tag, r.tag) FROM r JOIN e"
    " ON e.a = r.x) SELECT upper(tag) AS tag, x FROM r",
    "WITH RECURSIVE r(x, y) AS (SELECT 1, 1 UNION ALL SELECT a, a FROM x UNION SELECT e.b, r.y FROM e, r"
    " WHERE r.x = e.a) SELECT x, y FROM r",
    "WITH RECURSIVE r(x, y) AS (SELECT a, 1 FROM s UNION SELECT a, 2 FROM x UNION SELECT e.b, r.y FROM e, r"
    " WHERE r.x = e.a) SELECT x, y FROM r",
    "WITH RECURSIVE r(x, w) AS (SELECT a, 0 FROM s UNION SELECT e.b, (e.w * 2)::int % 5 FROM r JOIN e ON e.a = r.x)"
    " SELECT x, w FROM r WHERE w > 0",
    "WITH RECURSIVE r(x) AS (SELECT max(a) FROM s UNION SELECT e.b FROM r JOIN e ON e.a = r.x) SELECT x FROM r",
)
AROUND = (
    "SELECT q.x, e.b FROM ({query}) q LEFT JOIN e ON e.a = q.x",
    "SELECT count(*) AS n FROM ({query}) q WHERE q.x > 1",
    "SELECT k.id FROM k WHERE k.a NOT IN (SELECT q.x FROM ({query}) q WHERE q.x IS NOT NULL)",
)
NODES = 9


class Graph:
    """Statements that change a random graph."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def _node(self) -> str:
        if self._random.random() < 0.08:
            return "NULL"
        return str(min(self._random.randrange(NODES), self._random.randrange(NODES)))

    def _edge(self) -> str:
        tag = self._random.choice(("NULL", "'t'", "'u'"))
        return f"({self._node()}, {self._node()}, {self._random.choice(('1', '1.0', '2.50', '4'))}, {tag})"

    def _key(self) -> str:
        a, b = (self._random.randrange(NODES) for _ in range(2))
        return f"({self._random.randrange(12)}, {a}, {b})"

    def statement(self) -> str:
        table = self._random.choice(("e", "e", "e", "k", "k", "s", "x"))
        column = self._random.choice("ab" if table in "ek" else "a")
        some = f"ctid IN (SELECT ctid FROM {table} ORDER BY a, ctid OFFSET {self._random.randrange(5)} LIMIT 1)"
        match self._random.randrange(6):
            case 0 | 1 if table == "k":
                return f"INSERT INTO k VALUES {self._key()}, {self._key()} ON CONFLICT DO NOTHING"
            case 0 | 1 if table == "e":
                return f"INSERT INTO e VALUES {self._edge()}, {self._edge()}"
            case 0 | 1:
                return f"INSERT INTO {table} (a) VALUES ({self._node()})"
            case 2 | 3:
                return f"DELETE FROM {table} WHERE {some}"
            case 4:
                return f"UPDATE {table} SET {column} = coalesce({column}, 0) + 1 WHERE {some}"
            case _:
                return f"DELETE FROM {table} WHERE {column} = {self._random.randrange(NODES)}"

    def steps(self, count: int) -> list[Step]:
        return [tuple(self.statement() for _ in range(self._random.choice((1, 1, 2, 4)))) for _ in range(count)]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.full) for seed in range(1, 6))])
def test_random_graphs(made: Trial, seed: int) -> None:
    """All queries are followed side by side through the same changes."""
    graph = Graph(seed)
    for statement in TABLES:
        must(made, statement)
    for _ in range(12):
        must(made, graph.statement())
    must(made, "INSERT INTO s VALUES (0, 't'), (0, 't'), (1, NULL)")
    around = [around.format(query=query) for query in QUERIES[seed::7] for around in AROUND if "q.x" in around]
    queries = [*QUERIES, *(text for text in around if "SELECT y FROM" not in text)]
    tables = [made.create(f"st{i}", query) for i, query in enumerate(queries)]
    for step in graph.steps(14):
        for statement in step:
            must(made, statement)
        for table in tables:
            made.refresh(table)


@refreshed
def test_a_closure_in_partitions(made: Trial) -> None:
    """Rows of two partitions may lie in the same place."""
    graph, query = Graph(3), QUERIES[0]
    for statement in (*TABLES, *(graph.statement() for _ in range(30)), "INSERT INTO s VALUES (0), (1)"):
        must(made, statement)
    made.client.create_stream_table(f"{made.schema}.st", query, refresh_mode="DIFFERENTIAL", partition_by="HASH:x:3")
    for step in graph.steps(20):
        for statement in step:
            must(made, statement)
        outcome = made.client.refresh_stream_table(f"{made.schema}.st")
        assert outcome.action in ("DIFFERENTIAL", "NO_DATA")
        rows = [
            made.connection.execute(f"{text} ORDER BY x".encode()).fetchall() for text in (query, "SELECT x FROM st")
        ]
        assert rows[0] == rows[1]
