"""Rows that are filtered, computed and joined, with keys and without.

Lies it would catch: one of several equal rows deleted as all or none; a row that is not there any more
but still joined, or joined twice; a predicate that reads well and means something else.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import pytest
from support.databases import Database

import trickle
from property.scenarios import KEYED, KEYED_ROWS, KEYLESS, KEYLESS_ROWS, KEYLESS_STEPS, must, scenario
from property.trial import Trial

PAIR = (
    "CREATE TABLE l (id int PRIMARY KEY, k int, v int)",
    "CREATE TABLE r (id int PRIMARY KEY, k int, w int)",
    "INSERT INTO l VALUES (1, 1, 10), (2, 1, 20), (3, 2, 30), (4, NULL, 40)",
    "INSERT INTO r VALUES (1, 1, 1), (2, 1, 2), (3, 3, 3), (4, NULL, 4)",
)

# Keyless tables ------------------------------------------------------------------------------------------------


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
        "json[]": ('\'{"[1]","[2]"}\'', "'{}'"),
        "xml": ("'<a/>'", "'<b/>'"),
        "point": ("'(0,0)'", "'(0,1)'"),
        "point[]": ('\'{"(0,0)","(1,1)"}\'', "'{}'"),
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


# Filter and project --------------------------------------------------------------------------------------------


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
    steps = (
        "UPDATE t SET v = 5 - v",
        "UPDATE t SET g = 'b' WHERE g = 'a'",
        "UPDATE t SET g = 'a'",
        "DELETE FROM t WHERE v > 2",
    )
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


# Joins ---------------------------------------------------------------------------------------------------------


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
    steps = (
        "UPDATE e SET boss = id",
        "UPDATE e SET boss = 1, id = id + 10 WHERE id > 1",
        "UPDATE e SET boss = 12",
        "DELETE FROM e WHERE id = 12",
    )
    scenario(made, setup, query, *steps)


def test_null_join_keys_come_and_go(made: Trial) -> None:
    steps = ("UPDATE l SET k = NULL", "UPDATE r SET k = NULL", "UPDATE l SET k = 1", "UPDATE r SET k = 1 WHERE id < 3")
    scenario(made, PAIR, JOIN, *steps)


@pytest.mark.parametrize(
    ("left", "right"),
    [("int", "numeric"), ("text", "varchar(3)"), ("char(3)", "text"), ("bigint", "smallint"), ("float8", "int")],
)
def test_join_keys_of_different_types(made: Trial, left: str, right: str) -> None:
    setup = (
        f"CREATE TABLE l (k {left} PRIMARY KEY, v int)",
        f"CREATE TABLE r (k {right} PRIMARY KEY, w int)",
        "INSERT INTO l VALUES ('1', 1), ('2', 2)",
        "INSERT INTO r VALUES ('1', 1), ('3', 3)",
    )
    steps = (
        "INSERT INTO r VALUES ('2', 2)",
        ("UPDATE l SET k = '3' WHERE k = '1'", "UPDATE r SET w = 9"),
        "DELETE FROM r WHERE w = 9",
    )
    scenario(made, setup, "SELECT l.k, r.k AS other, v, w FROM l JOIN r ON l.k = r.k", *steps)


def test_duplicates_multiply_through_a_join(made: Trial) -> None:
    setup = (
        KEYLESS,
        "INSERT INTO k VALUES (1, 'x'), (1, 'x'), (2, 'y')",
        "CREATE TABLE m (a int)",
        "INSERT INTO m VALUES (1), (1), (1)",
    )
    steps = (
        ("DELETE FROM m WHERE ctid = (SELECT min(ctid) FROM m)", "INSERT INTO k VALUES (1, 'x')"),
        ("INSERT INTO m SELECT * FROM m", "UPDATE k SET a = 1"),
        ("DELETE FROM k WHERE b = 'x'", "DELETE FROM m WHERE ctid = (SELECT min(ctid) FROM m)"),
    )
    scenario(made, setup, "SELECT k.b FROM k JOIN m ON m.a = k.a", *steps)


def test_newlines_and_quotes_in_literals_and_names_stay_as_they_are(db: Database) -> None:
    """Programs are laid out over several lines; what is quoted is not part of the layout."""
    with trickle.connect(db.url) as client:
        conn = client.connection
        conn.execute('CREATE TABLE "o\'b\n""x" (id int PRIMARY KEY, "n\nm" text)')
        query = 'SELECT id, "n\nm" || \'\n tail $__pgt_program$\' AS v FROM "o\'b\n""x" WHERE "n\nm" <> \'a\n  b\''
        client.create_stream_table("lines", query, refresh_mode="DIFFERENTIAL")
        client.create_stream_table(
            "groups",
            f"SELECT v, count(*) AS n, min(id) AS least FROM ({query}) q GROUP BY v",
            refresh_mode="DIFFERENTIAL",
        )
        for value in ("a\n  b", "a\n    b", "a\nb", "c"):
            row = conn.execute('SELECT coalesce(max(id), 0) + 1 FROM "o\'b\n""x"').fetchone()
            assert row is not None
            conn.execute('INSERT INTO "o\'b\n""x" VALUES (%s, %s)', [row[0], value])
            for name in ("lines", "groups"):
                assert client.refresh_stream_table(name).action in ("DIFFERENTIAL", "NO_DATA")
                assert client.verify(name).equal
        assert {client.status(name).program_state for name in ("lines", "groups")} == {"compiled"}
