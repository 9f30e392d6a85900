"""What a statement can do to the sources of IMMEDIATE stream tables, looked at inside its transaction.

Lies it would catch: a statement that writes two sources and is counted before both are captured; a change that
survives a rollback, or is counted again after one; a cascade, a nested trigger or a partition that is written without
anybody noticing; a reader of two stream tables that meets only one of their changes.
Oracle: PostgreSQL, which evaluates the defining query in the same statement that reads the stream table.
"""

from __future__ import annotations

import psycopg
import pytest

from property.conftest import Play
from property.scenarios import must
from property.trial import Trial

PARENTS = (
    "CREATE TABLE p (id int PRIMARY KEY, g text, v int)",
    "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE, w int)",
    "CREATE TABLE n (id int PRIMARY KEY, p int REFERENCES p ON DELETE SET NULL ON UPDATE CASCADE, w int)",
    "CREATE TABLE gc (id int PRIMARY KEY, c int REFERENCES c ON DELETE CASCADE)",
    "CREATE TABLE tree (id int PRIMARY KEY, up int REFERENCES tree ON DELETE CASCADE)",
    "INSERT INTO p SELECT i, 'g' || i % 3, i FROM generate_series(1, 9) i",
    "INSERT INTO c SELECT i, 1 + i % 9, i FROM generate_series(1, 30) i",
    "INSERT INTO n SELECT i, 1 + i % 9, i FROM generate_series(1, 15) i",
    "INSERT INTO gc SELECT i, 1 + i % 30, FROM generate_series(1, 40) i".replace(", FROM", " FROM"),
    "INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, 1), (6, NULL)",
)
QUERIES = {
    "groups": "SELECT p.g, count(*) AS n, sum(c.w) AS s FROM p JOIN c ON c.p = p.id GROUP BY p.g",
    "rows": "SELECT p.id, c.id AS c, n.id AS n FROM p JOIN c ON c.p = p.id JOIN n ON n.p = p.id",
    "left": "SELECT p.id, c.w FROM p LEFT JOIN c ON c.p = p.id",
    "deep": "SELECT p.g, count(gc.id) AS n FROM p JOIN c ON c.p = p.id LEFT JOIN gc ON gc.c = c.id GROUP BY p.g",
    "trees": "SELECT a.up, count(*) AS n, max(b.id) AS most FROM tree a JOIN tree b ON b.up = a.id GROUP BY a.up",
    "lonely": "SELECT id FROM p WHERE NOT EXISTS (SELECT FROM c WHERE c.p = p.id)",
    # Chains and diamonds: each of these reads the ones above, two of them also a table.
    "sizes": "SELECT n, count(*) AS groups FROM groups GROUP BY n",
    "both": "SELECT groups.g, groups.n, deep.n AS deep FROM groups JOIN deep ON deep.g = groups.g",
    "mixed": "SELECT p.id, groups.s FROM p JOIN groups ON groups.g = p.g",
}
STATEMENTS = {
    "rows": "INSERT INTO c SELECT 100 + i, 1 + i % 9, i FROM generate_series(1, 5) i",
    "no rows": "UPDATE p SET v = 0 WHERE false",
    "nothing changed": "UPDATE c SET w = w",
    "an unread column": "UPDATE p SET v = v + 1",
    "a group moves": "UPDATE p SET g = 'other' WHERE id < 4",
    "delete, cascading twice": "DELETE FROM p WHERE id IN (1, 2)",
    "update, cascading": "UPDATE p SET id = id + 100 WHERE id > 6",
    "cascades within a table": "DELETE FROM tree WHERE id = 1",
    "two tables at once": "WITH one AS (INSERT INTO p VALUES (50, 'new', 1) RETURNING id)"
    " INSERT INTO c SELECT 500, 50, 1 FROM one WHERE false",
    "two sides of a join at once": "WITH one AS (UPDATE p SET g = 'both' WHERE id < 5 RETURNING id),"
    " two AS (UPDATE c SET w = w + 1, p = 3 WHERE p < 5 RETURNING 1), three AS (DELETE FROM n WHERE w < 6 RETURNING 1)"
    " SELECT count(*) FROM one, two, three",
    "one table twice": "WITH one AS (INSERT INTO tree VALUES (70, 6)) INSERT INTO tree VALUES (71, 6)",
    "merge": "MERGE INTO c USING (VALUES (1, 7), (2, 8), (900, 9)) s (id, w) ON c.id = s.id"
    " WHEN MATCHED AND s.w = 8 THEN DELETE WHEN MATCHED THEN UPDATE SET w = s.w"
    " WHEN NOT MATCHED THEN INSERT VALUES (s.id, 5, s.w)",
    "on conflict": "INSERT INTO c VALUES (1, 4, 3), (901, 4, 3) ON CONFLICT (id) DO UPDATE SET p = 6, w = 77",
    "copy": "COPY c FROM PROGRAM",
    "a rolled back part": "DO $$ BEGIN INSERT INTO c VALUES (950, 4, 1); BEGIN DELETE FROM p WHERE id = 3;"
    " INSERT INTO c VALUES (950, 4, 1); EXCEPTION WHEN unique_violation THEN NULL; END;"
    " UPDATE c SET w = 1000 WHERE id = 950; END $$",
    "truncate": "TRUNCATE tree",
    "truncate, cascading": "TRUNCATE p CASCADE",
    "refilled": "INSERT INTO p VALUES (1, 'again', 1)",
}


