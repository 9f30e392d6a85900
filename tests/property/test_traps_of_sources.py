"""What the sources are: views, stream tables, partitions, children, triggers, generated columns, roles.

Lies it would catch: a write that reaches a table by another door and is not captured, or captured twice; a
source that was redefined and goes on as before; a writer whose own rights, or search path, decide what is captured.
Oracle: PostgreSQL, evaluating the defining query from nothing at the same snapshot, after every step.
"""

from __future__ import annotations

import pytest
from support.databases import Database

from property.scenarios import GROUPS, KEYED, KEYED_ROWS, must, refreshed, scenario
from property.trial import Trial


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


@refreshed
def test_an_upstream_full_refresh_reaches_the_reader_differentially(made: Trial) -> None:
    must(made, KEYED)
    must(made, KEYED_ROWS)
    totals = made.create("totals", "SELECT g, sum(v) AS total FROM t GROUP BY g")
    reader = made.create("reader", "SELECT total, g FROM totals")
    must(made, "TRUNCATE t")
    must(made, "INSERT INTO t VALUES (1, 'a', 1), (2, 'c', 2)")
    made.refresh(totals, may_be_full=True)
    assert made.refresh(reader) == "DIFFERENTIAL"


PARTS = (
    "CREATE TABLE p (id int, region text, v int, PRIMARY KEY (id, region)) PARTITION BY LIST (region)",
    "CREATE TABLE p_a PARTITION OF p FOR VALUES IN ('a')",
    # Another order of columns, and one that is gone: the layout of a partition is its own.
    "CREATE TABLE p_b (gone int, v int, region text NOT NULL, id int NOT NULL)",
    "ALTER TABLE p_b DROP COLUMN gone",
    "ALTER TABLE p ATTACH PARTITION p_b FOR VALUES IN ('b')",
    "CREATE TABLE p_rest PARTITION OF p DEFAULT",
    "INSERT INTO p VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)",
)


@pytest.mark.parametrize(
    "query", ["SELECT id, region, v FROM p", "SELECT region, sum(v), count(*) FROM p GROUP BY region"]
)
def test_partitions(made: Trial, query: str) -> None:
    scenario(
        made,
        PARTS,
        query,
        "UPDATE p SET region = 'b' WHERE id = 1",
        "INSERT INTO p_b (id, region, v) VALUES (4, 'b', 4)",
        "UPDATE p_b SET v = v + 1",
        "UPDATE p SET region = CASE region WHEN 'b' THEN 'a' ELSE 'b' END, v = v + 1",
        (
            "CREATE TABLE p_d PARTITION OF p FOR VALUES IN ('d')",
            "INSERT INTO p_d VALUES (5, 'd', 5)",
            "ALTER TABLE p_d SET (fillfactor = 90)",
        ),
        "INSERT INTO p VALUES (6, 'd', 6)",
        "TRUNCATE p_d",
        "ALTER TABLE p DETACH PARTITION p_a",
        "INSERT INTO p_a VALUES (9, 'a', 9)",
        "ALTER TABLE p ATTACH PARTITION p_a FOR VALUES IN ('a')",
        "DELETE FROM p_a",
    )


@pytest.mark.parametrize(
    "more", ["", " WHEN NOT MATCHED THEN INSERT VALUES (9, 'a', 9)", " WHEN NOT MATCHED THEN DO NOTHING"]
)
def test_a_merge_moves_rows_between_partitions(made: Trial, more: str) -> None:
    """The server shows its statement triggers nothing of rows that a MERGE moves (15 to 18)."""
    for statement in PARTS:
        must(made, statement)
    table = made.create("st", "SELECT id, region, v FROM p")
    made.connection.execute("SET standard_conforming_strings = off")
    for statement in (
        f"MERGE INTO p USING (VALUES (3)) s (k) ON p.id = s.k WHEN MATCHED THEN UPDATE SET region = 'b'{more}",
        "MERGE INTO p USING (VALUES (1), (2), (7)) s (k) ON p.id = s.k"
        f" WHEN MATCHED THEN UPDATE SET region = 'b'{more}",
        "UPDATE p SET v = 0",
    ):
        must(made, statement)
        made.refresh(table, may_be_full=True)


def test_children_of_a_table(made: Trial) -> None:
    setup = (
        "CREATE TABLE parent (id int PRIMARY KEY, v int)",
        "CREATE TABLE child (extra text) INHERITS (parent)",
        "INSERT INTO parent VALUES (1, 1)",
        "INSERT INTO child VALUES (1, 2, 'x'), (2, 3, 'y')",
    )
    steps = (
        "UPDATE child SET v = 9 WHERE id = 1",
        "INSERT INTO child VALUES (1, 2, 'z')",
        "UPDATE parent SET v = v + 1",
        "DELETE FROM parent WHERE id = 1",
    )
    scenario(made, setup, "SELECT id, v FROM parent", *steps)


