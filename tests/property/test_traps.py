"""Each known trap of incremental view maintenance over the supported operators, one small scenario each.

Lies it would catch: the ones that engines of this kind have told. After every step the stream table has been
refreshed differentially and compared (see `trial`), so a scenario is only its statements.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot.
"""

from __future__ import annotations

import pytest
from property.trial import Trial

KEYED = "CREATE TABLE t (id int PRIMARY KEY, g text, v int, n numeric, f float8)"
KEYED_ROWS = "INSERT INTO t VALUES (1, 'a', 1, 1.5, 0.5), (2, 'a', 2, 2.25, 0.25), (3, NULL, NULL, NULL, NULL), (4, 'b', 4, 1, 1)"
KEYLESS = "CREATE TABLE k (a int, b text)"
KEYLESS_ROWS = "INSERT INTO k VALUES (1, 'x'), (1, 'x'), (1, 'x'), (NULL, 'x'), (NULL, NULL), (NULL, NULL)"
PAIR = (
    "CREATE TABLE l (id int PRIMARY KEY, k int, v int)",
    "CREATE TABLE r (id int PRIMARY KEY, k int, w int)",
    "INSERT INTO l VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30), (4, NULL, 40)",
    "INSERT INTO r VALUES (1, 1, 1), (2, 1, 2), (3, 3, 3), (4, NULL, 4)",
)


def scenario(made: Trial, setup: tuple[str, ...], query: str, *steps: str | tuple[str, ...]) -> None:
    """Create the tables and one stream table; after each step refresh and compare."""
    for statement in setup:
        must(made, statement)
    table = made.create("st", query)
    for step in steps:
        statements = (step,) if isinstance(step, str) else step
        for statement in statements:
            must(made, statement)
        made.refresh(table, may_be_full=any("TRUNCATE" in s or "ALTER TABLE" in s for s in statements))


def must(made: Trial, statement: str) -> None:
    assert made.run(statement), statement


# One key, many changes ------------------------------------------------------------------------------------

WINDOWS = {
    "insert, update, delete": ("INSERT INTO t VALUES (9, 'z', 9)", "UPDATE t SET v = 8 WHERE id = 9", "DELETE FROM t WHERE id = 9"),
    "delete, insert the same": ("DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (1, 'a', 1, 1.5, 0.5)"),
    "delete, insert another": ("DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (1, 'b', 7)"),
    "insert, delete": ("INSERT INTO t VALUES (9, 'a', 9)", "DELETE FROM t WHERE id = 9"),
    "update thrice": tuple(f"UPDATE t SET v = {v} WHERE id = 1" for v in (5, 6, 7)),
    "update and back": ("UPDATE t SET v = 5 WHERE id = 1", "UPDATE t SET v = 1 WHERE id = 1"),
    "key away and back": ("UPDATE t SET id = 9 WHERE id = 1", "UPDATE t SET id = 1 WHERE id = 9"),
    "keys swapped": (
        "UPDATE t SET id = 9 WHERE id = 1",
        "UPDATE t SET id = 1 WHERE id = 2",
        "UPDATE t SET id = 2 WHERE id = 9",
    ),
    "keys rotated in one statement": ("UPDATE t SET id = id + 10",),
    "delete all, insert all": ("DELETE FROM t", KEYED_ROWS),
}
SHAPES = {
    "rows": "SELECT id, v FROM t",
    "rows without their key": "SELECT g, v FROM t",
    "groups": "SELECT g, count(*), sum(v), min(v), max(v) FROM t GROUP BY g",
    "distinct": "SELECT DISTINCT g FROM t",
    "self-join": "SELECT a.id, b.id AS other FROM t a JOIN t b ON a.v = b.id",
}


@pytest.mark.parametrize("query", SHAPES.values(), ids=SHAPES.keys())
def test_one_key_changed_many_times_in_one_window(made: Trial, query: str) -> None:
    scenario(made, (KEYED, KEYED_ROWS), query, *WINDOWS.values())


def test_two_rows_exchange_their_unique_values_in_one_statement(made: Trial) -> None:
    setup = ("CREATE TABLE t (id int PRIMARY KEY, p int NOT NULL UNIQUE DEFERRABLE)", "INSERT INTO t VALUES (1, 1), (2, 2)")
    scenario(made, setup, "SELECT p, id FROM t", "UPDATE t SET p = 3 - p", "UPDATE t SET p = 3 - p WHERE true")


# TRUNCATE -------------------------------------------------------------------------------------------------


def test_rows_inserted_after_a_truncate_in_the_same_transaction_stay(made: Trial) -> None:
    scenario(
        made,
        (KEYED, KEYED_ROWS),
        SHAPES["groups"],
        ("BEGIN", "INSERT INTO t VALUES (8, 'z', 8)", "TRUNCATE t", "INSERT INTO t VALUES (9, 'a', 9)", "COMMIT"),
        "INSERT INTO t VALUES (10, 'a', 10)",
        ("TRUNCATE t", "INSERT INTO t VALUES (1, NULL, 1)", "TRUNCATE t"),
    )


