"""Refreshing in full, the guards around it, and what is recorded."""

from __future__ import annotations

import pytest
from psycopg import errors
from support.databases import Database

from .conftest import Connection, is_equal, one, outcome


@pytest.fixture
def totals(orders: Connection) -> Connection:
    orders.execute(
        "SELECT pgtrickle.create_stream_table('totals',"
        " 'SELECT customer, sum(amount) AS total, count(*) AS n FROM orders GROUP BY customer')"
    )
    return orders


def test_only_rows_that_differ_are_written(totals: Connection) -> None:
    totals.execute("UPDATE orders SET amount = amount + 1 WHERE customer = 1")
    assert outcome(totals, "totals") == ("FULL", 1, 0, 1, "not compiled yet")
    assert outcome(totals, "totals") == ("NO_DATA", 0, 0, 0, None)
    assert is_equal(totals, "totals")


def test_duplicates_and_nulls_are_a_bag(conn: Connection) -> None:
    conn.execute("CREATE TABLE bag (a int, b text)")
    conn.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT a, b FROM bag')")
    for statement in (
        "INSERT INTO bag VALUES (1, NULL), (1, NULL), (NULL, NULL), (2, 'x'), (2, 'x'), (2, 'x')",
        "DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE a = 2 LIMIT 2)",
        "INSERT INTO bag SELECT * FROM bag",
        "DELETE FROM bag WHERE a IS NULL",
        "DELETE FROM bag",
    ):
        conn.execute(statement.encode())
        assert is_equal(conn, "t")


def test_idle_refreshes_move_the_time_and_nothing_else(totals: Connection) -> None:
    row = "SELECT data_timestamp, last_refresh_at FROM pgtrickle.pgt_stream_tables"
    before = totals.execute(row).fetchone()
    totals.execute("SELECT pgtrickle.refresh_stream_table('totals')")
    after = totals.execute(row).fetchone()
    assert before is not None and after is not None
    assert after[0] == before[0] and after[1] > before[1]
    assert one(totals, "SELECT count(*) FROM pgtrickle.pgt_refresh_history") == 1


def test_history(totals: Connection) -> None:
    totals.execute("DELETE FROM orders WHERE customer = 2")
    totals.execute("SELECT pgtrickle.refresh_stream_table('totals')")
    history = totals.execute(
        "SELECT action, status, rows_inserted, rows_deleted, reason, initiated_by"
        " FROM pgtrickle.get_refresh_history('totals')"
    ).fetchall()
    assert history == [
        ("FULL", "COMPLETED", 0, 1, "not compiled yet", "MANUAL"),
        ("FULL", "COMPLETED", 3, 0, "first fill", "INITIAL"),
    ]
    row = totals.execute(
        "SELECT effective_refresh_mode, is_populated, consecutive_errors, stale, frontier IS NOT NULL"
        " FROM pgtrickle.stream_tables_info"
    ).fetchone()
    assert row == ("FULL", True, 0, None, True)


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO totals VALUES (9, 9, 9)", "UPDATE totals SET n = 0", "DELETE FROM totals", "TRUNCATE totals",
     "COPY totals FROM STDIN"],
)  # fmt: skip
def test_direct_writes_are_refused(totals: Connection, statement: str) -> None:
    with pytest.raises(errors.WrongObjectType) as caught:
        if statement.startswith("COPY"):
            with totals.cursor() as cursor, cursor.copy(statement.encode()) as copy:
                copy.write("9\t9\t9\n")
        else:
            totals.execute(statement.encode())
    assert caught.value.diag.message_hint
    assert is_equal(totals, "totals")


def test_not_in_a_trigger(totals: Connection) -> None:
    totals.execute(
        "CREATE FUNCTION refresh_now() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pgtrickle.refresh_stream_table('totals'); RETURN NULL; END $$"
    )
    totals.execute("CREATE TRIGGER now AFTER INSERT ON orders EXECUTE FUNCTION refresh_now()")
    with pytest.raises(errors.ObjectNotInPrerequisiteState):
        totals.execute("INSERT INTO orders VALUES (10)")


