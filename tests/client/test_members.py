"""Several roles look after the same stream tables: their owner, and members of it.

Lies it would catch: a program that belongs to whoever happened to compile it, and that the owner may not run; rights
that depend on who came first.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.databases import OWNER, Database

import trickle
from trickle import Client
from trickle.catalog.install import compile_and_install

QUERIES = (
    "SELECT g, sum(v) AS s, avg(v) AS m FROM source GROUP BY g",
    "SELECT g, sum(v) AS s FROM source GROUP BY g ORDER BY s DESC, g LIMIT 2",
    "SELECT g, count(*) AS n FROM source GROUP BY ROLLUP (g)",
)


@pytest.fixture
def clients(db: Database) -> Iterator[tuple[Client, Client]]:
    """The owner of the catalog and of the tables, and a member of it."""
    member = db.create_role("member", f"LOGIN IN ROLE {OWNER}")
    with trickle.connect(db.url) as owner, trickle.connect(db.url_as(member)) as other:
        owner.connection.execute("CREATE TABLE source (id int PRIMARY KEY, g int, v int)")
        owner.connection.execute("INSERT INTO source SELECT i, i % 3, i FROM generate_series(1, 9) i")
        yield owner, other


def both_refresh(owner: Client, other: Client) -> None:
    """Each of them takes a change, and the rows are right."""
    for number, client in enumerate((owner, other, owner)):
        owner.connection.execute("UPDATE source SET v = v + 1, g = (g + 1) %% 4 WHERE id %% 3 = %s", (number,))
        client.refresh_stream_table("st")
        assert owner.verify("st").equal
        assert other.verify("st").equal


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("compiled_by", ["owner", "member"])
def test_whoever_compiles_it_both_work_on_it(clients: tuple[Client, Client], query: str, compiled_by: str) -> None:
    owner, other = clients
    create = "SELECT pgtrickle.create_stream_table('st', %s, refresh_mode => 'DIFFERENTIAL')"
    owner.connection.execute(create, [QUERIES[0]])
    (owner if compiled_by == "owner" else other).alter_stream_table("st", schedule="1m")
    both_refresh(owner, other)
    for client in (other, owner, other):
        client.alter_stream_table("st", query=query)
        both_refresh(owner, other)
        client.alter_stream_table("st", query=QUERIES[0])
    owner.connection.execute("ALTER TABLE source RENAME v TO w")
    owner.connection.execute("ALTER TABLE source RENAME w TO v")
    owner.connection.execute("ALTER TABLE source ADD COLUMN more int")
    both_refresh(other, owner)
    for client in (other, owner):
        client.alter_stream_table("st", refresh_mode="IMMEDIATE")
        owner.connection.execute("UPDATE source SET v = v + 1")
        other.connection.execute("DELETE FROM source WHERE id = (SELECT max(id) FROM source)")
        assert owner.verify("st").equal
        client.alter_stream_table("st", refresh_mode="DIFFERENTIAL")
        both_refresh(owner, other)
    other.drop_stream_table("st")
    left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'pgtrickle_programs'::regnamespace"
    assert owner.connection.execute(left).fetchone() == (0,)


def test_what_was_made_by_whom_belongs_to_its_owner(db: Database, clients: tuple[Client, Client]) -> None:
    owner, other = clients
    owner.connection.execute(
        "SELECT pgtrickle.create_stream_table('st', %s, refresh_mode => 'DIFFERENTIAL')", [QUERIES[0]]
    )
    other.connection.execute("SELECT pgtrickle.alter_stream_table('st', query => %s)", [QUERIES[1]])
    other.alter_stream_table("st", query=QUERIES[2])
    owner.connection.execute("SELECT pgtrickle.alter_stream_table('st', query => %s)", [QUERIES[1]])
    with trickle.connect(db.superuser_url) as superuser:
        superuser.connection.execute("UPDATE pgtrickle.pgt_stream_tables SET program_state = 'none'")
        (pgt_id,) = superuser.connection.execute("SELECT pgt_id FROM pgtrickle.pgt_stream_tables").fetchone() or (0,)
        assert compile_and_install(superuser.connection, pgt_id).state == "compiled"
        assert superuser.connection.execute("SELECT current_user").fetchone() == ("postgres",)
    both_refresh(owner, other)
    belongs = owner.connection.execute(
        "SELECT relowner::regrole::text FROM pg_class WHERE relnamespace = 'pgtrickle_programs'::regnamespace"
        " UNION SELECT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'pgtrickle_programs'::regnamespace"
    ).fetchall()
    assert belongs == [(OWNER,)], "a program of the superuser's would lend its rights to whoever defines the query"