def test_the_small_side_of_a_join_is_truncated(made: Trial) -> None:
    query = "SELECT l.id, r.w FROM l JOIN r ON r.k = l.k"
    scenario(made, PAIR, query, "TRUNCATE r", "INSERT INTO r VALUES (5, 1, 5)", ("TRUNCATE l", "DELETE FROM r"))


def test_a_truncate_that_cascades_reaches_the_readers_of_the_other_table(made: Trial) -> None:
    setup = (
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p)",
        "INSERT INTO p VALUES (1), (2)",
        "INSERT INTO c VALUES (1, 1), (2, 2)",
    )
    scenario(made, setup, "SELECT id, p FROM c", "DELETE FROM c WHERE id = 1", "TRUNCATE p CASCADE")


def test_a_truncate_that_is_rolled_back_leaves_the_refresh_differential(made: Trial) -> None:
    must(made, KEYED)
    must(made, KEYED_ROWS)
    table = made.create("st", SHAPES["groups"])
    with made.connection.transaction(force_rollback=True):
        made.connection.execute("TRUNCATE t")
    must(made, "UPDATE t SET v = v + 1")
    assert made.refresh(table) == "DIFFERENTIAL"


# Identity -------------------------------------------------------------------------------------------------


def test_nulls_in_different_places_of_a_composite_key_stay_apart(made: Trial) -> None:
    setup = (
        "CREATE TABLE t (a int, b int, c int, v int)",
        "CREATE UNIQUE INDEX ON t (a, b, c)",
        "INSERT INTO t VALUES (1, NULL, 3, 1), (1, 3, NULL, 2), (NULL, 1, 3, 3), (1, NULL, 3, 4)",
    )
    query = "SELECT a, b, c, sum(v) FROM t GROUP BY a, b, c"
    scenario(made, setup, query, "UPDATE t SET v = 9 WHERE c = 3", "DELETE FROM t WHERE b = 3", "UPDATE t SET b = 3, c = NULL")


def test_keys_that_read_alike_when_put_together_stay_apart(made: Trial) -> None:
    setup = (
        "CREATE TABLE t (a text, b text, v int, PRIMARY KEY (a, b))",
        "INSERT INTO t VALUES ('a', 'bc', 1), ('ab', 'c', 2), ('', 'abc', 3), ('abc', '', 4)",
    )
    query = "SELECT a, b, v FROM t"
    scenario(made, setup, query, "UPDATE t SET v = 9 WHERE a = 'ab'", "DELETE FROM t WHERE b = 'bc'", "DELETE FROM t WHERE a = ''")


def test_values_whose_text_or_spelling_misleads(made: Trial) -> None:
    setup = (
        "CREATE TABLE t (f float8, n numeric, i interval, b bytea, s text)",
        "INSERT INTO t VALUES (0, 1.0, '1 day', '\\x00', NULL), ('-0', 1.00, '24 hours', '\\x0000', NULL),"
        " (0, 1.000, '1 day', '\\x00', 'x'), (0, 1.00, NULL, NULL, NULL), ('-0', 1.0, NULL, NULL, NULL),"
        " (0.1, NULL, NULL, NULL, NULL), (0.1 + 0.2, NULL, NULL, NULL, NULL)",
    )
    steps = (
        "DELETE FROM t WHERE n::text = '1.0'",
        "UPDATE t SET n = 1.0 WHERE n::text = '1.00'",
        "INSERT INTO t SELECT * FROM t",
        "UPDATE t SET f = '-0' WHERE f = 0 AND s IS NULL",
        "DELETE FROM t WHERE f::text = '-0'",
        "DELETE FROM t",
    )
    scenario(made, setup, "SELECT f, n, i, b, s FROM t", *steps)


def test_every_spelling_of_equal_values_goes_at_once(made: Trial) -> None:
    """Candidates for deletion are equal; each deletion must still take a row of its own."""
    values = ", ".join(f"({n}, NULL)" for n in ("1.000", "1.0", "1.00", "1", "1.0"))
    setup = ("CREATE TABLE t (n numeric, f float8)", f"INSERT INTO t VALUES {values}")
    steps = (
        "DELETE FROM t WHERE n::text IN ('1.0', '1.00', '1')",
        "INSERT INTO t VALUES (1.0, 0), (1.00, '-0'), (1, NULL)",
        "DELETE FROM t",
    )
    scenario(made, setup, "SELECT n, f FROM t", *steps)


def test_an_enum_label_is_renamed(made: Trial) -> None:
    setup = ("CREATE TYPE mood AS ENUM ('sad', 'ok')", "CREATE TABLE t (m mood)", "INSERT INTO t VALUES ('sad'), ('ok'), ('ok')")
    steps = ("ALTER TYPE mood RENAME VALUE 'ok' TO 'fine'", "DELETE FROM t WHERE m = 'fine'", "INSERT INTO t VALUES ('fine')")
    scenario(made, setup, "SELECT m, count(*) FROM t GROUP BY m", *steps)


