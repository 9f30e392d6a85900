"""What the page about hosted databases tells to type works, as an ordinary owner, and does what it says."""

from __future__ import annotations

import re

import psycopg
from psycopg import sql
from support.databases import Database
from support.repository import ROOT

import trickle
from trickle.embedded import Server

PAGE = (ROOT / "docs" / "hosted.md").read_text(encoding="utf-8")
CHECKS, ROLE, SECURITY = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def spoken(block: str) -> list[str]:
    """The statements of a block, without its comments."""
    return [found.strip() for found in re.sub(r"--[^\n]*", "", block).split(";") if found.strip()]


def test_what_is_asked_before_is_answered_as_it_says(db: Database) -> None:
    with db.connect() as owner:
        answers = [(owner.execute(found.encode()).fetchone() or ())[0] for found in spoken(CHECKS)]
    may_create, is_standby, identifier, connections, prepared = answers
    assert may_create is True and is_standby is False
    assert isinstance(identifier, int)
    assert int(connections) > 0 and int(prepared) >= 0


def test_the_role_can_be_made(server: Server) -> None:
    with psycopg.connect(server.url()) as admin:
        for found in spoken(ROLE):
            admin.execute(found.encode())
        admin.rollback()


def test_row_security_of_a_stream_table_holds_for_readers_and_not_for_refreshes(db: Database) -> None:
    with db.connect() as owner, trickle.connect(db.url) as client:
        owner.execute("CREATE TABLE orders (id int PRIMARY KEY, customer int, amount numeric)")
        client.create_stream_table(
            "order_totals", "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer"
        )
        for found in spoken(SECURITY):
            owner.execute(found.encode())
        owner.execute("INSERT INTO orders VALUES (1, 1, 10), (2, 2, 20)")
        for told in re.findall(r"`(SELECT pgtrickle\.[^`]+)`", PAGE):
            owner.execute(told.encode())
        assert client.verify("order_totals").equal
        assert owner.execute("SELECT count(*) FROM order_totals").fetchone() == (2,)
        owner.execute("CREATE POLICY own ON order_totals USING (customer = 1)")
        owner.execute("INSERT INTO orders VALUES (3, 1, 5)")
        client.refresh_stream_table("order_totals")
        assert client.verify("order_totals").equal
        clerk = db.create_role()
        owner.execute(sql.SQL("GRANT SELECT ON order_totals TO {}").format(sql.Identifier(clerk)))
        with db.connect_as(clerk) as reader:
            assert reader.execute("SELECT customer, total FROM order_totals").fetchall() == [(1, 15)]


def test_the_sums_of_connections_are_right() -> None:
    """Of a worker and a supervisor with their defaults, as it says."""
    from trickle.supervisor.options import WorkerOptions
    from trickle.tenants import Budget
    from trickle.tenants.budget import OWN_SESSIONS

    own = 3  # locks, catalog, watch: docs/high-availability.md
    assert f"A worker takes {own + WorkerOptions(url='').children} with its defaults" in PAGE
    assert f"a supervisor up to {OWN_SESSIONS + Budget().connections}" in PAGE
