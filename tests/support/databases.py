"""A fresh database per test, copied from a template that already has the catalog."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from psycopg import sql

from trickle.embedded import Server

OWNER = "app_owner"
TEMPLATE = "trickle_template"

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """A database of one test, and how to reach it as whom."""

    name: str
    server: Server
    roles: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """As its owner, an ordinary role."""
        return self.server.url(self.name, user=OWNER)

    @property
    def superuser_url(self) -> str:
        return self.server.url(self.name)

    def url_as(self, role: str) -> str:
        """As any role: the unix socket asks for no password."""
        return self.server.url(self.name, user=role)

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """A connection as the owner, in autocommit unless asked otherwise; use it in a with block."""
        return psycopg.connect(self.url, **{"autocommit": True, **options})

    def connect_as(self, role: str, **options: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url_as(role), **{"autocommit": True, **options})

    def superuser(self, **options: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(self.superuser_url, **{"autocommit": True, **options})

    def create_role(self, purpose: str = "clerk", attributes: str = "LOGIN") -> str:
        """A role for this test alone, dropped after the database. Roles belong to the whole server."""
        role = f"{purpose}_{self.name}"
        with self.superuser() as admin:
            admin.execute(sql.SQL("CREATE ROLE {} {}").format(sql.Identifier(role), sql.SQL(attributes)))
        self.roles.append(role)
        return role


@pytest.fixture(scope="session")
def template(server: Server) -> str:
    """The database every test's database is a copy of: owned by an unprivileged role, with the catalog."""
    from trickle.catalog import migrate

    _ensure_owner(server)
    _administer(server, "CREATE DATABASE {} OWNER {}", TEMPLATE, OWNER)
    migrate.init(server.url(TEMPLATE, user=OWNER))
    return TEMPLATE


@pytest.fixture
def db(server: Server, template: str) -> Iterator[Database]:
    """A database with the catalog, owned by `app_owner`."""
    with _database(server, template) as database:
        # A copy is another database, and a frontier counts only in the one it was made in.
        with database.connect() as owner:
            owner.execute("SELECT pgtrickle.restore_stream_tables()")
        yield database


@pytest.fixture
def empty_db(server: Server) -> Iterator[Database]:
    """A database without catalog, owned by `app_owner`."""
    _ensure_owner(server)
    with _database(server, "template1") as database:
        yield database


@contextmanager
def _database(server: Server, copied_from: str) -> Iterator[Database]:
    database = Database(f"test_{next(_numbers)}", server)
    _administer(server, "CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY file_copy", database.name, copied_from, OWNER)
    try:
        yield database
    finally:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            _roll_back_prepared(database, admin)
            _await_ends(database, admin)
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database.name)))
            for role in database.roles:
                admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


def _ensure_owner(server: Server) -> None:
    with psycopg.connect(server.url(), autocommit=True) as admin:
        known = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (OWNER,)).fetchone()
        if known is None:
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(OWNER)))


def _roll_back_prepared(database: Database, admin: psycopg.Connection[Any]) -> None:
    """A prepared transaction outlives its session and would keep the database from being dropped."""
    query = "SELECT gid FROM pg_prepared_xacts WHERE database = %s"
    left = admin.execute(query, (database.name,)).fetchall()
    if left:
        with database.superuser() as superuser:
            for (gid,) in left:
                superuser.execute(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(gid)))


def _await_ends(database: Database, admin: psycopg.Connection[Any]) -> None:
    """For a moment: who drops a database in which a session is just ending sleeps for longer."""
    patience = time.monotonic() + 0.1
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = %s"
    while admin.execute(query, (database.name,)).fetchone() and time.monotonic() < patience:
        time.sleep(0.002)


def _administer(server: Server, statement: str, *names: str) -> None:
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
