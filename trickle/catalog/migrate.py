"""Bring a database's catalog to this version: `init` is idempotent and leaves nothing behind when it fails."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import Connection, errors
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from trickle.db.session import connect
from trickle.errors import ConfigurationError, Refused

OLDEST_SERVER = 150000
# Two installers of one database take turns: pg_advisory_xact_lock of this key, released with the transaction.
INSTALLER_LOCK = 7_020_123_001


def migrations_path() -> Path:
    """Return the migrations: a package of the wheel when installed, the top-level folder in a checkout."""
    installed = Path(str(resources.files("trickle").joinpath("migrations")))
    if (installed / "env.py").is_file():
        return installed
    return Path(__file__).resolve().parents[2] / "alembic"


def alembic_config() -> Config:
    """Return Alembic's configuration, built here: there is no file to find, and no URL in it to leak."""
    config = Config()
    config.set_main_option("script_location", str(migrations_path()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def init(url: str) -> str:
    """Install or upgrade the catalog in the database at `url` and return its revision."""
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(url, role="init", autocommit=False),
        poolclass=NullPool,
    )
    config = alembic_config()
    with engine.connect() as connection, connection.begin():
        raw: Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
        refuse_server(raw)
        raw.execute("SELECT pg_advisory_xact_lock(%s)", (INSTALLER_LOCK,))
        refuse_role(raw)
        # Alembic keeps its version table in our schema, so the schema comes before the first migration.
        raw.execute("CREATE SCHEMA IF NOT EXISTS pgtrickle")
        refuse_newer(installed_revision(raw))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        revision = MigrationContext.configure(
            connection, opts={"version_table_schema": "pgtrickle"}
        ).get_current_revision()
    engine.dispose()
    return str(revision)


def check(conn: Connection[Any]) -> str:
    """Return the catalog's revision, or refuse a server or catalog that this version cannot work with."""
    refuse_server(conn)
    revision = installed_revision(conn)
    if revision is None:
        raise ConfigurationError(
            f"the catalog is not installed in database {conn.info.dbname!r}",
            hint="run `trickle init --postgres-url …` as the owner of the database",
        )
    refuse_newer(revision)
    newest = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if revision != newest:
        raise ConfigurationError(
            f"the catalog is at revision {revision}, this version needs {newest}",
            hint="run `trickle init` once to upgrade it",
        )
    return revision


def refuse_server(conn: Connection[Any]) -> None:
    """Refuse servers that are too old, and standbys."""
    if conn.info.server_version < OLDEST_SERVER:
        raise Refused(
            f"PostgreSQL {conn.info.server_version // 10000} is too old",
            hint="Trickle needs PostgreSQL 15 or later",
        )
    if _one(conn, "SELECT pg_is_in_recovery()"):
        raise Refused("this server is a standby", hint="connect to the primary server")


def refuse_role(conn: Connection[Any]) -> None:
    """Refuse a role that may neither create the catalog nor change the one that is there."""
    owner = _one(conn, "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'pgtrickle'")
    role = _one(conn, "SELECT current_user")
    if owner is not None and not _one(conn, "SELECT pg_has_role(%s, 'USAGE')", owner):
        raise ConfigurationError(
            f"the catalog belongs to role {owner!r}, and {role!r} is not a member of it",
            hint=f"connect as {owner!r}",
        )
    if owner is None and not _one(conn, "SELECT has_database_privilege(current_database(), 'CREATE')"):
        raise ConfigurationError(
            f"role {role!r} may not create schemas in database {conn.info.dbname!r}",
            hint=f'connect as the owner of the database, or GRANT CREATE ON DATABASE "{conn.info.dbname}" TO "{role}"',
        )


def refuse_newer(revision: str | None) -> None:
    """Refuse a catalog that a later version of Trickle has upgraded."""
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise Refused(
            f"the catalog is at revision {revision}, which this version of Trickle does not know",
            hint="upgrade Trickle: a newer version has upgraded this database",
        )


def installed_revision(conn: Connection[Any]) -> str | None:
    """Return the revision of the catalog in this database, or None when there is none."""
    if _one(conn, "SELECT to_regclass('pgtrickle.alembic_version')") is None:
        return None
    try:
        found = _one(conn, "SELECT version_num FROM pgtrickle.alembic_version")
    except errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"role {conn.info.user!r} may not use the catalog in database {conn.info.dbname!r}",
            hint="connect as the catalog's owner, or as a member of that role",
        ) from error
    return None if found is None else str(found)


def _one(conn: Connection[Any], sql: str, *values: object) -> Any:
    row = conn.execute(sql, values or None).fetchone()
    return None if row is None else row[0]