@pytest.mark.parametrize(
    "statement",
    [
        "WITH x AS (INSERT INTO orders VALUES (20) RETURNING id)"
        " SELECT pgtrickle.refresh_stream_table('totals') FROM x",
        "INSERT INTO orders VALUES (20) RETURNING pgtrickle.refresh_stream_table('totals')",
        "DO $$ BEGIN UPDATE orders SET amount = 0 WHERE pgtrickle.refresh_stream_table('totals') IS NOT NULL; END $$",
    ],
)
def test_not_within_a_writing_statement(totals: Connection, statement: str) -> None:
    with pytest.raises(errors.ObjectNotInPrerequisiteState), totals.transaction():
        totals.execute("INSERT INTO orders VALUES (10)")
        totals.execute(statement.encode())
    assert is_equal(totals, "totals")


def test_within_the_writers_transaction(totals: Connection) -> None:
    """A transaction's own later writes are new, although its snapshot shows the transaction as done."""
    with totals.transaction():
        totals.execute("INSERT INTO orders VALUES (10, 1, 5)")
        totals.execute("SELECT pgtrickle.refresh_stream_table('totals')")
        totals.execute("INSERT INTO orders VALUES (11, 1, 5)")
    assert one(totals, "SELECT has_changes FROM pgtrickle.pending()")
    assert is_equal(totals, "totals")


def test_a_late_commit_is_seen(db: Database, totals: Connection) -> None:
    with db.connect(autocommit=False) as late:
        late.execute("INSERT INTO orders VALUES (10, 1, 5)")
        totals.execute("INSERT INTO orders VALUES (11, 1, 5)")
        outcome(totals, "totals")
        assert not one(totals, "SELECT has_changes FROM pgtrickle.pending()")
        late.commit()
    assert one(totals, "SELECT has_changes FROM pgtrickle.pending()")
    assert is_equal(totals, "totals")


def test_a_prepared_transaction_is_seen_when_it_commits(totals: Connection) -> None:
    totals.execute("BEGIN")
    totals.execute("INSERT INTO orders VALUES (10, 1, 5)")
    totals.execute(f"PREPARE TRANSACTION '{totals.info.dbname}'".encode())
    outcome(totals, "totals")
    totals.execute(f"COMMIT PREPARED '{totals.info.dbname}'".encode())
    assert outcome(totals, "totals")[0] == "FULL"
    assert is_equal(totals, "totals")


def test_other_isolation_levels_are_refused_unless_a_unit_opened_them(totals: Connection) -> None:
    for level in ("REPEATABLE READ", "SERIALIZABLE"):
        with pytest.raises(errors.ActiveSqlTransaction), totals.transaction():
            totals.execute(f"SET TRANSACTION ISOLATION LEVEL {level}".encode())
            totals.execute("SELECT pgtrickle.refresh_stream_table('totals')")
    totals.execute("INSERT INTO orders VALUES (10, 1, 5)")
    with totals.transaction():
        totals.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        totals.execute("LOCK TABLE orders IN ACCESS SHARE MODE")
        totals.execute("SELECT set_config('pg_trickle.unit', 'on', true)")
        assert outcome(totals, "totals")[0] == "FULL"
        assert one(totals, "SELECT equal AND NOT pending FROM pgtrickle.verify('totals')")


def test_a_failing_refresh_changes_nothing(orders: Connection) -> None:
    orders.execute(
        "SELECT pgtrickle.create_stream_table('t',"
        " 'SELECT id, 10 / customer AS q FROM orders WHERE customer > 0 OR amount < 0')"
    )
    before = orders.execute("SELECT snapshot::text, own_seq FROM pgtrickle.pgt_frontiers").fetchall()
    orders.execute("UPDATE orders SET amount = -1 WHERE id = 3")
    with pytest.raises(errors.DivisionByZero):
        orders.execute("SELECT pgtrickle.refresh_stream_table('t')")
    assert orders.execute("SELECT snapshot::text, own_seq FROM pgtrickle.pgt_frontiers").fetchall() == before
    orders.execute("SELECT pgtrickle._record_failure(1, now(), '22012', 'division by zero', 'SCHEDULER')")
    assert one(orders, "SELECT status FROM pgtrickle.pgt_status()") == "ERROR"
    with pytest.raises(errors.InvalidParameterValue, match="error"):
        orders.execute("SELECT pgtrickle.refresh_stream_table('t')")
    orders.execute("UPDATE orders SET amount = 1 WHERE id = 3")
    orders.execute("SELECT pgtrickle.resume_stream_table('t')")
    assert is_equal(orders, "t")