@pytest.mark.parametrize(
    "use",
    [
        "SELECT id FROM t WHERE v > 1",
        "SELECT a.id FROM t a JOIN t b ON a.id = b.v",
        "SELECT count(*) FROM t GROUP BY v",
        "SELECT g, count(*) FROM t GROUP BY g HAVING sum(v) > 2",
        "SELECT count(*) FILTER (WHERE v > 1) FROM t",
        "SELECT id, CASE WHEN v > 1 THEN g END AS c FROM t",
    ],
)
def test_a_column_that_is_used_but_not_shown_is_captured(made: Trial, use: str) -> None:
    scenario(made, (KEYED, KEYED_ROWS), use, "UPDATE t SET v = 1", "UPDATE t SET v = 4 WHERE id = 2", "UPDATE t SET v = NULL")


# Several readers of one change buffer ---------------------------------------------------------------------


def test_readers_at_different_places_and_a_pruner_between_them(made: Trial) -> None:
    must(made, KEYED)
    must(made, KEYED_ROWS)
    first, second = made.create("first", "SELECT id, v FROM t"), made.create("second", SHAPES["groups"])
    sources = "SELECT source_id FROM pgtrickle.pgt_change_tracking"
    for step in ("UPDATE t SET v = 5", "DELETE FROM t WHERE id = 2", "INSERT INTO t VALUES (7, 'b', 7)"):
        must(made, step)
        made.refresh(first)
        for (source,) in made.connection.execute(sources).fetchall():
            made.connection.execute("SELECT pgtrickle._prune(%s)", (source,))
    third = made.create("third", "SELECT g, n FROM t")
    must(made, "UPDATE t SET n = 3, f = 4")
    for table in (third, second, first):
        made.refresh(table)


def test_a_reader_leaves_and_another_comes_between_refreshes(made: Trial) -> None:
    must(made, KEYED)
    must(made, KEYED_ROWS)
    made.create("first", "SELECT id, v FROM t")
    must(made, "UPDATE t SET v = 5")
    made.client.drop_stream_table(f"{made.schema}.first")
    made.stream_tables.clear()
    must(made, "UPDATE t SET v = 6 WHERE id = 1")
    again = made.create("again", SHAPES["groups"])
    must(made, "UPDATE t SET v = 7 WHERE id = 2")
    made.refresh(again)


def test_a_refresh_that_fails_keeps_its_changes(made: Trial) -> None:
    must(made, "CREATE TABLE t (id int PRIMARY KEY, v int)")
    must(made, "INSERT INTO t VALUES (1, 1), (2, 2)")
    table = made.create("st", "SELECT id, 10 / v AS q FROM t")
    must(made, "UPDATE t SET v = 5 WHERE id = 1")
    must(made, "INSERT INTO t VALUES (3, 0)")
    for _ in range(2):
        with pytest.raises(Exception, match="division by zero"):
            made.client.refresh_stream_table(f"{made.schema}.st")
    must(made, "UPDATE t SET v = 3 WHERE id = 3")
    # What came and went cannot be computed either, so this one is computed from what is there now.
    made.refresh(table, may_be_full=True)
    must(made, "UPDATE t SET v = 2 WHERE id = 3")
    assert made.refresh(table) == "DIFFERENTIAL"


# Keyless tables -------------------------------------------------------------------------------------------

KEYLESS_STEPS = (
    "DELETE FROM k WHERE ctid = (SELECT min(ctid) FROM k WHERE a = 1)",
    "UPDATE k SET b = 'y' WHERE ctid = (SELECT min(ctid) FROM k WHERE a = 1)",
    "DELETE FROM k WHERE ctid = (SELECT min(ctid) FROM k WHERE b IS NULL)",
    "UPDATE k SET a = 1, b = 'x'",
    ("DELETE FROM k", KEYLESS_ROWS),
    "INSERT INTO k SELECT * FROM k",
    "UPDATE k SET b = b",
)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a, b FROM k",
        "SELECT b FROM k",
        "SELECT 1 AS one, 'x' AS word FROM k",
        "SELECT count(*), count(a) AS present, sum(a) FROM k",
        "SELECT b, count(*) FROM k GROUP BY b",
        "SELECT DISTINCT a, b FROM k",
        "SELECT x.a, y.b FROM k x JOIN k y ON x.a = y.a",
        "SELECT a FROM k UNION ALL SELECT a FROM k",
    ],
)
def test_equal_rows_of_a_keyless_table_are_counted(made: Trial, query: str) -> None:
    scenario(made, (KEYLESS, KEYLESS_ROWS), query, *KEYLESS_STEPS)


@pytest.mark.parametrize("type", ["json", "json[]", "xml", "point", "point[]", "polygon"])
@pytest.mark.parametrize("key", ["", "PRIMARY KEY"])
def test_types_without_equality_pass_through(made: Trial, type: str, key: str) -> None:
    values = {
        "json": ("'{\"a\":1}'", "'{\"a\": 1}'"),
        "json[]": ("'{\"[1]\",\"[2]\"}'", "'{}'"),
        "xml": ("'<a/>'", "'<b/>'"),
        "point": ("'(0,0)'", "'(0,1)'"),
        "point[]": ("'{\"(0,0)\",\"(1,1)\"}'", "'{}'"),
        "polygon": ("'((0,0),(1,1),(1,0))'", "'((0,0),(2,2),(2,0))'"),
    }
    a, b = values[type]
    if not made.can(f"SELECT {a}::{type}"):
        pytest.skip(f"this server has no {type}")
    setup = (f"CREATE TABLE t (id int {key}, x {type})", f"INSERT INTO t VALUES (1, {a}), (2, {b}), (3, NULL)")
    steps = (
        f"UPDATE t SET x = {b} WHERE id = 1",
        f"INSERT INTO t VALUES (4, {a}), (5, {a}), (6, NULL)",
        "UPDATE t SET x = x",
        "DELETE FROM t WHERE id IN (2, 5)",
        f"UPDATE t SET x = {a}, id = id + 10",
        "DELETE FROM t",
    )
    scenario(made, setup, "SELECT id, x FROM t" if key else "SELECT x FROM t", *steps)


