"""The demo's database: an ordinary role owns it, so what works here works on a hosted server."""

from __future__ import annotations

from psycopg import errors, sql

from trickle.db import session
from trickle.demo.statements import statement
from trickle.embedded import Server, Setting
from trickle.errors import Refused

DATABASE = "trickle_demo"
OWNER = "trickle_demo"

# Throw-away data need not survive a power failure. The rest is what a small server would have anyway.
SETTINGS: dict[str, Setting] = {
    "fsync": False,
    "full_page_writes": False,
    "synchronous_commit": False,
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "max_connections": 100,
    "autovacuum_naptime": "10s",
    "timezone": "UTC",
}
KEPT_SETTINGS: dict[str, Setting] = {
    name: value for name, value in SETTINGS.items() if name not in ("fsync", "full_page_writes", "synchronous_commit")
}


def create_database(server: Server) -> str:
    """Make the role and its empty database, in place of one that an earlier run left. Returns the owner's URL."""
    with session.connect(server.url(), role="demo") as admin:
        known = admin.execute("SELECT FROM pg_roles WHERE rolname = %s", (OWNER,)).fetchone()
        if known is None:
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(OWNER)))
        try:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(DATABASE)))
        except errors.ObjectInUse as error:
            raise Refused(
                f"somebody is connected to the database {DATABASE} in {server.data_dir}",
                hint="the demo makes it anew: end the other session or demo first, or give another --data-dir",
            ) from error
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER)))
    return server.url(DATABASE, user=OWNER)


def create_tables(url: str) -> None:
    """The sources, still empty."""
    with session.connect(url, role="demo") as connection:
        connection.execute(statement("schema"))
