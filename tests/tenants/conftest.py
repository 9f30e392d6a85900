"""What the tests of tenants share: a database with a schema of jobs for each of a few tenants, and handlers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.databases import OWNER, Database
from support.supervising import HANDLERS

from trickle.tenants import Tenant

Conn = psycopg.Connection[Any]


@pytest.fixture
def conn(db: Database) -> Iterator[Conn]:
    with db.connect() as connection:
        # The server of the tests allows prepared transactions, and then nobody rings unless told to.
        connection.execute("SELECT pgtrickle.set_config('event_driven_wake', 'on')")
        yield connection


@pytest.fixture
def tenants(db: Database, conn: Conn) -> list[Tenant]:
    """Five, each in a schema."""
    names = [f"t{number}" for number in range(5)]
    for name in names:
        conn.execute("SELECT pgtrickle.create_job_schema(%s)", (f"jobs_{name}",))
    return [Tenant(name, db.url, f"jobs_{name}") for name in names]


@pytest.fixture
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules that register them."""
    (tmp_path / "handlers_of_tests.py").write_text(HANDLERS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return ["handlers_of_tests"]


@pytest.fixture
def others(db: Database) -> Iterator[list[Tenant]]:
    """Three databases with the catalog, beside that of the test."""
    names = [f"{db.name}_t{number}" for number in range(3)]
    with psycopg.connect(db.server.url(), autocommit=True) as admin:
        for name in names:
            statement = "CREATE DATABASE {} TEMPLATE trickle_template OWNER {}"
            admin.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(OWNER)))
            with psycopg.connect(db.server.url(name, user=OWNER), autocommit=True) as owner:
                owner.execute("SELECT pgtrickle.restore_stream_tables()")  # a copy knows that it is one
        yield [Tenant(f"t{number}", db.server.url(name, user=OWNER)) for number, name in enumerate(names)]
        for name in names:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