def test_triggers_of_the_user_change_and_swallow_rows(made: Trial) -> None:
    body = "BEGIN IF NEW.v < 0 THEN RETURN NULL; END IF; NEW.v := NEW.v * 10; RETURN NEW; END"
    setup = (
        KEYED,
        f"CREATE FUNCTION tenfold() RETURNS trigger LANGUAGE plpgsql AS '{body}'",
        "CREATE TRIGGER aaa BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tenfold()",
        KEYED_ROWS,
    )
    scenario(made, setup, GROUPS, "INSERT INTO t VALUES (8, 'a', 8), (9, 'a', -1)", "UPDATE t SET v = id - 2")


def test_writes_that_other_writes_cause(made: Trial) -> None:
    """Foreign keys that cascade, deferred triggers, data-modifying WITH, upserts that meet themselves."""
    note = "BEGIN INSERT INTO c VALUES (NEW.id + 100, NEW.id); RETURN NULL; END"
    setup = (
        "CREATE TABLE p (id int PRIMARY KEY, v int)",
        "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON UPDATE CASCADE ON DELETE CASCADE)",
        f"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS '{note}'",
        "CREATE CONSTRAINT TRIGGER zzz AFTER INSERT ON p DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION note()",
        "INSERT INTO p VALUES (1, 1), (2, 2)",
        "INSERT INTO c VALUES (1, 1), (2, 1), (3, 2)",
    )
    scenario(
        made,
        setup,
        "SELECT c.id, p.v, p.id AS p FROM c JOIN p ON c.p = p.id",
        "UPDATE p SET id = 10 WHERE id = 1",
        "DELETE FROM p WHERE id = 10",
        "INSERT INTO p VALUES (3, 3), (4, 4)",
        "WITH gone AS (DELETE FROM c WHERE p = 2 RETURNING *), more AS (INSERT INTO p SELECT DISTINCT 50, 5 FROM gone)"
        " UPDATE p SET v = 0",
        "INSERT INTO p VALUES (3, 30), (7, 70) ON CONFLICT (id) DO UPDATE SET v = excluded.v",
    )


def test_rows_that_are_copied_in(made: Trial) -> None:
    must(made, KEYED)
    table = made.create("st", GROUPS)
    with made.connection.cursor() as cursor, cursor.copy("COPY t (id, g, v) FROM STDIN") as copy:
        copy.write("1\ta\t1\n2\ta\t2\n3\t\\N\t\\N\n")
    made.refresh(table)


def test_columns_that_compute_themselves(made: Trial) -> None:
    setup = (
        "CREATE DOMAIN cents AS numeric(8,2) CHECK (VALUE >= 0)",
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int DEFAULT 7, price cents,"
        ' twice int GENERATED ALWAYS AS (a * 2) STORED, __pgt_w int, "__pgt_hash" text)',
        "INSERT INTO t (a, price, __pgt_w) VALUES (1, 1.10, 1), (2, NULL, NULL)",
    )
    steps = (
        "INSERT INTO t DEFAULT VALUES",
        "UPDATE t SET a = a + 1",
        "UPDATE t SET price = 2, __pgt_w = 5",
        "DELETE FROM t WHERE id = 1",
    )
    query = 'SELECT id, twice, sum(price) AS price, max(__pgt_w) AS w, min("__pgt_hash") AS h FROM t GROUP BY id'
    scenario(made, setup, query, *steps)


@refreshed
def test_columns_that_exist_only_when_read(made: Trial) -> None:
    if made.connection.info.server_version < 180000:
        pytest.skip("virtual generated columns came with PostgreSQL 18")
    must(made, "CREATE TABLE t (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) VIRTUAL)")
    must(made, "INSERT INTO t VALUES (1, 1), (2, 2)")
    table = made.create("st", "SELECT id, twice FROM t WHERE twice > 2", compiled=False)
    for step in ("UPDATE t SET a = a + 1", "INSERT INTO t VALUES (3, 3)", "DELETE FROM t WHERE id = 2"):
        must(made, step)
        made.refresh(table, may_be_full=True)


