"""Installing the catalog: idempotent, for an ordinary database owner, refused with a reason elsewhere."""

from __future__ import annotations

import threading

import pytest
from alembic import command
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import NullPool
from support.databases import Database

from trickle.catalog import migrate
from trickle.catalog.job_tables import metadata
from trickle.errors import ConfigurationError, Refused

from .conftest import Connection, one


def test_install_is_idempotent(empty_db: Database) -> None:
    first = migrate.init(empty_db.url)
    with empty_db.connect() as connection:
        epoch = one(connection, "SELECT epoch FROM pgtrickle.identity")
        assert migrate.init(empty_db.url) == first
        assert migrate.check(connection) == first
        assert one(connection, "SELECT epoch FROM pgtrickle.identity") == epoch


def test_two_installers_take_turns(empty_db: Database) -> None:
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(migrate.init(empty_db.url))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3 and len(set(results)) == 1


def test_a_role_without_the_right_to_create_is_refused(empty_db: Database) -> None:
    clerk = empty_db.create_role()
    with pytest.raises(ConfigurationError) as caught:
        migrate.init(empty_db.url_as(clerk))
    assert caught.value.hint and clerk in caught.value.message
    with empty_db.connect() as connection:
        assert one(connection, "SELECT to_regnamespace('pgtrickle')") is None


def test_a_catalog_of_another_role_is_refused(db: Database) -> None:
    clerk = db.create_role()
    with pytest.raises(ConfigurationError, match="app_owner"):
        migrate.init(db.url_as(clerk))


def test_a_newer_catalog_is_refused(db: Database) -> None:
    with db.connect() as connection:
        connection.execute("UPDATE pgtrickle.alembic_version SET version_num = '9999'")
        with pytest.raises(Refused, match="9999") as caught:
            migrate.init(db.url)
        assert caught.value.hint
        with pytest.raises(Refused):
            migrate.check(connection)


def test_a_database_without_catalog_is_named(empty_db: Database) -> None:
    with empty_db.connect() as connection, pytest.raises(ConfigurationError, match="not installed"):
        migrate.check(connection)


def test_the_metadata_describes_the_database(conn: Connection) -> None:
    dialect = postgresql.dialect()
    described = {
        (table.name, column.name, column.type.compile(dialect=dialect).lower(), column.nullable)
        for table in metadata.tables.values()
        for column in table.columns
    }
    spelling = {"double precision": "float(53)"}
    found = {
        (table, column, spelling.get(kind, kind), nullable)
        for table, column, kind, nullable in conn.execute(
            "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull"
            "  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
            " WHERE c.relnamespace = 'pgtrickle'::regnamespace AND c.relkind = 'r' AND c.relname <> 'alembic_version'"
        ).fetchall()
    }
    assert described == found
    indexes = {(table.name, str(index.name)) for table in metadata.tables.values() for index in table.indexes}
    assert indexes == {
        (table, index)
        for table, index in conn.execute(
            "SELECT tablename::text, indexname::text FROM pg_indexes"
            " WHERE schemaname = 'pgtrickle' AND indexname LIKE '%\\_idx'"
        ).fetchall()
    }


def test_nothing_is_granted_to_public(conn: Connection) -> None:
    assert one(conn, "SELECT count(*) FROM pg_namespace, aclexplode(nspacl) a"
                     " WHERE nspname LIKE 'pgtrickle%' AND a.grantee = 0") == 0  # fmt: skip
    assert (
        one(
            conn,
            "SELECT count(*) FROM pg_proc p WHERE pronamespace = 'pgtrickle'::regnamespace"
            " AND (proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) a WHERE a.grantee = 0))",
        )
        == 0
    )


def test_what_is_installed_can_be_taken_away(db: Database) -> None:
    with db.connect() as owner:
        owner.execute("CREATE TABLE source (id int)")
        owner.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM source')")
    engine = create_engine("postgresql+psycopg://", creator=lambda: db.connect(autocommit=False), poolclass=NullPool)
    config = migrate.alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with db.connect() as owner:
        owner.execute("INSERT INTO source VALUES (1)")
        query = sql.SQL("SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text LIKE 'pgtrickle%'"
                        " AND relname NOT LIKE 'alembic%'")  # fmt: skip
        row = owner.execute(query).fetchone()
        assert row == (0,)