@pytest.fixture
def family(played: Play) -> Trial:
    made = played("IMMEDIATE")
    for statement in PARENTS:
        must(made, statement)
    for name, query in QUERIES.items():
        made.create(name, query)
    return made


def compare_all(made: Trial) -> None:
    for table in made.stream_tables:
        made.compare(table)


def do(made: Trial, name: str) -> None:
    if name == "copy":
        with made.connection.cursor() as cursor, cursor.copy("COPY c FROM STDIN") as copy:
            copy.write("910\t3\t4\n911\t\\N\t4\n")
    else:
        must(made, STATEMENTS[name])


def test_each_statement_in_a_transaction_of_its_own(family: Trial) -> None:
    for name in STATEMENTS:
        do(family, name)
        compare_all(family)


def test_all_statements_in_one_transaction(family: Trial) -> None:
    with family.connection.transaction():
        for name in STATEMENTS:
            do(family, name)
            compare_all(family)
    compare_all(family)


def test_rolled_back_to_savepoints_and_done_again(family: Trial) -> None:
    before = [family.connection.execute(f"TABLE {t.sql}".encode()).fetchall() for t in family.stream_tables]
    with family.connection.transaction(force_rollback=True):
        for name in STATEMENTS:
            with family.connection.transaction(force_rollback=True):
                do(family, name)
                compare_all(family)
            compare_all(family)
            do(family, name)
            compare_all(family)
    after = [family.connection.execute(f"TABLE {t.sql}".encode()).fetchall() for t in family.stream_tables]
    assert [sorted(rows, key=repr) for rows in before] == [sorted(rows, key=repr) for rows in after]


def test_a_prepared_transaction(family: Trial) -> None:
    for end in ("ROLLBACK", "COMMIT"):
        must(family, "BEGIN")
        do(family, "two sides of a join at once")
        do(family, "delete, cascading twice")
        must(family, "PREPARE TRANSACTION 'immediate'")
        compare_all(family)
        must(family, f"{end} PREPARED 'immediate'")
        compare_all(family)


NESTED = (
    "CREATE FUNCTION also() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN"
    " INSERT INTO c VALUES (2000 + NEW.id, NEW.id, 1); RETURN NULL; END $$",
    "CREATE FUNCTION then_also() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN"
    " UPDATE p SET g = g || '!' WHERE id = 3 AND g NOT LIKE '%!!!'; RETURN NULL; END $$",
)


@pytest.mark.parametrize(
    "trigger",
    [
        "CREATE TRIGGER mine AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION also()",
        "CREATE TRIGGER mine AFTER INSERT ON p FOR EACH STATEMENT EXECUTE FUNCTION then_also()",
        'CREATE TRIGGER "  first" AFTER INSERT ON p FOR EACH STATEMENT EXECUTE FUNCTION then_also()',
        "CREATE TRIGGER mine BEFORE INSERT ON p FOR EACH STATEMENT EXECUTE FUNCTION then_also()",
        "CREATE CONSTRAINT TRIGGER mine AFTER INSERT ON p DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION also()",
        # A trigger of the user's on a stream table writes what that stream table reads.
        "CREATE TRIGGER mine AFTER INSERT OR UPDATE ON groups FOR EACH STATEMENT EXECUTE FUNCTION then_also()",
        "CREATE TRIGGER mine AFTER INSERT OR UPDATE ON sizes FOR EACH STATEMENT EXECUTE FUNCTION then_also()",
    ],
)
def test_triggers_that_write(family: Trial, trigger: str) -> None:
    for statement in (*NESTED, trigger):
        must(family, statement)
    for statement in (
        "INSERT INTO p VALUES (60, 'x', 1), (61, 'g1', 1)",
        "UPDATE p SET g = 'g2' WHERE id = 60",
        "DELETE FROM p WHERE id = 61",
        "INSERT INTO c VALUES (3000, 3, 1)",
    ):
        must(family, statement)
        compare_all(family)


