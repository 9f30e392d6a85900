"""WITH RECURSIVE: rows that follow from rows, over trees, graphs with cycles, and more than one table.

Lies it would catch: a row that keeps standing though its last derivation is gone; one that falls though another
derivation is left; copies under UNION ALL counted once, or under UNION twice; a path or depth that an ancestor's move
leaves as it was; a side of a join around the recursion that does not meet its new rows.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import psycopg
import pytest

from property.scenarios import Step, follow, must, refreshed, scenario
from property.trial import StreamTable, Trial

TREE = (
    "CREATE TABLE n (id int PRIMARY KEY, p int, name text)",
    "INSERT INTO n VALUES (1, NULL, 'root'), (2, 1, 'a'), (3, 1, 'b'), (4, 2, 'c'), (5, 4, NULL), (6, 3, 'd'),"
    " (20, 21, 'far'), (21, 22, 'off')",
    "CREATE TABLE w (id int PRIMARY KEY, n int, v int)",
    "INSERT INTO w VALUES (1, 4, 10), (2, 4, 20), (3, 6, 30), (4, NULL, 40), (5, 21, 50)",
)
TREE_STEPS: tuple[Step, ...] = (
    "INSERT INTO n VALUES (7, 6, 'leaf')",
    "DELETE FROM n WHERE id = 5",
    "UPDATE n SET p = 3 WHERE id = 2",
    "UPDATE n SET name = 'A' WHERE id = 2",
    ("INSERT INTO n VALUES (22, 7, 'joins')", "UPDATE w SET v = v + 1 WHERE n = 21"),
    ("DELETE FROM n WHERE id = 3", "INSERT INTO w VALUES (6, 2, 60)"),
    ("INSERT INTO n VALUES (3, NULL, 'b2')", "UPDATE n SET p = 3 WHERE id = 1"),
    ("UPDATE n SET p = NULL WHERE id = 20", "DELETE FROM w WHERE id = 2"),
    "UPDATE n SET id = id + 100, p = p + 100",
    "DELETE FROM n WHERE p IS NOT NULL",
    "DELETE FROM n",
    ("INSERT INTO n VALUES (4, NULL, 'x'), (5, 4, 'y')", "UPDATE w SET n = 5"),
    "TRUNCATE n",
    "INSERT INTO n VALUES (4, NULL, 'z'), (6, 4, 'y')",
)
DOWN = (
    "WITH RECURSIVE r(id, p, name, depth, path) AS (SELECT id, p, name, 1, ARRAY[id] FROM n WHERE p IS NULL"
    " UNION ALL SELECT n.id, n.p, n.name, r.depth + 1, r.path || n.id FROM n JOIN r ON n.p = r.id) "
)
TREE_QUERIES = (
    DOWN + "SELECT * FROM r",
    DOWN + "SELECT id, depth FROM r",
    DOWN + "SELECT depth FROM r",
    DOWN + "SELECT id, path FROM r WHERE depth > 1",
    DOWN + "SELECT depth, count(*) AS n, max(name) AS m FROM r GROUP BY depth",
    DOWN + "SELECT r.id, w.v FROM r JOIN w ON w.n = r.id",
    DOWN + "SELECT w.id, r.depth FROM w LEFT JOIN r ON w.n = r.id",
    DOWN + "SELECT w.id FROM w WHERE w.n NOT IN (SELECT id FROM r)",
    DOWN + "SELECT w.id, (SELECT max(depth) FROM r WHERE r.id >= w.n) AS d FROM w",
    DOWN + "SELECT a.id, b.id AS other FROM r a JOIN r b ON a.p = b.p AND a.id < b.id",
    DOWN + "SELECT id, rank() OVER (PARTITION BY depth ORDER BY id) AS place FROM r",
    DOWN + "SELECT id FROM r ORDER BY depth DESC, id LIMIT 2",
    DOWN + "SELECT id FROM n EXCEPT SELECT id FROM r",
    DOWN + "SELECT array_agg(name ORDER BY name, id) AS names FROM r GROUP BY p HAVING count(*) < 3",
    "WITH RECURSIVE up AS (SELECT w.id AS w, n.id, n.p FROM w JOIN n ON n.id = w.n"
    " UNION ALL SELECT up.w, n.id, n.p FROM up JOIN n ON n.id = up.p) SELECT w, count(*) AS above FROM up GROUP BY w",
    "WITH RECURSIVE c AS (SELECT id, p FROM n WHERE name IS NOT NULL), r AS (SELECT id FROM c WHERE p IS NULL"
    " UNION SELECT c.id FROM c, r WHERE c.p = r.id) SELECT r.id, c.p FROM r JOIN c USING (id)",
    "WITH RECURSIVE r AS (SELECT id FROM n WHERE p IS NULL UNION ALL (WITH last AS (SELECT id FROM r)"
    " SELECT n.id FROM n JOIN last ON n.p = last.id WHERE EXISTS (SELECT FROM w WHERE w.v > n.id))) SELECT id FROM r",
    "SELECT w.id FROM w WHERE w.n IN (WITH RECURSIVE r AS (SELECT id FROM n WHERE p IS NULL UNION"
    " SELECT n.id FROM n JOIN r ON n.p = r.id) SELECT id FROM r)",
    "SELECT w.id, (WITH RECURSIVE r AS (SELECT n.id, n.p FROM n WHERE n.id = w.n UNION"
    " SELECT n.id, n.p FROM n JOIN r ON n.id = r.p) SELECT count(*) FROM r) AS above FROM w",
    "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < 6) SELECT s.i, n.name FROM s"
    " LEFT JOIN n ON n.id = s.i",
    "WITH RECURSIVE r(id, total) AS (SELECT id, id::float8 / 3 FROM n WHERE p IS NULL UNION ALL"
    " SELECT n.id, r.total + 0.25 FROM n JOIN r ON n.p = r.id) SELECT total, count(*) AS n FROM r GROUP BY total",
    "WITH RECURSIVE a AS (SELECT id FROM n WHERE p IS NULL UNION SELECT n.id FROM n JOIN a ON n.p = a.id),"
    " b AS (SELECT id FROM a WHERE id > 2 UNION SELECT w.id FROM w JOIN b ON w.n = b.id) SELECT id FROM b",
)


@pytest.mark.parametrize("query", TREE_QUERIES)
def test_trees(made: Trial, query: str) -> None:
    scenario(made, TREE, query, *TREE_STEPS)


GRAPH = (
    "CREATE TABLE e (a int, b int)",
    "CREATE TABLE s (a int)",
    "INSERT INTO e VALUES (1, 2), (2, 3), (3, 1), (1, 3), (3, 4), (3, 4), (5, 6), (NULL, 1), (4, NULL)",
    "INSERT INTO s VALUES (1), (1), (NULL)",
)
GRAPH_STEPS: tuple[Step, ...] = (
    "DELETE FROM e WHERE a = 2",
    "DELETE FROM e WHERE ctid = (SELECT min(ctid) FROM e WHERE b = 4)",
    "INSERT INTO e VALUES (4, 5), (6, 4)",
    "DELETE FROM e WHERE a = 1",
    ("INSERT INTO s VALUES (6)", "DELETE FROM s WHERE ctid = (SELECT min(ctid) FROM s WHERE a = 1)"),
    ("INSERT INTO e VALUES (1, 2), (2, 1)", "DELETE FROM e WHERE b = 4"),
    "DELETE FROM s WHERE a = 1",
    ("UPDATE e SET a = b, b = a", "UPDATE s SET a = coalesce(a, 4)"),
    ("DELETE FROM e", "DELETE FROM s"),
    ("INSERT INTO e VALUES (1, 1)", "INSERT INTO s VALUES (1)"),
)
REACH = "WITH RECURSIVE r(x) AS (SELECT a FROM s UNION SELECT e.b FROM e JOIN r ON e.a = r.x) "
GRAPH_QUERIES = (
    REACH + "SELECT x FROM r",
    REACH + "SELECT r.x, e.b FROM r LEFT JOIN e ON e.a = r.x",
    REACH + "SELECT count(*) AS n FROM r",
    "WITH RECURSIVE r(x, y) AS (SELECT a, b FROM e UNION SELECT r.x, e.b FROM r JOIN e ON r.y = e.a) SELECT * FROM r",
    "WITH RECURSIVE r(x, y) AS (SELECT a, b FROM e UNION ALL SELECT r.x, e.b FROM r JOIN e ON r.y = e.a)"
    " CYCLE x, y SET again USING way SELECT x, y, again FROM r",
    "WITH RECURSIVE r(x, d) AS (SELECT a, 0 FROM s UNION ALL SELECT e.b, r.d + 1 FROM e JOIN r ON e.a = r.x"
    " WHERE r.d < 4) SELECT x, d FROM r",
    "WITH RECURSIVE r(x, d) AS (SELECT a, 0 FROM s UNION ALL SELECT e.b, r.d + 1 FROM e JOIN r ON e.a = r.x"
    " WHERE r.d < 3) SEARCH BREADTH FIRST BY x SET place SELECT x FROM r ORDER BY place, x LIMIT 4",
    "WITH RECURSIVE r(x) AS (SELECT a FROM s UNION SELECT e.b FROM r JOIN e ON e.a = r.x AND NOT EXISTS"
    " (SELECT FROM s WHERE s.a = e.b)) SELECT x FROM r",
)


@pytest.mark.parametrize("query", GRAPH_QUERIES)
def test_graphs(made: Trial, query: str) -> None:
    scenario(made, GRAPH, query, *GRAPH_STEPS)


def test_views_around_and_inside(made: Trial) -> None:
    for statement in TREE:
        must(made, statement)
    must(made, "CREATE VIEW named AS SELECT id, p FROM n WHERE name IS NOT NULL")
    must(
        made,
        "CREATE VIEW below AS WITH RECURSIVE r AS (SELECT id FROM named WHERE p IS NULL UNION ALL"
        " SELECT named.id FROM named JOIN r ON named.p = r.id) SELECT id FROM r",
    )
    table = made.create("st", "SELECT below.id, w.v FROM below LEFT JOIN w ON w.n = below.id")
    for step in TREE_STEPS:
        for statement in (step,) if isinstance(step, str) else step:
            must(made, statement)
        made.refresh(table, may_be_full="TRUNCATE" in step)


@refreshed
@pytest.mark.parametrize(
    "recursion",
    [
        "SELECT trap(id) AS id FROM n WHERE p IS NULL UNION SELECT n.id FROM n JOIN r ON n.p = r.id",
        "SELECT trap(id) AS id FROM n WHERE p IS NULL UNION ALL SELECT n.id FROM n JOIN r ON n.p = r.id",
        "SELECT trap(max(id)) AS id FROM n UNION SELECT n.id FROM n JOIN r ON n.p = r.id",
    ],
)
def test_a_recursion_whose_tables_stand_still_is_not_started(made: Trial, recursion: str) -> None:
    for statement in TREE:
        must(made, statement)
    must(
        made,
        "CREATE FUNCTION trap(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_setting('trap.set', true) = 'on' THEN RAISE EXCEPTION 'computed'; END IF; RETURN i; END $$",
    )
    query = f"SELECT id FROM w UNION ALL SELECT id FROM (WITH RECURSIVE r AS ({recursion}) SELECT id FROM r) q"
    table = made.create("st", query)
    refresh = f"SELECT pgtrickle.refresh_stream_table('{made.schema}.st')"
    made.connection.execute("SET trap.set = 'on'")
    must(made, "INSERT INTO w VALUES (7, 4, 70)")
    made.connection.execute(refresh.encode())
    must(made, "INSERT INTO n VALUES (9, NULL, 'new')")
    with pytest.raises(psycopg.errors.RaiseException, match="computed"):
        made.connection.execute(refresh.encode())
    made.connection.execute("SET trap.set = 'off'")
    made.refresh(table)


WALKED = {
    "UNION ALL": "rows by hash, walked from what has changed",
    "UNION": "rows by hash, derived again from what has changed",
}
LINKS = (
    "CREATE TABLE l (id int PRIMARY KEY, a int, b int, w int)",
    "CREATE TABLE s (a int, tag text)",
    "INSERT INTO l VALUES (1, 1, 2, 1), (2, 1, 3, 1), (3, 2, 4, 2), (4, 3, 4, 5), (5, 4, 5, 1), (6, NULL, 1, 0),"
    " (7, 8, 9, 0), (8, 9, 8, 0)",
    "INSERT INTO s VALUES (1, 'x'), (1, 'x'), (2, NULL), (NULL, 'y')",
)
LINK_STEPS: tuple[Step, ...] = (
    "INSERT INTO l VALUES (9, 5, 6, 7)",
    "DELETE FROM l WHERE id = 3",
    ("DELETE FROM l WHERE id = 4", "INSERT INTO l VALUES (4, 2, 4, 5)"),
    ("DELETE FROM s WHERE ctid = (SELECT min(ctid) FROM s WHERE a = 1)", "UPDATE l SET w = w + 1 WHERE a = 1"),
    "INSERT INTO s SELECT a, tag FROM s",
    ("UPDATE l SET a = 1 WHERE id = 5", "DELETE FROM l WHERE id = 2", "INSERT INTO s VALUES (3, 'z')"),
    ("UPDATE l SET id = id + 100", "UPDATE s SET tag = 'all'"),
    # Where 4 hung in the air, a circle closes that nothing reaches any more.
    ("DELETE FROM l WHERE b = 4", "UPDATE l SET a = 6, b = 5 WHERE b = 5"),
    ("INSERT INTO l VALUES (200, 1, 8, 1)", "DELETE FROM l WHERE b = 8 AND a = 9"),
    "UPDATE l SET w = NULL WHERE a < 3",
    "DELETE FROM s",
    ("INSERT INTO s VALUES (1, 'again'), (9, 'again')", "INSERT INTO l VALUES (201, 2, 4, 3)"),
    "DELETE FROM l",
    ("INSERT INTO l VALUES (1, 1, 2, 1), (2, 2, 3, 1)", "DELETE FROM s WHERE a = 9"),
)
PATHS = (
    "WITH RECURSIVE r(x, cost, tag) AS (SELECT s.a, 0, s.tag FROM s UNION ALL"
    " SELECT l.b, r.cost + l.w, r.tag FROM r JOIN l ON l.a = r.x{c}) "
)
WALKS = (
    PATHS.format(c="") + "SELECT x, cost, tag FROM r",
    PATHS.format(c="") + "SELECT cost * 2 AS twice FROM r",
    PATHS.format(c="") + "SELECT x + cost AS sum, x FROM r",
    PATHS.format(c=" AND l.w < 5 AND coalesce(r.tag, '') <> 'y'") + "SELECT tag, x FROM r",
    PATHS.format(c=" WHERE l.w > 0 OR r.cost < 3") + "SELECT x FROM r",
    "WITH RECURSIVE r(a, b, path) AS (SELECT a, b, ARRAY[id] FROM l WHERE w > 0 UNION ALL"
    " SELECT r.a, l.b, r.path || l.id FROM l, r WHERE l.a = r.b AND cardinality(r.path) < 4) SELECT * FROM r",
    "WITH RECURSIVE r(x, n) AS (SELECT a, 0 FROM s UNION ALL SELECT b, 1 FROM l WHERE a IS NULL UNION ALL"
    " SELECT l.b, r.n + 1 FROM r JOIN l ON l.a = r.x) SELECT x, n FROM r",
    "WITH RECURSIVE r(x, n) AS (SELECT 1, 0 UNION ALL SELECT l.b, r.n + 1 FROM r, l WHERE r.x = l.a)"
    " SELECT n, x FROM r",
    "WITH RECURSIVE r(x, n) AS (SELECT s.a, count(*) FROM s GROUP BY s.a UNION ALL"
    " SELECT l.b, r.n FROM r JOIN l ON l.a = r.x) SELECT x, n FROM r",
)


SETS = (
    "WITH RECURSIVE r(x) AS (SELECT a FROM s UNION SELECT l.b FROM r JOIN l ON l.a = r.x) SELECT x FROM r",
    "WITH RECURSIVE r(x, y) AS (SELECT a, b FROM l UNION SELECT r.x, l.b FROM r, l WHERE l.a = r.y) SELECT y FROM r",
    "WITH RECURSIVE r(x, tag) AS (SELECT a, tag FROM s UNION SELECT l.b, r.tag FROM r JOIN l ON l.a = r.x AND l.w < 5)"
    " SELECT upper(tag) AS tag, x FROM r",
)


def strategy(made: Trial, table: StreamTable) -> str:
    asked = "SELECT program_explain ->> 'strategy' FROM pgtrickle.pgt_stream_tables WHERE pgt_id = %s"
    row = made.connection.execute(asked, (table.pgt_id,)).fetchone()
    return str(row and row[0])


# Between the statements of a step there may be a circle, along which UNION ALL never ends.
@refreshed
@pytest.mark.parametrize("query", WALKS)
def test_what_follows_from_a_change_is_walked(made: Trial, query: str) -> None:
    table = scenario(made, LINKS, query, *LINK_STEPS)
    assert (strategy(made, table) == WALKED["UNION ALL"]) is ("GROUP BY" not in query)


@pytest.mark.parametrize("query", SETS)
def test_what_follows_from_what_came_is_walked(made: Trial, query: str) -> None:
    table = scenario(made, LINKS, query, *LINK_STEPS)
    follow(made, table, *(f"INSERT INTO l VALUES ({300 + i}, {i % 4}, {i % 7}, {i})" for i in range(12)))
    assert strategy(made, table) == WALKED["UNION"]


@refreshed
@pytest.mark.parametrize("query", [*WALKS[:1], *SETS])
def test_a_walked_recursion_below_other_operators(made: Trial, query: str) -> None:
    around = f"SELECT q.x, count(*) AS n, max(l.w) AS w FROM ({query}) q LEFT JOIN l ON l.id = q.x GROUP BY q.x"
    scenario(made, LINKS, around.replace("q.x", "q.y") if "SELECT y FROM" in query else around, *LINK_STEPS)


RING = (
    "CREATE TABLE e (a int, b int)",
    "CREATE INDEX ON e (a)",
    "CREATE INDEX ON e (b)",
    "CREATE TABLE s (a int)",
    "INSERT INTO e SELECT i, i % 3000 + 1 FROM generate_series(1, 3000) i",
    "INSERT INTO e SELECT 1, 10000 + i FROM generate_series(1, 3000) i",
    "INSERT INTO s VALUES (1), (1500)",
    "ANALYZE",
)


def test_many_rows_are_not_derived_again_one_by_one(made: Trial) -> None:
    """A step less in a large circle: of all rows on it, it has to be asked whether another way leads to them."""
    steps = ("DELETE FROM e WHERE a = 2", "INSERT INTO e VALUES (2, 9), (7, 2)", "DELETE FROM e WHERE a = 8")
    steps += ("DELETE FROM e WHERE a = 1600", "DELETE FROM s WHERE a = 1500", "DELETE FROM s")
    query = REACH + "SELECT x FROM r"
    table = scenario(made, RING, query, *steps[:3])
    made.connection.execute(f"ANALYZE {table.sql}".encode())
    follow(made, table, *steps[3:], "INSERT INTO s VALUES (1), (3)", "DELETE FROM e WHERE b = 1")


@pytest.mark.parametrize("change", ["DELETE FROM e WHERE b = 10007", "INSERT INTO e VALUES (10005, 7), (7, 10007)"])
def test_what_a_change_does_not_lead_to_is_not_read(made: Trial, change: str) -> None:
    more = "INSERT INTO e SELECT 1, 20000 + i FROM generate_series(1, 40000) i"
    table = scenario(made, (*RING, more), REACH + "SELECT x FROM r")
    must(made, "ANALYZE")
    read = (
        "SELECT sum(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid))::int"
        f" FROM pg_class c WHERE c.oid IN ('e'::regclass, '{table.sql}'::regclass)"
    )
    with made.connection.transaction():
        before = made.connection.execute(read.encode()).fetchone()
        must(made, change)
        made.connection.execute(f"SELECT pgtrickle.refresh_stream_table('{made.schema}.st')".encode())
        after = made.connection.execute(read.encode()).fetchone()
    made.refresh(table)
    assert before is not None and after is not None
    assert after[0] - before[0] < 100


COPIES = "WITH RECURSIVE r(x, d) AS (SELECT a, 0 FROM s UNION ALL SELECT e.b, r.d + 1 FROM e, r WHERE e.a = r.x{c}) "


@pytest.mark.parametrize(
    "query",
    [
        "SELECT r.x, r.d, e.b FROM r JOIN e ON e.a = r.x",
        "SELECT r.x, e.b FROM r LEFT JOIN e ON e.a = r.x AND e.b > r.d",
        "SELECT x, count(*) AS n, max(d) AS d FROM r GROUP BY x",
        "SELECT a FROM s WHERE a NOT IN (SELECT d FROM r WHERE x > 2)",
        "SELECT x, d FROM r ORDER BY d DESC, x LIMIT 5",
        "SELECT x, rank() OVER (ORDER BY d, x) AS place FROM r",
    ],
)
def test_a_recursion_that_repeats_its_rows_is_kept_with_each_row_once(made: Trial, query: str) -> None:
    """It may stand for very many copies of few rows, which need be neither written nor met one by one."""
    table = scenario(made, GRAPH, COPIES.format(c=" AND r.d < 4") + query, *GRAPH_STEPS[:6])
    must(made, "INSERT INTO s SELECT 1 FROM generate_series(1, 100)")
    made.refresh(table)
    state = f"SELECT count(*), sum(c3) FROM pgtrickle_programs.state_{table.pgt_id}_1"
    said = COPIES.format(c=" AND r.d < 4") + "SELECT count(DISTINCT (x, d)), count(*) FROM r"
    held, right = (made.connection.execute(text.encode()).fetchone() for text in (state, said))
    assert held == right
    assert right is not None and right[1] > 50 * right[0]


def test_a_subtree_that_is_moved_below_itself_falls_out(made: Trial) -> None:
    """Its rows go on leading to one another for ever, but nothing leads to them."""
    steps = ("UPDATE n SET p = 5 WHERE id = 2", "INSERT INTO n VALUES (8, 4, 'x')", "UPDATE n SET p = 6 WHERE id = 2")
    scenario(made, TREE, DOWN + "SELECT id, depth FROM r", *steps)


def test_a_recursion_may_be_called_like_a_table_around_it(made: Trial) -> None:
    """The row outside is meant by a name that the WITH query has as well, where that is read by another."""
    query = (
        "SELECT r.id FROM w r WHERE EXISTS (SELECT s.c FROM (WITH RECURSIVE r(a, c) AS (SELECT id, p FROM n UNION"
        " SELECT r.a, n.p FROM r JOIN n ON n.id = r.c) SELECT r.c FROM r WHERE r.a > 0) s WHERE s.c >= r.n"
        " GROUP BY s.c HAVING count(*) > 1)"
    )
    scenario(made, TREE, query, *TREE_STEPS)


def marked(rows: str) -> str:
    """These rows with a column for which `w` is read."""
    return f"(SELECT b.*, coalesce(NOT EXISTS (SELECT FROM w s WHERE s.n = b.id), false) AS idle FROM {rows} b)"


@pytest.mark.parametrize("union", ["UNION", "UNION ALL"])
@pytest.mark.parametrize(
    ("first", "followed"),
    [
        (marked("n"), marked("n")),
        (marked("n"), "n"),
        (marked("(SELECT * FROM (VALUES (1, NULL), (2, 1)) v(id, p))"), "n"),
    ],
)
@pytest.mark.parametrize(
    "shown",
    ["SELECT id FROM r", "SELECT r.id, x.v FROM r LEFT JOIN w x ON x.n = r.id", "SELECT id FROM n JOIN r USING (id)"],
)
def test_a_table_that_is_read_for_a_column_which_nobody_shows(
    made: Trial, union: str, first: str, followed: str, shown: str
) -> None:
    """Alone it changes nothing of the recursion, whose walks then start nowhere."""
    query = (
        f"WITH RECURSIVE r(id, depth) AS (SELECT q.id, 0 FROM {first} q WHERE q.p IS NULL"
        f" {union} SELECT q.id, r.depth + 1 FROM {followed} q JOIN r ON q.p = r.id) {shown}"
    )
    steps = (
        "INSERT INTO w VALUES (7, 1, 70), (8, 2, 80)",
        "DELETE FROM w WHERE n = 4",
        ("UPDATE n SET p = 3 WHERE id = 2", "UPDATE w SET n = 2 WHERE n = 1"),
        "DELETE FROM w",
    )
    scenario(made, TREE, query, *steps)