# Filter and project ---------------------------------------------------------------------------------------


def test_rows_cross_a_predicate_both_ways_and_into_the_unknown(made: Trial) -> None:
    scenario(
        made,
        (KEYED, KEYED_ROWS),
        "SELECT id, g FROM t WHERE v > 1",
        ("UPDATE t SET v = 5 WHERE id = 1", "UPDATE t SET v = 0 WHERE id = 2"),
        ("UPDATE t SET v = NULL WHERE id = 1", "UPDATE t SET v = 9 WHERE id = 3"),
        ("UPDATE t SET v = 0 WHERE id = 4", "UPDATE t SET v = 9 WHERE id = 4"),
    )


@pytest.mark.parametrize(
    "predicate",
    [
        "g LIKE 'a%' OR g ILIKE 'B'",
        "nullif(g, 'a') IS NOT NULL",
        "g COLLATE \"C\" < 'b'",
        "v BETWEEN 1 AND 3",
        "v NOT IN (1, 4)",
        "v = ANY (ARRAY[1, 2, NULL])",
        "(v > 1) IS NOT TRUE",
        "g <> 'FROM t -- WHERE' /* FROM t */",
        "v * (1 - v) < -1",
        "- v < -1 AND NOT (v = 4)",
        "(v, g) > (1, 'a')",
        "coalesce(g, 'it''s \"t\".g') ~ '^[ai]'",
        "v IS DISTINCT FROM 1",
        "CASE WHEN g = 'a' THEN v > 1 ELSE v IS NULL END",
    ],
)
def test_predicates_keep_their_meaning(made: Trial, predicate: str) -> None:
    steps = ("UPDATE t SET v = 5 - v", "UPDATE t SET g = 'b' WHERE g = 'a'", "UPDATE t SET g = 'a'", "DELETE FROM t WHERE v > 2")
    scenario(made, (KEYED, KEYED_ROWS), f"SELECT id, v FROM t WHERE {predicate}", *steps)


def test_a_replaced_function_is_noticed(made: Trial) -> None:
    body = "CREATE OR REPLACE FUNCTION price(v int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT v * {}'"
    must(made, KEYED)
    must(made, KEYED_ROWS)
    must(made, body.format(2))
    table = made.create("st", f"SELECT id, {made.schema}.price(v) AS p FROM t")
    must(made, body.format(3))
    made.refresh(table, may_be_full=True)


def test_star_means_the_columns_of_the_day_it_was_written(made: Trial) -> None:
    scenario(
        made,
        (KEYED, KEYED_ROWS),
        "SELECT * FROM t",
        ("ALTER TABLE t ADD COLUMN late int DEFAULT 7", "UPDATE t SET late = 8, v = 0"),
        "INSERT INTO t VALUES (9, 'z', 9, 9, 9, 9)",
    )


def test_constants_only(made: Trial) -> None:
    scenario(made, (KEYLESS, KEYLESS_ROWS), "SELECT 1 AS one, NULL AS nothing, 'x' AS x FROM k", *KEYLESS_STEPS)


# Joins ----------------------------------------------------------------------------------------------------

JOIN = "SELECT l.id, l.v, r.w FROM l JOIN r ON r.k = l.k"
BOTH_SIDES = (
    ("DELETE FROM l WHERE id = 1", "DELETE FROM r WHERE id = 1"),
    ("UPDATE l SET k = 3 WHERE id = 2", "DELETE FROM r WHERE id = 2"),
    ("INSERT INTO l VALUES (9, 3, 90)", "DELETE FROM l WHERE id = 9", "DELETE FROM r WHERE id = 3"),
    ("INSERT INTO l VALUES (5, 5, 50)", "INSERT INTO r VALUES (5, 5, 5)"),
    ("UPDATE l SET k = 6 WHERE id = 5", "UPDATE r SET k = 6 WHERE id = 5"),
    ("UPDATE l SET v = v + 1", "UPDATE r SET w = w + 1"),
    ("DELETE FROM l", "DELETE FROM r"),
)


