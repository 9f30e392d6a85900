"""The surface of IMMEDIATE: how it is asked for, what it refuses, who may write, what DDL and mode changes do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors
from support.databases import Database

import trickle
from trickle.catalog.install import compile_and_install
from trickle.errors import DefinitionError

from .conftest import Connection, one, outcome

GROUPS = "SELECT customer, count(*) AS n, sum(amount) AS total FROM orders GROUP BY customer"


@pytest.fixture
def client(db: Database) -> Iterator[trickle.Client]:
    with trickle.connect(db.url) as opened:
        yield opened


@pytest.fixture
def st(orders: Connection, client: trickle.Client) -> Connection:
    """`orders`, and a stream table `st` of its groups, IMMEDIATE and compiled."""
    client.create_stream_table("st", GROUPS, refresh_mode="IMMEDIATE")
    return orders


def catalog(conn: Connection, columns: str, name: str = "st") -> tuple[object, ...] | None:
    return conn.execute(
        f"SELECT {columns} FROM pgtrickle.stream_tables_info WHERE pgt_name = %s".encode(), (name,)
    ).fetchone()


def is_equal(conn: Connection, name: str) -> bool:
    """Compare a stream table with its query as they are, without refreshing it."""
    found = conn.execute(
        "SELECT defining_query, (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
        " WHERE attrelid = pgt_relid AND attnum > 0 AND NOT attisdropped AND attname NOT LIKE '\\_\\_pgt\\_%%')"
        " FROM pgtrickle.pgt_stream_tables WHERE pgt_name = %s",
        (name,),
    ).fetchone()
    assert found is not None
    asked, stored = f"SELECT * FROM ({found[0].rstrip(';')}) q", f"SELECT {found[1]} FROM {name}"
    differences = f"({asked} EXCEPT ALL {stored}) UNION ALL ({stored} EXCEPT ALL {asked})"
    return not conn.execute(differences.encode()).fetchall()


def triggers(conn: Connection) -> int:
    return int(one(conn, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE ' pgt\\_immediate%%'"))


# Asking for it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["schedule => 'IMMEDIATE'", "refresh_mode => 'immediate'", "'5s', 'IMMEDIATE'"])
def test_it_is_asked_for_as_a_mode_or_as_a_schedule(orders: Connection, asked: str) -> None:
    notices: list[str] = []
    orders.add_notice_handler(lambda said: notices.append(said.message_primary or ""))
    orders.execute(f"SELECT pgtrickle.create_stream_table('st', $${GROUPS}$$, {asked})".encode())
    assert catalog(orders, "refresh_mode, schedule") == ("IMMEDIATE", None)
    assert "stream table public.st has no program yet" in notices
    orders.execute("UPDATE orders SET amount = 100 WHERE id = 1")
    assert is_equal(orders, "st")
    assert catalog(orders, "effective_refresh_mode") == ("FULL",)


def test_a_worker_compiles_what_was_made_in_sql(orders: Connection) -> None:
    orders.execute("SELECT pgtrickle.create_stream_table('st', %s, refresh_mode => 'IMMEDIATE')", (GROUPS,))
    pgt_id = one(orders, "SELECT pgt_id FROM pgtrickle.pgt_stream_tables")
    assert compile_and_install(orders, pgt_id).state == "compiled"
    before = one(orders, "SELECT count(*) FROM pgtrickle.pgt_refresh_history")
    orders.execute("UPDATE orders SET amount = 100 WHERE id = 1")
    assert is_equal(orders, "st")
    assert one(orders, "SELECT count(*) FROM pgtrickle.pgt_refresh_history") == before, "nothing was recomputed"


def test_status_says_that_it_never_lags(st: Connection, client: trickle.Client) -> None:
    st.execute("INSERT INTO orders VALUES (20, 1, 5)")
    status = client.status("st")
    assert (status.refresh_mode, status.effective_refresh_mode, status.schedule) == ("IMMEDIATE", "IMMEDIATE", None)
    assert status.staleness is not None and status.staleness.total_seconds() == 0
    assert one(st, "SELECT staleness::text FROM pgtrickle.pgt_status()") == "00:00:00"
    assert one(st, "SELECT count(*) FROM pgtrickle.pending() WHERE has_changes") == 0
    assert client.verify("st").equal
    assert "pg_trickle.counts" in (client.explain("st")["delta_query"] or "")


def test_a_refresh_finds_nothing_to_do(st: Connection, client: trickle.Client) -> None:
    st.execute("INSERT INTO orders VALUES (20, 1, 5)")
    assert client.refresh_stream_table("st").action == "NO_DATA"
    assert client.refresh_stream_table("st", full=True).action == "FULL"
    assert catalog(st, "effective_refresh_mode") == ("IMMEDIATE",)
    assert is_equal(st, "st")


def test_what_has_no_delta_rule_is_refused_and_leaves_nothing(orders: Connection, client: trickle.Client) -> None:
    query = "SELECT id, customer FROM orders WHERE note > current_setting('pg_trickle.least', true)"
    with pytest.raises(DefinitionError, match="unsupported operator for IMMEDIATE mode"):
        client.create_stream_table("st", query, refresh_mode="IMMEDIATE")
    assert one(orders, "SELECT to_regclass('st') IS NULL") and triggers(orders) == 0


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT id, random() AS r FROM orders", "0A000"),
        ("SELECT id FROM orders WHERE now() > ''2000-01-01''", "0A000"),
        ("SELECT id FROM orders WHERE customer < most()", "0A000"),
        ("SELECT x FROM seen", "0A000"),
    ],
)
def test_what_changes_without_a_write_is_refused(orders: Connection, query: str, code: str) -> None:
    orders.execute("CREATE MATERIALIZED VIEW seen AS SELECT 1 AS x")
    orders.execute("CREATE FUNCTION most() RETURNS int STABLE LANGUAGE sql AS 'SELECT max(x) FROM seen'")
    with pytest.raises(psycopg.Error) as caught:
        orders.execute(f"SELECT pgtrickle.create_stream_table('st', '{query}', refresh_mode => 'IMMEDIATE')".encode())
    assert caught.value.sqlstate == code
    assert triggers(orders) == 0


def test_unfilled_it_waits_for_its_first_refresh(orders: Connection) -> None:
    orders.execute(
        "SELECT pgtrickle.create_stream_table('st', %s, refresh_mode => 'IMMEDIATE', initialize => false)", (GROUPS,)
    )
    orders.execute("INSERT INTO orders VALUES (20, 1, 5)")
    assert one(orders, "SELECT count(*) FROM st") == 0
    assert outcome(orders, "st")[0] == "FULL"
    assert is_equal(orders, "st")


# Who writes -------------------------------------------------------------------------------------------------


def test_an_application_without_rights_on_our_schemas_may_write(db: Database, st: Connection) -> None:
    clerk = db.create_role()
    st.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO {clerk}".encode())
    with db.connect_as(clerk) as application:
        application.execute("CREATE TEMPORARY TABLE orders_seen (x int)")
        application.execute("SET search_path = pg_temp, public")
        application.execute("INSERT INTO orders VALUES (30, 2, 7)")
        application.execute("UPDATE orders SET customer = 3 WHERE id = 30")
        with pytest.raises(errors.InsufficientPrivilege):
            application.execute("SELECT * FROM st")
        with pytest.raises(errors.InsufficientPrivilege):
            application.execute("SELECT pgtrickle._settle_statement(0, '{1}')")
    assert is_equal(st, "st")


def test_a_stream_table_is_still_not_written_directly(st: Connection) -> None:
    with pytest.raises(errors.WrongObjectType):
        st.execute("DELETE FROM st")
    with pytest.raises(errors.WrongObjectType), st.transaction():
        st.execute("INSERT INTO orders VALUES (20, 1, 5)")
        st.execute("DELETE FROM st")
    assert is_equal(st, "st")


def test_an_expression_that_fails_refuses_the_write(orders: Connection, client: trickle.Client) -> None:
    client.create_stream_table(
        "st", "SELECT id, 100 / customer AS part FROM orders WHERE id > 3 AND customer > 0", refresh_mode="IMMEDIATE"
    )
    client.create_stream_table("bad", "SELECT id, 100 / (customer + 5) AS part FROM orders", refresh_mode="IMMEDIATE")
    with pytest.raises(errors.DivisionByZero):
        orders.execute("INSERT INTO orders VALUES (20, -5)")
    assert one(orders, "SELECT count(*) FROM orders WHERE id = 20") == 0
    orders.execute("INSERT INTO orders VALUES (20, 5)")
    assert is_equal(orders, "st") and is_equal(orders, "bad")


def test_a_pair_that_the_query_never_meets_may_fail(orders: Connection, client: trickle.Client) -> None:
    """One statement changes both sides: the old row of one beside the new row of the other divides by zero."""
    orders.execute("CREATE TABLE rate (customer int PRIMARY KEY, less int)")
    orders.execute("INSERT INTO rate VALUES (1, 100)")
    client.create_stream_table(
        "st",
        "SELECT o.id, 10 / (o.amount - r.less) AS part FROM orders o JOIN rate r USING (customer)",
        refresh_mode="IMMEDIATE",
    )
    orders.execute(
        "WITH moved AS (UPDATE orders SET amount = amount + 1000 WHERE customer = 1)"
        " UPDATE rate SET less = 4 WHERE customer = 1"
    )
    assert is_equal(orders, "st")


# Isolation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [psycopg.IsolationLevel.REPEATABLE_READ, psycopg.IsolationLevel.SERIALIZABLE])
def test_one_source_may_be_written_with_an_old_snapshot(
    db: Database, st: Connection, level: psycopg.IsolationLevel
) -> None:
    with db.connect(autocommit=False) as other:
        other.isolation_level = level
        other.execute("SELECT count(*) FROM orders")
        st.execute("INSERT INTO orders VALUES (20, 77, 5)")
        other.execute("INSERT INTO orders VALUES (21, 1, 5)")
        other.commit()
        other.execute("SELECT count(*) FROM orders")
        st.execute("INSERT INTO orders VALUES (22, 1, 5), (23, 88, 5)")
        for key, customer in ((24, 1), (25, 88)):
            with pytest.raises(errors.SerializationFailure):
                other.execute("INSERT INTO orders VALUES (%s, %s, 5)", (key, customer))
            other.rollback()
            other.execute("SELECT count(*) FROM orders")
            st.execute("UPDATE orders SET amount = 6 WHERE id IN (22, 23)")
        other.rollback()
    assert is_equal(st, "st")


MORE = "SELECT pgtrickle.create_stream_table('{}', 'SELECT id FROM orders', refresh_mode => 'IMMEDIATE')"


@pytest.mark.parametrize(
    ("before", "then"),
    [
        ((), (MORE.format("more"),)),
        ((MORE.format("one"),), (MORE.format("more"),)),
        (
            (MORE.format("more").replace("'IMMEDIATE'", "'IMMEDIATE', initialize => false"),),
            ("SELECT pgtrickle.refresh_stream_table('more')",),
        ),
        (
            (MORE.format("more"), MORE.format("one")),
            ("SELECT pgtrickle.alter_stream_table('more', refresh_mode => 'DIFFERENTIAL')",),
        ),
    ],
    ids=["the first reader comes", "another reader comes", "it is filled", "it is no more immediate"],
)
def test_what_came_after_an_old_snapshot_is_a_conflict(
    db: Database, orders: Connection, before: tuple[str, ...], then: tuple[str, ...]
) -> None:
    for statement in before:
        orders.execute(statement.encode())
    for (pgt_id,) in orders.execute("SELECT pgt_id FROM pgtrickle.pgt_stream_tables").fetchall():
        if "initialize" not in "".join(before):
            compile_and_install(orders, pgt_id)
    with db.connect(autocommit=False) as other:
        other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        other.execute("SELECT 1")
        for statement in then:
            orders.execute(statement.encode())
        with pytest.raises((errors.SerializationFailure, errors.ActiveSqlTransaction)):
            other.execute("INSERT INTO orders VALUES (21, 1, 5)")
        other.rollback()
    orders.execute("INSERT INTO orders VALUES (22, 1, 5)")
    outcome(orders, "more")
    assert is_equal(orders, "more")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT o.id, r.less FROM orders o JOIN rate r USING (customer)",
        "SELECT customer, max(amount) AS most FROM orders GROUP BY customer",
        "SELECT customer, count(*) AS n FROM orders GROUP BY customer HAVING count(*) > 1",
    ],
)
def test_what_reads_more_than_its_own_rows_refuses_an_old_snapshot(
    db: Database, orders: Connection, client: trickle.Client, query: str
) -> None:
    orders.execute("CREATE TABLE rate (customer int PRIMARY KEY, less int)")
    client.create_stream_table("st", query, refresh_mode="IMMEDIATE")
    with db.connect(autocommit=False) as other:
        other.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(errors.ActiveSqlTransaction, match=r"IMMEDIATE stream table public\.st") as caught:
            other.execute("INSERT INTO orders VALUES (21, 1, 5)")
        assert "READ COMMITTED" in (caught.value.diag.message_hint or "")


def test_verify_of_a_table_below_it(orders: Connection, client: trickle.Client) -> None:
    client.create_stream_table("below", "SELECT id, customer, amount FROM orders", refresh_mode="DIFFERENTIAL")
    client.create_stream_table(
        "st", "SELECT customer, max(amount) AS m FROM below GROUP BY 1", refresh_mode="IMMEDIATE"
    )
    orders.execute("INSERT INTO orders VALUES (20, 1, 500)")
    assert client.verify("below").equal
    assert is_equal(orders, "st")


# DDL --------------------------------------------------------------------------------------------------------


def test_a_renamed_column_is_told_and_repaired(st: Connection, client: trickle.Client) -> None:
    said: list[str] = []
    st.add_notice_handler(lambda diag: said.append(diag.message_primary or ""))
    st.execute("ALTER TABLE orders RENAME COLUMN amount TO price")
    st.execute("UPDATE orders SET price = 55 WHERE id = 2")
    assert any("public.st is recomputed in full by this statement: columns of public.orders changed" in s for s in said)
    totals = "SELECT customer, count(*), sum(price) FROM orders GROUP BY customer ORDER BY 1"
    assert (
        st.execute("SELECT customer, n, total FROM st ORDER BY 1").fetchall() == st.execute(totals.encode()).fetchall()
    )
    assert one(st, "SELECT bool_and(has_changes) FROM pgtrickle.pending()"), "a worker is told to repair it"
    assert client.refresh_stream_table("st").action == "FULL"
    said.clear()
    st.execute("UPDATE orders SET price = 56 WHERE id = 2")
    assert not said
    assert (
        st.execute("SELECT customer, n, total FROM st ORDER BY 1").fetchall() == st.execute(totals.encode()).fetchall()
    )


def test_another_table_of_the_same_name_is_not_taken_for_the_source(st: Connection) -> None:
    st.execute("ALTER TABLE orders RENAME TO old_orders")
    st.execute("CREATE TABLE orders (id int PRIMARY KEY, customer int, amount numeric(10,2), note text)")
    st.execute("UPDATE old_orders SET amount = 55 WHERE id = 2")
    assert (
        st.execute("SELECT sum(n), sum(total) FROM st").fetchall()
        == st.execute("SELECT count(*), sum(amount) FROM old_orders").fetchall()
    )


def test_triggers_that_were_switched_off_are_missed(st: Connection, client: trickle.Client) -> None:
    st.execute("ALTER TABLE orders DISABLE TRIGGER USER")
    st.execute("DELETE FROM orders WHERE id = 1")
    st.execute("ALTER TABLE orders ENABLE TRIGGER USER")
    assert one(st, "SELECT bool_and(has_changes) FROM pgtrickle.pending()")
    assert client.refresh_stream_table("st").action == "FULL"
    assert is_equal(st, "st")
    assert not one(st, "SELECT bool_or(has_changes) FROM pgtrickle.pending()")
    st.execute("INSERT INTO orders VALUES (21, 1, 5)")
    assert is_equal(st, "st")


def test_a_partition_that_joins_and_leaves(conn: Connection, client: trickle.Client) -> None:
    conn.execute("CREATE TABLE p (id int, k int) PARTITION BY LIST (k)")
    conn.execute("CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)")
    client.create_stream_table("st", "SELECT k, count(*) AS n FROM p GROUP BY k", refresh_mode="IMMEDIATE")
    before = triggers(conn)
    conn.execute("CREATE TABLE p2 (id int, k int)")
    conn.execute("INSERT INTO p2 VALUES (1, 2)")
    conn.execute("ALTER TABLE p ATTACH PARTITION p2 FOR VALUES IN (2)")
    assert client.refresh_stream_table("st").action == "FULL" and is_equal(conn, "st")
    conn.execute("INSERT INTO p2 VALUES (2, 2)")
    assert is_equal(conn, "st") and triggers(conn) == before + 3
    conn.execute("ALTER TABLE p DETACH PARTITION p2")
    assert client.refresh_stream_table("st").action == "FULL" and is_equal(conn, "st")
    conn.execute("INSERT INTO p2 VALUES (3, 2)")
    assert is_equal(conn, "st") and triggers(conn) == before


def test_a_dropped_source_and_what_is_left(st: Connection) -> None:
    with pytest.raises(errors.DependentObjectsStillExist):
        st.execute("DROP TABLE orders")
    st.execute("DROP TABLE orders CASCADE")
    st.execute("SELECT pgtrickle.drop_stream_table('st')")
    assert one(st, "SELECT count(*) FROM pgtrickle.pgt_immediate") == 0


def test_restoring(st: Connection) -> None:
    st.execute("SELECT pgtrickle.restore_stream_tables()")
    st.execute("INSERT INTO orders VALUES (21, 1, 5)")
    assert is_equal(st, "st") and triggers(st) == 3


# Changing the mode ------------------------------------------------------------------------------------------


def test_to_immediate_and_back(orders: Connection, client: trickle.Client) -> None:
    client.create_stream_table("st", GROUPS, schedule="5s")
    orders.execute("INSERT INTO orders VALUES (20, 1, 5)")
    status = client.alter_stream_table("st", refresh_mode="IMMEDIATE")
    assert (status.refresh_mode, status.schedule, status.program_state) == ("IMMEDIATE", None, "compiled")
    assert is_equal(orders, "st") and triggers(orders) == 3
    orders.execute("INSERT INTO orders VALUES (21, 1, 5)")
    assert is_equal(orders, "st")
    status = client.alter_stream_table("st", refresh_mode="DIFFERENTIAL")
    assert (status.refresh_mode, status.schedule, status.program_state) == ("DIFFERENTIAL", "1m", "compiled")
    assert triggers(orders) == 0
    orders.execute("INSERT INTO orders VALUES (22, 1, 5)")
    assert not is_equal(orders, "st")
    assert client.refresh_stream_table("st").action == "DIFFERENTIAL"
    assert is_equal(orders, "st")


def test_in_plain_sql(orders: Connection) -> None:
    orders.execute("SELECT pgtrickle.create_stream_table('st', %s)", (GROUPS,))
    for mode in ("IMMEDIATE", "FULL", "IMMEDIATE", "DIFFERENTIAL"):
        said: list[str] = []
        orders.add_notice_handler(lambda diag: said.append(diag.message_primary or ""))  # noqa: B023
        orders.execute("SELECT pgtrickle.alter_stream_table('st', refresh_mode => %s)", (mode,))
        assert any("stream table public.st is now" in s for s in said)
        orders.execute("INSERT INTO orders SELECT max(id) + 1, 1, 5 FROM orders")
        assert is_equal(orders, "st") is (mode == "IMMEDIATE")
        outcome(orders, "st")
        assert is_equal(orders, "st")


def test_a_new_query_keeps_it_immediate(st: Connection, client: trickle.Client) -> None:
    st.execute("CREATE TABLE more (customer int, amount numeric(10,2))")
    client.alter_stream_table("st", query=GROUPS.replace("orders", "more"))
    st.execute("INSERT INTO more VALUES (1, 2), (1, 3)")
    assert is_equal(st, "st") and one(st, "SELECT n FROM st") == 2
    assert one(st, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'orders'::regclass") == 0
    client.create_or_replace_stream_table("st", GROUPS, refresh_mode="DIFFERENTIAL", schedule="5s")
    assert triggers(st) == 0 and is_equal(st, "st")
    client.create_or_replace_stream_table("st", GROUPS, refresh_mode="IMMEDIATE")
    st.execute("INSERT INTO orders VALUES (21, 1, 5)")
    assert is_equal(st, "st")


def test_suspended_it_is_not_kept_and_resumed_it_is_filled(st: Connection) -> None:
    st.execute("SELECT pgtrickle.alter_stream_table('st', status => 'SUSPENDED')")
    st.execute("INSERT INTO orders VALUES (21, 1, 5)")
    assert not is_equal(st, "st")
    st.execute("SELECT pgtrickle.resume_stream_table('st')")
    st.execute("INSERT INTO orders VALUES (22, 1, 5)")
    assert is_equal(st, "st")


def test_dropping_leaves_nothing(st: Connection, client: trickle.Client) -> None:
    client.create_stream_table("upper", "SELECT n, count(*) AS groups FROM st GROUP BY n", refresh_mode="IMMEDIATE")
    assert triggers(st) == 6
    st.execute("SELECT pgtrickle.drop_stream_table('st', cascade => true)")
    assert triggers(st) == 0
    assert one(st, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'orders'::regclass") == 0
    assert one(st, "SELECT count(*) FROM pg_proc WHERE pronamespace = 'pgtrickle_programs'::regnamespace") == 0


# Buffers, and others beside it --------------------------------------------------------------------------------


def test_it_keeps_no_change_back_from_the_pruner(st: Connection) -> None:
    source = one(st, "SELECT source_id FROM pgtrickle.pgt_change_tracking")
    st.execute("INSERT INTO orders SELECT i, 1, 1 FROM generate_series(100, 119) i")
    assert one(st, "SELECT pgtrickle._prune(%s)", source) == 20
    st.execute("INSERT INTO orders VALUES (21, 1, 5)")
    assert is_equal(st, "st")


def test_a_differential_table_over_it_and_under_it(orders: Connection, client: trickle.Client) -> None:
    client.create_stream_table("below", "SELECT id, customer, amount FROM orders", refresh_mode="DIFFERENTIAL")
    client.create_stream_table("st", GROUPS.replace("orders", "below"), refresh_mode="IMMEDIATE")
    client.create_stream_table("above", "SELECT n, count(*) AS groups FROM st GROUP BY n", refresh_mode="DIFFERENTIAL")
    orders.execute("INSERT INTO orders VALUES (20, 1, 5), (21, 9, 5)")
    assert client.refresh_stream_table("below").action == "DIFFERENTIAL"
    assert is_equal(orders, "st") and not is_equal(orders, "above")
    assert client.refresh_stream_table("above").action == "DIFFERENTIAL"
    assert is_equal(orders, "above")


def test_a_long_transaction_does_not_fill_the_lock_table(st: Connection) -> None:
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    with st.transaction():
        st.execute("DO $$ BEGIN FOR i IN 1000..2200 LOOP INSERT INTO orders VALUES (i, i, 1); END LOOP; END $$")
        assert one(st, held) <= 1003  # a thousand groups, the stream table, its reader and the bell of its source
    assert is_equal(st, "st") and one(st, held) == 0


def test_a_second_reader_misses_nobody_who_has_written(db: Database, st: Connection, client: trickle.Client) -> None:
    """The triggers are there already, and the writer has taken no lock of a stream table that did not exist."""
    with db.connect(autocommit=False) as writer:
        writer.execute("INSERT INTO orders VALUES (20, 1, 5)")
        st.execute("SET pg_trickle.capture_lock_timeout = '100ms'")
        create = "SELECT pgtrickle.create_stream_table('more', 'SELECT id FROM orders', refresh_mode => 'IMMEDIATE')"
        with pytest.raises(errors.LockNotAvailable):
            st.execute(create.encode())
        writer.commit()
    st.execute(create.encode())
    assert is_equal(st, "more") and is_equal(st, "st")


def test_a_statement_without_rows_spends_no_transaction_number(st: Connection) -> None:
    for _ in range(3):
        with st.transaction():
            st.execute("UPDATE orders SET amount = 0 WHERE false")
            assigned = one(st, "SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
    assert not assigned


def test_a_fill_waits_for_those_who_have_written(db: Database, st: Connection) -> None:
    with db.connect(autocommit=False) as writer, db.connect() as other:
        writer.execute("INSERT INTO orders VALUES (20, 1, 5)")
        filling = threading.Thread(
            target=lambda: other.execute(
                "SELECT pgtrickle._refresh(pgt_id, 'MANUAL', true) FROM pgtrickle.pgt_stream_tables"
            )
        )
        filling.start()
        time.sleep(0.2)
        assert filling.is_alive()
        writer.execute("INSERT INTO orders VALUES (21, 1, 5)")
        writer.commit()
        filling.join()
    assert is_equal(st, "st")


def test_writers_of_different_groups_do_not_wait_for_each_other(db: Database, st: Connection) -> None:
    st.execute("INSERT INTO orders SELECT i, i, 1 FROM generate_series(100, 107) i")
    writers = [db.connect(autocommit=False) for _ in range(8)]
    try:
        for number, writer in enumerate(writers):
            writer.execute("SET lock_timeout = '2s'")
            writer.execute("UPDATE orders SET amount = amount + 1 WHERE id = %s", (100 + number,))
            writer.execute("INSERT INTO orders VALUES (%s, %s, 1)", (200 + number, 100 + number))
        st.execute("SET lock_timeout = '100ms'")
        with pytest.raises(errors.LockNotAvailable):
            st.execute("UPDATE orders SET customer = 100 WHERE id = 1")
        for writer in writers:
            writer.commit()
    finally:
        for writer in writers:
            writer.close()
    assert is_equal(st, "st")


@pytest.mark.parametrize("forged", ["{2,0}", "{1,0}", "{3,9000000000000000000,1}", "anything"])
def test_a_writer_cannot_keep_it_from_following(db: Database, st: Connection, forged: str) -> None:
    """The setting in which a statement in progress is noted may be written by everybody."""
    clerk = db.create_role()
    st.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO {clerk}".encode())
    with db.connect_as(clerk) as writer:
        writer.execute("SELECT set_config('pg_trickle.statement', %s, false)", (forged,))
        with pytest.raises(errors.ObjectNotInPrerequisiteState):
            writer.execute("UPDATE orders SET amount = amount + 1 WHERE id = 1")
        writer.execute("RESET pg_trickle.statement")
        writer.execute("UPDATE orders SET amount = amount + 1 WHERE id = 2")
        writer.execute("SELECT set_config('pg_trickle.statement', %s, false)", (forged,))
        writer.execute("UPDATE orders SET amount = amount + 1 WHERE id = 3")
        with writer.transaction():
            writer.execute("UPDATE orders SET amount = amount + 1 WHERE id = 4")
            writer.execute("SELECT set_config('pg_trickle.statement', %s, true)", (forged,))
            writer.execute("UPDATE orders SET amount = amount + 1 WHERE id = 5")
    assert one(st, "SELECT equal FROM pgtrickle.verify('st')")


def test_nor_from_within_its_statement(db: Database, st: Connection) -> None:
    clerk = db.create_role()
    st.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO {clerk}".encode())
    with db.connect_as(clerk) as writer:
        writer.execute(
            "CREATE FUNCTION pg_temp.evil(v numeric, said text) RETURNS numeric LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM set_config('pg_trickle.statement', said, true); RETURN v + 1; END $$"
        )
        writer.execute(
            "CREATE FUNCTION pg_temp.look(v numeric) RETURNS numeric LANGUAGE plpgsql AS $$ BEGIN"
            " PERFORM set_config('evil.saved', current_setting('pg_trickle.statement'), false); RETURN v + 1; END $$"
        )
        writer.execute("UPDATE orders SET amount = pg_temp.look(amount) WHERE id = 1")
        saved = one(writer, "SELECT current_setting('evil.saved')")
        assert saved.startswith("{1,")
        for said in ("", "{2,0}", saved, "{2" + saved[2:]):
            with pytest.raises(errors.ObjectNotInPrerequisiteState):
                writer.execute("UPDATE orders SET amount = pg_temp.evil(amount, %s) WHERE id = 2", (said,))
            # Left from one statement to the next, it is not taken for one that is still in progress.
            writer.execute("SELECT set_config('pg_trickle.statement', %s, false)", (said,))
            writer.execute("UPDATE orders SET amount = amount + 1 WHERE id = 3")
    assert one(st, "SELECT equal FROM pgtrickle.verify('st')")
