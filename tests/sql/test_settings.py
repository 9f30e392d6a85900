"""A setting is read where it is used, whenever it is used. Oracle: what happens differently.

Catches: a setting that is documented and changes nothing, a profile that counts more than what somebody has set, and
memory that a refresh keeps for the rest of its caller's transaction.
"""

from __future__ import annotations

import pytest
from psycopg import sql
from support.databases import Database

from trickle.catalog.install import compile_and_install
from trickle.db.session import connect

from .conftest import Connection, one, outcome


def setting(conn: Connection, name: str) -> str:
    return str(one(conn, "SELECT pgtrickle._setting(%s, 'fallback')", name))


def test_what_counts_more(db: Database, conn: Connection) -> None:
    name = "merge_work_mem_mb"
    assert setting(conn, name) == "fallback"
    conn.execute("SELECT pgtrickle.set_config('profile', 'high-throughput')")
    assert setting(conn, name) == "128"
    assert setting(conn, "log_level") == "fallback", "of which the profile says nothing"
    conn.execute("SELECT pgtrickle.set_config(%s, '96')", (name,))
    assert setting(conn, name) == "96"
    with db.superuser() as admin:
        database = sql.Identifier(db.name)
        admin.execute(sql.SQL("ALTER DATABASE {} SET pg_trickle.merge_work_mem_mb = 80").format(database))
        admin.execute(sql.SQL("ALTER DATABASE {} SET pg_trickle.profile = 'constrained'").format(database))
    with db.connect() as later:
        assert setting(later, name) == "80"
        assert setting(later, "delta_work_mem_cap_mb") == "256", "the database's profile counts more than the row's"


def test_a_session_of_ours_sees_at_once_what_was_set(db: Database) -> None:
    """A worker's sessions live for months; ALTER DATABASE reaches sessions that begin after it."""
    name = "history_retention_days"
    with connect(db.url, role="worker") as ours, db.connect() as another, db.superuser() as admin:

        def alter(what: str, value: str) -> None:
            statement = sql.SQL("ALTER {} {}").format(sql.SQL(what), sql.SQL(value))
            admin.execute(statement)

        database, role = f'DATABASE "{db.name}"', "ROLE app_owner"
        assert setting(ours, name) == "fallback"
        alter(database, f"SET pg_trickle.{name} = 5")
        assert (setting(ours, name), setting(another, name)) == ("5", "fallback")
        alter(role, f"SET pg_trickle.{name} = 6")
        assert setting(ours, name) == "6", "the role counts more than the database"
        alter(f"{role} IN {database}", f"SET pg_trickle.{name} = 7")
        assert setting(ours, name) == "7"
        for owner in (f"{role} IN {database}", role):
            alter(owner, f"RESET pg_trickle.{name}")
        assert setting(ours, name) == "5"
        alter(database, f"RESET pg_trickle.{name}")
        assert setting(ours, name) == "fallback"
        alter(database, "SET pg_trickle.profile = 'high-throughput'")
        assert setting(ours, "merge_work_mem_mb") == "128"


@pytest.mark.parametrize(
    ("settings", "granted"),
    [
        ({}, "64MB"),
        ({"merge_work_mem_mb": "200"}, "200MB"),
        ({"merge_work_mem_mb": "200", "delta_work_mem_cap_mb": "32"}, "32MB"),
        ({"merge_work_mem_mb": "8", "delta_work_mem_cap_mb": "0"}, "20MB"),
        ({"profile": "constrained"}, "32MB"),
    ],
)
def test_memory_of_a_full_refresh(orders: Connection, settings: dict[str, str], granted: str) -> None:
    for name, value in settings.items():
        orders.execute("SELECT pgtrickle.set_config(%s, %s)", (name, value))
    orders.execute("SET work_mem = '20MB'")
    with orders.transaction():
        before = one(orders, "SELECT pgtrickle._grant_memory()")
        assert (before, one(orders, "SHOW work_mem")) == ("20MB", granted)
    assert one(orders, "SHOW work_mem") == "20MB"


def test_a_refresh_gives_its_memory_back(orders: Connection) -> None:
    """Seen from a trigger on the stream table, and afterwards from the transaction that asked for the refresh."""
    orders.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM orders', refresh_mode => 'DIFFERENTIAL')")
    compile_and_install(orders, 1)
    orders.execute("CREATE TABLE seen (work_mem text)")
    orders.execute(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN INSERT INTO public.seen VALUES (current_setting('work_mem')); RETURN NULL; END$$"
    )
    orders.execute("CREATE TRIGGER note AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION note()")
    orders.execute("SET work_mem = '4MB'")
    with orders.transaction():
        orders.execute("INSERT INTO orders VALUES (10)")
        outcome(orders, "t")
        orders.execute("INSERT INTO orders VALUES (11)")
        orders.execute("SELECT pgtrickle._refresh(1, 'MANUAL', true)")
        assert one(orders, "SHOW work_mem") == "4MB"
    assert orders.execute("SELECT work_mem FROM seen").fetchall() == [("4MB",), ("64MB",)]