@pytest.mark.parametrize(
    "query",
    [
        JOIN,
        "SELECT l.v, r.w FROM l, r WHERE r.k = l.k",
        "SELECT sum(l.v * r.w), count(*) FROM l JOIN r ON l.k = r.k",
        "SELECT l.k, sum(l.v), avg(r.w), min(r.w), max(l.v) FROM l JOIN r ON l.k = r.k GROUP BY l.k",
        "SELECT s.v, r.w FROM (SELECT v, k + 0 AS k FROM l WHERE v > 5) s JOIN r ON r.k = s.k",
        "SELECT a.id, b.w, c.v FROM l a JOIN r b ON a.k = b.k JOIN l c ON c.id = b.id",
        "SELECT count(*) FROM l a, r b, l c, r d WHERE a.k = b.k AND c.id = b.id AND d.k = c.k",
        "SELECT l.id, r.id AS other FROM l CROSS JOIN r",
        "SELECT l.id, r.id AS other FROM l JOIN r ON l.v > r.w * 10",
        "SELECT l.id, r.w FROM l JOIN r ON l.k + 1 = r.k + 1 AND l.v <> r.w",
        "SELECT l.id, r.w FROM l JOIN r ON l.k IS NOT DISTINCT FROM r.k",
        "SELECT * FROM l JOIN r USING (id, k)",
        "SELECT * FROM l NATURAL JOIN r",
        "SELECT id, v, w FROM l JOIN r USING (id) WHERE w < 4",
    ],
)
def test_both_sides_of_a_join_change_together(made: Trial, query: str) -> None:
    scenario(made, PAIR, query, *BOTH_SIDES)


def test_a_row_of_a_self_join_meets_its_own_change(made: Trial) -> None:
    setup = ("CREATE TABLE e (id int PRIMARY KEY, boss int)", "INSERT INTO e VALUES (1, 1), (2, 1), (3, 2), (4, NULL)")
    query = "SELECT a.id, b.id AS boss, c.id AS their_boss FROM e a JOIN e b ON b.id = a.boss JOIN e c ON c.id = b.boss"
    steps = ("UPDATE e SET boss = id", "UPDATE e SET boss = 1, id = id + 10 WHERE id > 1", "UPDATE e SET boss = 12", "DELETE FROM e WHERE id = 12")
    scenario(made, setup, query, *steps)


def test_null_join_keys_come_and_go(made: Trial) -> None:
    steps = ("UPDATE l SET k = NULL", "UPDATE r SET k = NULL", "UPDATE l SET k = 1", "UPDATE r SET k = 1 WHERE id < 3")
    scenario(made, PAIR, JOIN, *steps)


@pytest.mark.parametrize(
    ("left", "right"), [("int", "numeric"), ("text", "varchar(3)"), ("char(3)", "text"), ("bigint", "smallint"), ("float8", "int")]
)
def test_join_keys_of_different_types(made: Trial, left: str, right: str) -> None:
    setup = (
        f"CREATE TABLE l (k {left} PRIMARY KEY, v int)",
        f"CREATE TABLE r (k {right} PRIMARY KEY, w int)",
        "INSERT INTO l VALUES ('1', 1), ('2', 2)",
        "INSERT INTO r VALUES ('1', 1), ('3', 3)",
    )
    steps = ("INSERT INTO r VALUES ('2', 2)", ("UPDATE l SET k = '3' WHERE k = '1'", "UPDATE r SET w = 9"), "DELETE FROM r WHERE w = 9")
    scenario(made, setup, "SELECT l.k, r.k AS other, v, w FROM l JOIN r ON l.k = r.k", *steps)


def test_duplicates_multiply_through_a_join(made: Trial) -> None:
    setup = (KEYLESS, "INSERT INTO k VALUES (1, 'x'), (1, 'x'), (2, 'y')", "CREATE TABLE m (a int)", "INSERT INTO m VALUES (1), (1), (1)")
    steps = (
        ("DELETE FROM m WHERE ctid = (SELECT min(ctid) FROM m)", "INSERT INTO k VALUES (1, 'x')"),
        ("INSERT INTO m SELECT * FROM m", "UPDATE k SET a = 1"),
        ("DELETE FROM k WHERE b = 'x'", "DELETE FROM m WHERE ctid = (SELECT min(ctid) FROM m)"),
    )
    scenario(made, setup, "SELECT k.b FROM k JOIN m ON m.a = k.a", *steps)


# Aggregates -----------------------------------------------------------------------------------------------


def test_a_sum_of_no_values_is_null_and_of_one_is_not(made: Trial) -> None:
    steps = ("UPDATE t SET v = NULL, n = NULL", "UPDATE t SET v = 0 WHERE id = 1", "INSERT INTO t VALUES (9, 'c', NULL)", "UPDATE t SET v = 3")
    scenario(made, (KEYED, KEYED_ROWS), "SELECT g, sum(v), sum(n) AS n, avg(v) FROM t GROUP BY g", *steps)


def test_counts_of_values_rows_and_filtered_rows_differ(made: Trial) -> None:
    query = (
        "SELECT g, count(*) AS a, count(v) AS b, count(DISTINCT v) AS c, count(*) FILTER (WHERE v > 1) AS d,"
        " sum(v) FILTER (WHERE f < 1) AS e, sum(CASE WHEN v > 1 THEN 1 ELSE 0 END) AS h,"
        " sum(DISTINCT v) AS i, min(v) FILTER (WHERE v > 1) AS j FROM t GROUP BY g"
    )
    steps = (
        "UPDATE t SET v = 2",
        "UPDATE t SET v = NULL WHERE id = 1",
        "UPDATE t SET v = 1, f = 2",
        "INSERT INTO t VALUES (9, 'a', 2, 0, 0)",
        "DELETE FROM t WHERE v = 1 AND id > 1",
    )
    scenario(made, (KEYED, KEYED_ROWS), query, *steps)


