"""Altering and dropping: what is kept, what is rebuilt, and that nothing unused stays."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors
from support.databases import Database

from .conftest import Connection, is_equal, one


@pytest.fixture
def chain(orders: Connection) -> Connection:
    orders.execute("SELECT pgtrickle.create_stream_table('first', 'SELECT id, customer FROM orders', '5s')")
    orders.execute("SELECT pgtrickle.create_stream_table('second', 'SELECT count(*) AS n FROM first')")
    return orders


def test_options(chain: Connection) -> None:
    chain.execute(
        "SELECT pgtrickle.alter_stream_table('first', schedule => '7m', refresh_mode => 'full', tier => 'Cold',"
        " fuse => 'on', fuse_ceiling => 10, diamond_consistency => 'none', max_differential_joins => 3)"
    )
    row = chain.execute(
        "SELECT schedule, refresh_mode, refresh_tier, fuse_mode, fuse_ceiling, diamond_consistency,"
        " max_differential_joins FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'first'"
    ).fetchone()
    assert row == ("7m", "FULL", "cold", "on", 10, "none", 3)
    chain.execute("SELECT pgtrickle.alter_stream_table('first', schedule => 'calculated', max_differential_joins => 0)")
    row = chain.execute(
        "SELECT schedule, max_differential_joins FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'first'"
    ).fetchone()
    assert row == (None, None)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("tier => 'tepid'", "22023"),
        ("status => 'asleep'", "22023"),
        ("fuse => 'x'", "22023"),
        ("fuse_ceiling => 0", "22023"),
        ("schedule => '5x'", "22023"),
        ("refresh_mode => 'IMMEDIATE', append_only => true", "22023"),
        ("refresh_mode => 'IMMEDIATE', cdc_mode => 'wal'", "22023"),
        ("query => 'SELECT nope FROM orders'", "42703"),
        ("query => 'SELECT id, customer FROM second, orders'", "3F000"),
        ("query => 'SELECT id, customer FROM first'", "3F000"),
        ("query => 'SELECT id FROM orders'", "2BP01"),
    ],
)
def test_a_bad_change_changes_nothing(chain: Connection, arguments: str, code: str) -> None:
    before = chain.execute("SELECT * FROM pgtrickle.pgt_stream_tables ORDER BY pgt_id").fetchall()
    with pytest.raises(psycopg.Error) as caught:
        chain.execute(f"SELECT pgtrickle.alter_stream_table('first', {arguments})".encode())
    assert caught.value.sqlstate == code
    assert chain.execute("SELECT * FROM pgtrickle.pgt_stream_tables ORDER BY pgt_id").fetchall() == before
    assert is_equal(chain, "first")


def test_a_query_with_the_same_columns_keeps_the_storage(chain: Connection) -> None:
    relid = one(chain, "SELECT 'first'::regclass::oid")
    chain.execute("CREATE TABLE more (id int, customer int)")
    chain.execute("INSERT INTO more VALUES (100, 1)")
    chain.execute("SELECT pgtrickle.alter_stream_table('first', 'SELECT id, customer FROM more')")
    assert one(chain, "SELECT 'first'::regclass::oid") == relid
    assert one(chain, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'orders'::regclass") == 0
    assert is_equal(chain, "first") and is_equal(chain, "second")
    assert one(chain, "SELECT n FROM second") == 1


def test_a_query_with_other_columns_rebuilds_the_storage_and_keeps_grants(db: Database, orders: Connection) -> None:
    reader = db.create_role("reader")
    orders.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM orders')")
    orders.execute(f"GRANT SELECT ON t TO {reader}".encode())
    number = one(orders, "SELECT pgt_id FROM pgtrickle.pgt_stream_tables")
    orders.execute("SELECT pgtrickle.alter_stream_table('t', 'SELECT id, note FROM orders')")
    assert one(orders, "SELECT pgt_id FROM pgtrickle.pgt_stream_tables") == number
    with db.connect_as(reader) as connection:
        assert one(connection, "SELECT count(note) FROM t") == 9
    orders.execute("UPDATE orders SET note = 'x' WHERE id = 1")
    assert is_equal(orders, "t")


def test_suspend_and_resume(chain: Connection) -> None:
    chain.execute("SELECT pgtrickle.alter_stream_table('first', status => 'suspended')")
    with pytest.raises(errors.InvalidParameterValue):
        chain.execute("SELECT pgtrickle.refresh_stream_table('first')")
    assert one(chain, "SELECT count(*) FROM pgtrickle.pending()") == 1
    chain.execute("SELECT pgtrickle.resume_stream_table('first')")
    assert is_equal(chain, "first")


def test_drop_needs_cascade_for_readers(chain: Connection) -> None:
    with pytest.raises(errors.InvalidParameterValue, match=r"public\.second"):
        chain.execute("SELECT pgtrickle.drop_stream_table('first')")
    chain.execute("SELECT pgtrickle.drop_stream_table('first', true)")
    assert leftovers(chain) == []


def test_drop_one_by_one_leaves_nothing(chain: Connection) -> None:
    chain.execute("SELECT pgtrickle.drop_stream_table('second')")
    assert one(chain, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE ' pgt%' AND tgrelid = 'first'::regclass") == 0
    chain.execute("SELECT pgtrickle.drop_stream_table('public.first')")
    assert leftovers(chain) == []
    with pytest.raises(errors.UndefinedTable):
        chain.execute("SELECT pgtrickle.drop_stream_table('first')")


def test_drop_keeps_capture_that_others_use(orders: Connection) -> None:
    for name in ("a", "b"):
        orders.execute("SELECT pgtrickle.create_stream_table(%s, 'SELECT id FROM orders')", (name,))
    orders.execute("SELECT pgtrickle.drop_stream_table('a')")
    orders.execute("INSERT INTO orders VALUES (10)")
    assert is_equal(orders, "b")


def test_drop_is_undone_with_its_transaction(chain: Connection) -> None:
    with pytest.raises(ZeroDivisionError), chain.transaction():
        chain.execute("SELECT pgtrickle.drop_stream_table('first', true)")
        raise ZeroDivisionError
    chain.execute("INSERT INTO orders VALUES (10, 1)")
    assert is_equal(chain, "first") and is_equal(chain, "second")


def test_only_the_owner_may_alter_or_drop(db: Database, chain: Connection) -> None:
    member = db.create_role("member")
    with db.superuser() as admin:
        admin.execute(f"GRANT app_owner TO {member}".encode())
    with db.connect_as(member) as connection:
        connection.execute(f"CREATE SCHEMA AUTHORIZATION {member}".encode())
        connection.execute(f"CREATE TABLE {member}.own (id int)".encode())
        connection.execute(
            f"SELECT pgtrickle.create_stream_table('{member}.t', 'SELECT id FROM {member}.own')".encode()
        )
        connection.execute(f"INSERT INTO {member}.own VALUES (1)".encode())
        assert is_equal(connection, f"{member}.t")
    # The catalog's owner may refresh what a member owns, and neither alter nor drop it.
    chain.execute(f"SELECT pgtrickle.refresh_stream_table('{member}.t')".encode())
    for call in (f"drop_stream_table('{member}.t')", f"alter_stream_table('{member}.t', tier => 'cold')"):
        with pytest.raises(errors.InsufficientPrivilege, match="must be owner"):
            chain.execute(f"SELECT pgtrickle.{call}".encode())
    assert one(chain, "SELECT bool_and(tableowner = 'app_owner') FROM pg_tables WHERE schemaname = 'pgtrickle_changes'")


def test_sources_of_others_need_their_owner(db: Database, orders: Connection) -> None:
    other = db.create_role("other")
    with db.superuser() as admin:
        admin.execute("CREATE TABLE theirs (id int)")
        admin.execute(f"ALTER TABLE theirs OWNER TO {other}".encode())
        admin.execute("GRANT ALL ON theirs TO app_owner")
    with pytest.raises(errors.InsufficientPrivilege) as caught:
        orders.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM theirs')")
    assert other in str(caught.value.diag.message_hint)
    with db.superuser() as admin:
        admin.execute("REVOKE ALL ON theirs FROM app_owner")
    with pytest.raises(errors.InsufficientPrivilege):
        orders.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM theirs')")


def leftovers(connection: Connection) -> list[tuple[str]]:
    """Objects of capture and programs that still exist."""
    return connection.execute(
        "SELECT relname::text FROM pg_class WHERE relnamespace IN"
        " ('pgtrickle_changes'::regnamespace, 'pgtrickle_programs'::regnamespace)"
        " AND relname NOT IN ('change_seq', 'statement_seq', 'markers', 'markers_source_xid_idx')"
        " UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace IN"
        " ('pgtrickle_changes'::regnamespace, 'pgtrickle_programs'::regnamespace)"
        " UNION ALL SELECT tgname::text FROM pg_trigger WHERE tgname LIKE ' pgt%'"
        " UNION ALL SELECT 'tracking' FROM pgtrickle.pgt_change_tracking"
    ).fetchall()