def test_a_function_that_writes_within_a_statement_that_writes(family: Trial) -> None:
    must(
        family,
        "CREATE FUNCTION add_c(k int) RETURNS int LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN"
        " INSERT INTO c VALUES (k, 1, k); RETURN k; END $$",
    )
    for statement in (
        "INSERT INTO p SELECT add_c(700 + i), 'f', i FROM generate_series(1, 3) i",
        "WITH one AS (INSERT INTO p VALUES (800, 'f', 1) RETURNING id) SELECT add_c(id) FROM one",
        "UPDATE p SET v = add_c(id + 5000) WHERE id < 3",
        "SELECT add_c(9000), add_c(9001)",
    ):
        must(family, statement)
        compare_all(family)


def test_partitions(played: Play) -> None:
    made = played("IMMEDIATE")
    for statement in (
        "CREATE TABLE m (id int, k text, v int) PARTITION BY LIST (k)",
        "CREATE TABLE m_a PARTITION OF m FOR VALUES IN ('a')",
        "CREATE TABLE m_b PARTITION OF m FOR VALUES IN ('b') PARTITION BY RANGE (id)",
        "CREATE TABLE m_b1 PARTITION OF m_b FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE m_b2 PARTITION OF m_b FOR VALUES FROM (10) TO (20)",
        "INSERT INTO m SELECT i, CASE i % 2 WHEN 0 THEN 'a' ELSE 'b' END, i FROM generate_series(1, 15) i",
    ):
        must(made, statement)
    made.create("st", "SELECT k, count(*) AS n, sum(v) AS s FROM m GROUP BY k")
    for statement in (
        "INSERT INTO m VALUES (3, 'a', 1), (4, 'b', 1), (14, 'b', 1)",
        "INSERT INTO m_b2 VALUES (15, 'b', 100)",
        "UPDATE m_b SET id = id + 10 WHERE id < 5",
        "UPDATE m SET k = 'a' WHERE id = 15",
        "DELETE FROM m_a WHERE v > 8",
        "MERGE INTO m USING (VALUES (2)) s (id) ON m.id = s.id WHEN MATCHED THEN UPDATE SET k = 'b', id = 7",
        "TRUNCATE m_b1",
        "TRUNCATE m",
        "INSERT INTO m_a VALUES (1, 'a', 1)",
    ):
        must(made, statement)
        compare_all(made)


def test_a_session_that_replays_changes(family: Trial, superuser: psycopg.Connection[object]) -> None:
    superuser.execute(f"SET search_path = {family.schema}".encode())
    with superuser.transaction():
        superuser.execute("SET LOCAL session_replication_role = replica")
        superuser.execute("UPDATE c SET w = w + 1, p = 2 WHERE id < 9")
        superuser.execute("DELETE FROM tree WHERE id = 4")
        superuser.execute("TRUNCATE gc")
    compare_all(family)


@pytest.mark.parametrize("name", ["_statement_begins", "_settle_statement"])
def test_the_comparison_notices_when_the_mechanism_is_off(family: Trial, name: str) -> None:
    """Counting a statement's beginning only once, or settling nothing: some statement goes wrong."""
    text = family.connection.execute(
        "SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.proname = %s", (name,)
    ).fetchone()
    assert text is not None
    off = {
        "_statement_begins": ("state[1] := state[1] + 1;", "NULL;"),
        "_settle_statement": ("FOR round IN 1..most_rounds LOOP", "RETURN; FOR round IN 1..most_rounds LOOP"),
    }[name]
    assert off[0] in text[0]
    family.connection.execute(text[0].replace(*off).encode())
    with pytest.raises((AssertionError, psycopg.Error)):
        for statement in STATEMENTS:
            do(family, statement)
            compare_all(family)