def test_an_average_is_the_quotient_of_its_parts(made: Trial) -> None:
    setup = ("CREATE TABLE t (g int, n numeric(12,4), i int)", "INSERT INTO t VALUES (1, 1, 1), (1, 1, 1), (1, 2, 2), (2, 0.3333, 7)")
    steps = ("INSERT INTO t VALUES (1, 0.0001, 10)", "DELETE FROM t WHERE n = 1", "INSERT INTO t SELECT 2, n / 3, i FROM t", "DELETE FROM t WHERE g = 1")
    scenario(made, setup, "SELECT g, avg(n) AS n, avg(i) AS i, sum(n)::text AS written FROM t GROUP BY g", *steps)


@pytest.mark.parametrize("value", ["avg(n)", "sum(n) / 3", "round(avg(n), 20)"])
def test_a_value_of_many_digits_leaves_no_digits_behind(made: Trial, value: str) -> None:
    setup = ("CREATE TABLE t (id int, n numeric)", "INSERT INTO t VALUES (1, 1.5), (2, 2.25)")
    steps = ("INSERT INTO t VALUES (3, 1.0000000000000000000000000000001)", "UPDATE t SET n = 1 WHERE id = 3", "DELETE FROM t WHERE id = 1")
    scenario(made, setup, f"SELECT {value} AS x FROM t", *steps)


def test_floats_neither_drift_nor_stay_infinite(made: Trial) -> None:
    setup = ("CREATE TABLE t (id int, f float8, r real)", "INSERT INTO t VALUES (1, 0.1, 0.1), (2, 0.2, 0.2), (3, 1e100, 1e30)")
    steps = (
        "DELETE FROM t WHERE id = 3",
        "INSERT INTO t VALUES (4, 'NaN', 'NaN'), (5, 'Infinity', '-Infinity')",
        "DELETE FROM t WHERE id = 4",
        "DELETE FROM t WHERE id = 5",
        "UPDATE t SET f = '-0', r = '-0'",
        "DELETE FROM t",
    )
    # In one order on both sides: the sum of floats depends on it.
    query = "SELECT sum(f ORDER BY f) AS s, sum(r ORDER BY r) AS r, min(f) AS lo, max(f) AS hi, count(f) FROM t"
    scenario(made, setup, query, *steps)


def test_numeric_sums_recover_from_nan_and_infinity(made: Trial) -> None:
    steps = (
        "UPDATE t SET n = 'Infinity' WHERE id = 1",
        "UPDATE t SET n = '-Infinity' WHERE id = 2",
        "UPDATE t SET n = 'NaN' WHERE id = 2",
        "UPDATE t SET n = 2 WHERE id = 2",
        "UPDATE t SET n = 1",
    )
    scenario(made, (KEYED, KEYED_ROWS), "SELECT g, sum(n), avg(n) FROM t GROUP BY g", *steps)
    total = made.create("total", "SELECT sum(n) FROM t")
    for step in steps:
        must(made, step)
        made.refresh(total)


def test_sums_outgrow_the_type_of_what_is_summed(made: Trial) -> None:
    setup = (
        "CREATE TABLE t (i int, b bigint, s smallint)",
        "INSERT INTO t VALUES (2147483647, 9223372036854775807, 32767)",
    )
    steps = ("INSERT INTO t SELECT * FROM t", "INSERT INTO t SELECT * FROM t", "DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t)")
    scenario(made, setup, "SELECT sum(i) AS i, sum(b) AS b, sum(s) AS s, avg(b) AS a FROM t", *steps)