def test_passing_failures_suspend_after_too_many(totals: Connection) -> None:
    for _ in range(3):
        totals.execute("SELECT pgtrickle._record_failure(1, now(), '55P03', 'lock timeout', 'SCHEDULER')")
    assert one(totals, "SELECT status FROM pgtrickle.pgt_status()") == "SUSPENDED"
    totals.execute("SELECT pgtrickle.resume_stream_table('totals')")
    with pytest.raises(errors.InvalidParameterValue):
        totals.execute("SELECT pgtrickle.resume_stream_table('totals')")


def test_a_chain(totals: Connection) -> None:
    totals.execute("SELECT pgtrickle.create_stream_table('grand', 'SELECT sum(total) AS s, count(*) AS n FROM totals')")
    totals.execute("INSERT INTO orders VALUES (10, 7, 5)")
    assert outcome(totals, "grand")[0] == "NO_DATA"
    assert outcome(totals, "totals")[0] == "FULL"
    assert outcome(totals, "grand")[0] == "FULL"
    assert is_equal(totals, "grand")
    assert one(totals, "SELECT source_type FROM pgtrickle.list_sources('grand')") == "STREAM_TABLE"


def test_a_query_that_reads_the_clock_is_always_refreshed(orders: Connection) -> None:
    orders.execute(
        "SELECT pgtrickle.create_stream_table('t',"
        " 'SELECT id, clock_at FROM (SELECT id, now() AS clock_at FROM orders) x')"
    )
    assert outcome(orders, "t")[0] == "FULL"


def test_materialized_views_are_polled(orders: Connection) -> None:
    orders.execute("CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM orders")
    orders.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT n FROM m')")
    orders.execute("DELETE FROM orders")
    orders.execute("REFRESH MATERIALIZED VIEW m")
    assert outcome(orders, "t")[0] == "FULL"
    assert one(orders, "SELECT n FROM t") == 0


def test_switched_off_triggers_are_repaired_and_answered_in_full(totals: Connection) -> None:
    totals.execute('ALTER TABLE orders DISABLE TRIGGER " pgt_capture_insert"')
    totals.execute("INSERT INTO orders VALUES (10, 1, 5)")
    totals.execute('ALTER TABLE orders ENABLE TRIGGER " pgt_capture_insert"')
    assert one(totals, "SELECT has_changes FROM pgtrickle.pending()")
    action, *_, reason = outcome(totals, "totals")
    assert action == "FULL" and "capture triggers" in reason
    totals.execute('DROP TRIGGER " pgt_capture_delete" ON orders')
    totals.execute("DELETE FROM orders WHERE id = 10")
    action, *_, reason = outcome(totals, "totals")
    assert action == "FULL" and "missing" in reason
    totals.execute("DELETE FROM orders WHERE id = 9")
    assert is_equal(totals, "totals")


def test_irrelevant_changes_of_a_source_are_forgotten(totals: Connection) -> None:
    totals.execute("COMMENT ON TABLE orders IS 'x'")
    totals.execute("GRANT SELECT ON orders TO PUBLIC")
    totals.execute("CREATE INDEX ON orders (note)")
    assert outcome(totals, "totals") == ("NO_DATA", 0, 0, 0, None)
    assert not one(totals, "SELECT has_changes FROM pgtrickle.pending()")


def test_a_replaced_function_is_noticed(orders: Connection) -> None:
    orders.execute("CREATE FUNCTION tax(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2'")
    orders.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id, tax(amount) AS tax FROM orders')")
    orders.execute("CREATE OR REPLACE FUNCTION tax(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 3'")
    assert "function" in outcome(orders, "t")[4]
    assert is_equal(orders, "t")


def test_a_dropped_source_is_named(totals: Connection) -> None:
    with pytest.raises(errors.DependentObjectsStillExist):
        totals.execute("DROP TABLE orders")
    totals.execute("DROP TABLE orders CASCADE")
    with pytest.raises(errors.UndefinedTable, match=r"public\.orders") as caught:
        totals.execute("SELECT pgtrickle.refresh_stream_table('totals')")
    assert "alter_stream_table" in str(caught.value.diag.message_hint)
    assert one(totals, "SELECT count(*) FROM totals") == 3
    totals.execute("CREATE TABLE orders (customer int, amount numeric)")
    totals.execute(
        "SELECT pgtrickle.alter_stream_table('totals',"
        " 'SELECT customer, sum(amount) AS total, count(*) AS n FROM orders GROUP BY customer')"
    )
    assert is_equal(totals, "totals")