def test_renames_are_followed(made: Trial) -> None:
    must(made, KEYED)
    must(made, KEYED_ROWS)
    table = made.create("st", GROUPS)
    must(made, "ALTER TABLE t RENAME COLUMN v TO value")
    must(made, "ALTER TABLE t RENAME TO renamed")
    must(made, "UPDATE renamed SET value = 5 WHERE id = 1")
    table.query = "SELECT g, count(*), sum(value), min(value), max(value) FROM renamed GROUP BY g"
    made.refresh(table, may_be_full=True)
    must(made, "INSERT INTO renamed VALUES (9, 'b', 9)")
    made.refresh(table, may_be_full=True)


# Who writes -------------------------------------------------------------------------------------------------


def test_an_application_role_needs_no_rights_but_its_own(db: Database, made: Trial) -> None:
    """Nor can its search path put other functions in the place of ours."""
    must(made, KEYED)
    must(made, KEYED_ROWS)
    table = made.create("st", GROUPS)
    clerk = db.create_role()
    must(made, f"GRANT USAGE ON SCHEMA {made.schema} TO {clerk}")
    must(made, f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON {made.schema}.t TO {clerk}")
    must(made, f"CREATE SCHEMA evil AUTHORIZATION {made.connection.info.user}")
    must(made, f"GRANT ALL ON SCHEMA evil TO {clerk}")
    with db.connect_as(clerk) as session:
        session.execute("CREATE FUNCTION evil.nextval(text) RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint'")
        session.execute("CREATE FUNCTION evil.pg_current_xact_id() RETURNS xid8 LANGUAGE sql AS $$SELECT '3'::xid8$$")
        session.execute("CREATE OPERATOR evil.= (leftarg = int, rightarg = int, function = pg_catalog.int4ne)")
        session.execute(f"SET search_path = evil, pg_catalog, {made.schema}".encode())
        for statement in ("INSERT INTO t VALUES (9, 'a', 9)", "UPDATE t SET v = 7", "DELETE FROM t WHERE g = 'b'"):
            session.execute(statement.encode())
            made.refresh(table)
        session.execute("TRUNCATE t")
        made.refresh(table, may_be_full=True)
    must(made, "DROP SCHEMA evil CASCADE")


def test_row_security_hides_nothing_from_the_owner(db: Database, made: Trial) -> None:
    must(made, KEYED)
    must(made, KEYED_ROWS)
    table = made.create("st", GROUPS)
    clerk = db.create_role()
    must(made, f"GRANT USAGE ON SCHEMA {made.schema} TO {clerk}")
    must(made, f"GRANT ALL ON {made.schema}.t TO {clerk}")
    must(made, "ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    must(made, f"CREATE POLICY own ON t TO {clerk} USING (g = 'a')")
    with db.connect_as(clerk) as session:
        session.execute(f"UPDATE {made.schema}.t SET v = v + 1".encode())
        made.refresh(table, may_be_full=True)
        session.execute(f"DELETE FROM {made.schema}.t".encode())
        made.refresh(table, may_be_full=True)


def test_writes_of_a_replication_session_are_captured(db: Database, made: Trial) -> None:
    must(made, KEYED)
    must(made, KEYED_ROWS)
    table = made.create("st", GROUPS)
    with db.superuser() as session:
        session.execute("SET session_replication_role = replica")
        for statement in (
            "INSERT INTO {}.t VALUES (9, 'a', 9)",
            "UPDATE {}.t SET v = 7",
            "DELETE FROM {}.t WHERE id = 1",
            "TRUNCATE {}.t",
        ):
            session.execute(statement.format(made.schema).encode())
            made.refresh(table, may_be_full=True)


def test_writes_while_triggers_were_disabled_are_found_out(made: Trial) -> None:
    must(made, KEYED)
    must(made, KEYED_ROWS)
    table = made.create("st", GROUPS)
    must(made, "ALTER TABLE t DISABLE TRIGGER USER")
    must(made, "UPDATE t SET v = 100")
    made.refresh(table, may_be_full=True)
    must(made, "UPDATE t SET v = 200")
    made.refresh(table, may_be_full=True)
    must(made, "UPDATE t SET v = v + 1")
    assert made.refresh(table, may_be_full=True)


@refreshed
def test_what_changes_without_data_is_refreshed_in_full(made: Trial) -> None:
    must(made, KEYED)
    must(made, KEYED_ROWS)
    table = made.create(
        "st", "SELECT id FROM t WHERE now() > 'epoch'::timestamptz + v * interval '1 day'", compiled=False
    )
    must(made, "UPDATE t SET v = v + 1")
    outcome = made.client.refresh_stream_table(f"{made.schema}.{table.name}")
    assert outcome.action == "FULL" and "now()" in str(outcome.reason)
    made.compare(table)
