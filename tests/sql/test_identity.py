"""A frontier counts only in the database it was made in: copies and restores stop, then come back to life."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import errors, sql
from support.brokers import missing
from support.databases import Database

from trickle import embedded
from trickle.errors import ConfigurationError

from .conftest import Connection, is_equal, one


def tool(name: str) -> str:
    """A client tool of the server's own build, or the embedded one: never an older one of the system."""
    try:
        return str(embedded.tool(name))
    except ConfigurationError as error:
        missing(name, str(error))
        raise


@pytest.fixture
def restored(db: Database, orders: Connection, tmp_path: Path) -> Iterator[Connection]:
    """A restored dump of a database with stream tables over a table, a partitioned tree and each other."""
    orders.execute("CREATE TABLE p (id int, k text) PARTITION BY LIST (k)")
    orders.execute("CREATE TABLE pa PARTITION OF p FOR VALUES IN ('a')")
    orders.execute("CREATE TABLE pb (k text, id int)")
    orders.execute("ALTER TABLE p ATTACH PARTITION pb FOR VALUES IN ('b')")
    orders.execute("INSERT INTO p VALUES (1, 'a'), (2, 'b')")
    orders.execute(
        "SELECT pgtrickle.create_stream_table('totals', 'SELECT customer, sum(amount) AS s FROM orders GROUP BY 1',"
        " partition_by => 'HASH:customer:2')"
    )
    orders.execute("SELECT pgtrickle.create_stream_table('grand', 'SELECT sum(s) AS s FROM totals')")
    orders.execute("SELECT pgtrickle.create_stream_table('parts', 'SELECT k, count(*) AS n FROM p GROUP BY k')")
    orders.execute("INSERT INTO orders VALUES (10, 1, 100)")
    dump = tmp_path / "dump"
    environment = {**os.environ, "PGOPTIONS": ""}
    subprocess.run([tool("pg_dump"), "-Fc", "-f", dump, db.url], check=True, env=environment)
    copy = Database(f"{db.name}_copy", db.server)
    with db.superuser() as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER app_owner").format(sql.Identifier(copy.name)))
    try:
        script = subprocess.run([tool("pg_restore"), "-f", "-", dump], check=True, stdout=subprocess.PIPE).stdout
        # A newer pg_restore sets a parameter that servers before 17 do not know.
        script = script.replace(b"SET transaction_timeout = 0;\n", b"")
        psql = [tool("psql"), "-q", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, copy.url]
        subprocess.run(psql, input=script, check=True, env=environment)
        with copy.connect() as connection:
            yield connection
    finally:
        with db.superuser() as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(copy.name)))


def test_a_restored_database_refuses_until_told(restored: Connection) -> None:
    for call in ("refresh_stream_table('totals')", "create_stream_table('x', 'SELECT 1 AS a')"):
        with pytest.raises(errors.ObjectNotInPrerequisiteState) as caught:
            restored.execute(f"SELECT pgtrickle.{call}".encode())
        assert "restore_stream_tables" in str(caught.value.diag.message_hint)


def test_a_restored_database_comes_back_to_life(restored: Connection) -> None:
    restored.execute("SELECT pgtrickle.restore_stream_tables()")
    assert one(restored, "SELECT count(*) FROM pgtrickle.pending() WHERE has_changes") == 3
    for name in ("totals", "grand", "parts"):
        assert is_equal(restored, name)
    restored.execute("INSERT INTO orders VALUES (11, 2, 5)")
    restored.execute("INSERT INTO pb VALUES ('b', 9)")
    restored.execute("TRUNCATE pa")
    for name in ("totals", "grand", "parts"):
        pending = (
            "SELECT has_changes FROM pgtrickle.pending() JOIN pgtrickle.pgt_stream_tables USING (pgt_id)"
            " WHERE pgt_name = %s"
        )
        assert one(restored, pending, name)
        assert is_equal(restored, name)
    with pytest.raises(errors.WrongObjectType):
        restored.execute("DELETE FROM totals")
    restored.execute("SELECT pgtrickle.drop_stream_table('totals', true)")


def test_a_table_that_cannot_come_back_does_not_keep_the_others(restored: Connection) -> None:
    restored.execute("DROP TABLE p CASCADE")
    restored.execute("SELECT pgtrickle.restore_stream_tables()")
    states = dict(restored.execute("SELECT name, status FROM pgtrickle.pgt_status()").fetchall())
    assert states == {"public.grand": "ACTIVE", "public.parts": "ERROR", "public.totals": "ACTIVE"}
    assert is_equal(restored, "totals")


def test_a_frontier_from_the_future_is_refused(orders: Connection) -> None:
    orders.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM orders')")
    orders.execute("UPDATE pgtrickle.pgt_frontiers SET snapshot = '99999990:99999999:', own_xid = '99999999'")
    with pytest.raises(errors.ObjectNotInPrerequisiteState, match="future"):
        orders.execute("SELECT pgtrickle.refresh_stream_table('t')")
    orders.execute("SELECT pgtrickle.restore_stream_tables()")
    assert is_equal(orders, "t")