def test_a_group_dies_revives_and_is_replaced(made: Trial) -> None:
    steps = (
        "DELETE FROM t WHERE g = 'a'",
        "INSERT INTO t VALUES (1, 'a', 1)",
        ("DELETE FROM t WHERE g = 'a'", "INSERT INTO t VALUES (1, 'a', 7)"),
        ("DELETE FROM t WHERE g = 'a'", "INSERT INTO t VALUES (2, 'a', 7)", "DELETE FROM t WHERE g = 'a'"),
        ("DELETE FROM t", KEYED_ROWS),
    )
    scenario(made, (KEYED, KEYED_ROWS), SHAPES["groups"], *steps)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*), sum(v), min(v), avg(n), bool_or(v > 1) FROM t",
        "SELECT count(*) FROM t WHERE v > 100",
        "SELECT max(v), count(*) FROM t HAVING count(*) > 2",
        "SELECT count(*) FROM t WHERE v > 1 HAVING count(*) > 0",
        "SELECT 1 AS one FROM t HAVING sum(v) IS NOT NULL",
    ],
)
def test_an_aggregate_without_groups_has_one_row(made: Trial, query: str) -> None:
    steps = (
        "INSERT INTO t VALUES (9, 'q', 0)",
        "DELETE FROM t WHERE v IS NULL",
        "UPDATE t SET v = 0",
        "DELETE FROM t",
        "UPDATE t SET v = 1",
        KEYED_ROWS,
        ("DELETE FROM t", KEYED_ROWS),
        "UPDATE t SET g = 'other' WHERE v = 0",
    )
    scenario(made, (KEYED,), query, *steps)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT g, count(*) FROM t GROUP BY g",
        "SELECT g, v, count(*) FROM t GROUP BY g, v",
        "SELECT upper(g) AS u, count(*) FROM t GROUP BY 1",
        "SELECT CASE WHEN v > 1 THEN g END AS c, sum(v) FROM t GROUP BY 1",
        "SELECT count(*) FROM t GROUP BY v % 2",
        "SELECT v / 2 + 1 AS x, max(v) FROM t GROUP BY v / 2",
        "SELECT id, g, count(*) FROM t GROUP BY id",
        "SELECT f, n, count(*) FROM t GROUP BY n, f",
        "SELECT 'x' AS x, count(*) FROM t GROUP BY 1",
        "SELECT g IS NULL AS unknown, min(id) FROM t GROUP BY g IS NULL",
        'SELECT g COLLATE "C" AS g, count(*) FROM t GROUP BY 1',
    ],
)
def test_group_keys_of_every_kind(made: Trial, query: str) -> None:
    steps = (
        "UPDATE t SET g = NULL WHERE g = 'a'",
        "UPDATE t SET g = 'b', v = NULL WHERE g IS NULL",
        "UPDATE t SET v = id, n = 1.0, f = 0 WHERE id < 3",
        "UPDATE t SET n = 1.00, f = '-0' WHERE id = 2",
        "INSERT INTO t VALUES (9, 'b', NULL), (10, NULL, 1)", "UPDATE t SET n = 1.000, f = 0 WHERE id = 10",
        "DELETE FROM t WHERE id IN (2, 9)",
        "DELETE FROM t",
    )
    scenario(made, (KEYED, KEYED_ROWS), query, *steps)


def test_groups_whose_keys_are_equal_but_written_differently(made: Trial) -> None:
    collation = "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
    if not made.can(collation):
        pytest.skip("this server has no ICU")
    setup = (
        "CREATE TABLE t (id int, s text COLLATE blind)",
        "INSERT INTO t VALUES (1, 'Ab'), (2, 'aB'), (3, 'c')",
    )
    steps = ("INSERT INTO t VALUES (4, 'AB')", "DELETE FROM t WHERE id = 1", "UPDATE t SET s = 'C' WHERE id = 2", "DELETE FROM t WHERE s = 'ab'")
    scenario(made, setup, "SELECT count(*), min(id) FROM t GROUP BY s", *steps)


@pytest.mark.parametrize(
    ("type", "values"),
    [
        ("int", ("1", "5", "9")),
        ("text", ("'a'", "'B'", "'ä'")),
        ("timestamptz", ("'epoch'", "'2024-03-31 01:30+00'", "'infinity'")),
        ("numeric", ("1.0", "1.00", "'NaN'")),
        ("int[]", ("'{}'", "'{1}'", "'{1,2}'")),
        ("interval", ("'1 day'", "'25 hours'", "'1 month'")),
    ],
)
def test_the_extreme_leaves_returns_and_has_a_twin(made: Trial, type: str, values: tuple[str, str, str]) -> None:
    low, middle, high = values
    setup = (f"CREATE TABLE t (id int, x {type})", f"INSERT INTO t VALUES (1, {low}), (2, {low}), (3, {middle}), (4, {high})")
    steps = (
        "DELETE FROM t WHERE id = 1",
        "DELETE FROM t WHERE id = 2",
        f"UPDATE t SET x = {middle} WHERE id = 4",
        (f"DELETE FROM t WHERE id = 3", f"INSERT INTO t VALUES (3, {middle})"),
        f"INSERT INTO t VALUES (5, {high}), (6, {low})",
        ("DELETE FROM t WHERE id = 6", f"INSERT INTO t VALUES (7, {low})"),
        "UPDATE t SET x = NULL",
        "DELETE FROM t",
    )
    scenario(made, setup, "SELECT min(x) AS lo, max(x) AS hi, id % 2 AS g FROM t GROUP BY 3", *steps)


def test_aggregates_inside_expressions(made: Trial) -> None:
    query = (
        "SELECT g, 100 * sum(v) / nullif(sum(n), 0) AS percent, CASE WHEN count(*) > 1 THEN min(v) END AS c,"
        " coalesce(sum(v), 0) + 1 AS s, max(v) - min(v) AS span FROM t GROUP BY g"
    )
    steps = ("UPDATE t SET n = 0 WHERE g = 'a'", "INSERT INTO t VALUES (9, 'b', -4, 2)", "DELETE FROM t WHERE id IN (1, 9)", "UPDATE t SET g = 'b'")
    scenario(made, (KEYED, KEYED_ROWS), query, *steps)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT g, sum(v) FROM t GROUP BY g HAVING sum(v) > 3",
        "SELECT g, sum(v) FROM t GROUP BY g HAVING count(*) > 1",
        "SELECT g FROM t GROUP BY g HAVING max(v) < 4",
        "SELECT n FROM t GROUP BY n HAVING count(*) >= 1",
        "SELECT f FROM t GROUP BY f HAVING count(*) >= 1",
        "SELECT sum(v) FROM t GROUP BY g HAVING g IS NOT NULL",
        "SELECT count(*) FROM t GROUP BY g, v HAVING bool_and(v > 1)",
    ],
)
def test_groups_cross_having_both_ways(made: Trial, query: str) -> None:
    steps = (
        "INSERT INTO t VALUES (9, 'a', 5, 1.5, 0.5)",
        "DELETE FROM t WHERE id = 9",
        ("INSERT INTO t VALUES (9, 'b', 5)", "DELETE FROM t WHERE id = 9"),
        "UPDATE t SET v = v + 3",
        "UPDATE t SET v = 0, g = NULL WHERE id < 3",
        "DELETE FROM t WHERE g IS NULL",
    )
    scenario(made, (KEYED, KEYED_ROWS), query, *steps)


