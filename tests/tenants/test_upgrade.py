"""Installing the catalog for many tenants: each by itself, again where it failed, and supervisors meanwhile.

Lies it would catch: one tenant that keeps the others from being upgraded; a run that cannot be repeated; a tenant that
is not picked up once it has the catalog.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from support.databases import OWNER, Database
from support.runners import await_that
from support.supervising import states, supervised
from tenants.conftest import Conn
from typer.testing import CliRunner

import trickle
from trickle.catalog import migrate
from trickle.cli.main import app
from trickle.tenants import Tenant


@pytest.fixture
def bare(db: Database) -> Iterator[list[str]]:
    """Two databases without a catalog."""
    names = [f"{db.name}_bare{number}" for number in range(2)]
    with psycopg.connect(db.server.url(), autocommit=True) as admin:
        for name in names:
            admin.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(OWNER)))
        yield [db.server.url(name, user=OWNER) for name in names]
        for name in names:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_all_are_upgraded_that_can_be(db: Database, conn: Conn, bare: list[str]) -> None:
    listed = [("a", "", "jobs_a"), ("b", bare[0], "pgtrickle"), ("c", bare[1], "jobs_c"), ("d", bare[1], "jobs_d")]
    for tenant in (*listed, ("gone", db.server.url("no_such_database", user=OWNER), "pgtrickle")):
        conn.execute("INSERT INTO pgtrickle.tenants (tenant_id, url, schema_name) VALUES (%s, %s, %s)", tenant)

    def run() -> str:
        result = CliRunner().invoke(app, ["init", "--all-tenants", "--postgres-url", db.url])
        assert result.exit_code == 1 and "no_such_database" in result.stderr, result.output
        return result.stdout.strip()

    assert run() == "1 failed, 2 installed, 1 unchanged"
    assert run() == "1 failed, 3 unchanged"
    conn.execute("DELETE FROM pgtrickle.tenants WHERE tenant_id = 'gone'")
    again = CliRunner().invoke(app, ["init", "--all-tenants", "--postgres-url", db.url])
    assert again.exit_code == 0 and "3 unchanged" in again.stdout
    with psycopg.connect(bare[1]) as there:
        assert there.execute("SELECT schema_name FROM pgtrickle.job_schemas ORDER BY 1").fetchall() == [
            ("jobs_c",),
            ("jobs_d",),
        ]


def test_a_tenant_without_catalog_is_taken_up_when_it_has_one(
    db: Database, conn: Conn, bare: list[str], handlers: list[str], tenants: list[Tenant]
) -> None:
    new = Tenant("new", bare[0])
    with supervised(db.url, lambda: [*tenants, new], handlers, tick_seconds=0.2) as running:
        await_that(lambda: running.metric("supervisor_unreachable_tenants") == 1)
        assert "_probe_jobs" in running.ask(lambda s: s.explain("new"))
        trickle.enqueue(conn, "q", {"tenantId": "t0"}, schema="jobs_t0")
        await_that(lambda: states(conn, "jobs_t0") == {"completed": 1}, "the others are not kept from anything")
        migrate.init(bare[0])
        with psycopg.connect(bare[0], autocommit=True) as there:
            trickle.enqueue(there, "q", {"tenantId": "new"})
            await_that(lambda: states(there, "pgtrickle") == {"completed": 1})