# DISTINCT and UNION ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["SELECT DISTINCT a, b FROM k", "SELECT a, b FROM k UNION SELECT a, b FROM k WHERE a = 1"])
def test_a_duplicate_goes_and_a_copy_remains(made: Trial, query: str) -> None:
    steps = (*KEYLESS_STEPS, "UPDATE k SET a = NULL, b = NULL", "DELETE FROM k WHERE ctid <> (SELECT min(ctid) FROM k)", "DELETE FROM k")
    scenario(made, (KEYLESS, KEYLESS_ROWS), query, *steps)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, v FROM t UNION ALL SELECT id, v FROM t",
        "SELECT id, v FROM t UNION ALL SELECT v, id FROM t WHERE v > 1 UNION ALL SELECT 1, 2 FROM t",
        "SELECT v FROM t UNION ALL SELECT n FROM t",
        "SELECT v FROM t UNION SELECT n FROM t UNION ALL SELECT f FROM t",
        "SELECT x FROM (SELECT v AS x FROM t UNION ALL SELECT id FROM t) u WHERE x > 1",
        "SELECT u.x, t.g FROM (SELECT v AS x FROM t UNION ALL SELECT id FROM t) u JOIN t ON t.id = u.x",
        "SELECT x, count(*) FROM (SELECT v AS x FROM t UNION ALL SELECT id FROM t) u GROUP BY x",
        "SELECT g FROM t UNION ALL SELECT NULL FROM t",
        "SELECT g FROM t UNION ALL SELECT 'x' FROM t WHERE v = 1",
    ],
)
def test_branches_of_one_table_do_not_collide(made: Trial, query: str) -> None:
    steps = ("UPDATE t SET v = id", "DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (9, 'z', 4, 4, 4)", "UPDATE t SET v = 9")
    scenario(made, (KEYED, KEYED_ROWS), query, *steps)


# Views and stream tables as sources -----------------------------------------------------------------------


def test_views_over_views(made: Trial) -> None:
    setup = (
        KEYED,
        KEYED_ROWS,
        "CREATE VIEW few AS SELECT id, g, v FROM t WHERE v > 0",
        "CREATE VIEW renamed (key, value) AS SELECT id, v * 2 FROM few",
    )
    query = "SELECT a.key, b.value FROM renamed a JOIN renamed b ON a.value = b.key"
    scenario(made, setup, query, "UPDATE t SET v = 2", "UPDATE t SET v = 0 WHERE id = 4", "UPDATE t SET id = id + 10")


def test_a_view_is_replaced(made: Trial) -> None:
    for statement in (KEYED, KEYED_ROWS, "CREATE VIEW few AS SELECT id, v FROM t WHERE v > 0"):
        must(made, statement)
    table = made.create("st", "SELECT id, v FROM few")
    must(made, "CREATE OR REPLACE VIEW few AS SELECT id, v FROM t WHERE v > 1")
    made.refresh(table, may_be_full=True)
    must(made, "UPDATE t SET v = v + 1")
    made.refresh(table, may_be_full=True)


def test_a_chain_carries_identities_of_its_own(made: Trial) -> None:
    must(made, KEYED)
    must(made, KEYED_ROWS)
    totals = made.create("totals", "SELECT g, sum(v) AS total, count(*) AS n FROM t GROUP BY g")
    big = made.create("big", "SELECT g, total FROM totals WHERE total > 2")
    counts = made.create("counts", "SELECT n, count(*) AS groups FROM totals GROUP BY n")
    diamond = made.create("diamond", "SELECT big.g, counts.groups FROM big JOIN counts ON counts.n = 2")
    for step in (
        "UPDATE t SET v = v + 1",
        "UPDATE t SET g = 'b' WHERE id = 1",
        "DELETE FROM t WHERE g IS NULL",
        "INSERT INTO t VALUES (8, NULL, 8), (9, 'b', 9)",
        "DELETE FROM t",
    ):
        must(made, step)
        for table in (totals, big, counts, diamond):
            made.refresh(table)


def test_an_upstream_full_refresh_reaches_the_reader_differentially(made: Trial) -> None:
    must(made, KEYED)
    must(made, KEYED_ROWS)
    totals = made.create("totals", "SELECT g, sum(v) AS total FROM t GROUP BY g")
    reader = made.create("reader", "SELECT total, g FROM totals")
    must(made, "TRUNCATE t")
    must(made, "INSERT INTO t VALUES (1, 'a', 1), (2, 'c', 2)")
    made.refresh(totals, may_be_full=True)
    assert made.refresh(reader) == "DIFFERENTIAL"
