"""What a stream table says of itself in SQL. Oracle: by hand. Catches: a reason that is lost, a column that is not
explained, a bad name with an error of its own kind, an index that is asked for although it is there.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from support.databases import Database

from trickle import Client, connect

from .conftest import Connection, one

TOTALS = "SELECT customer, avg(amount) AS mean FROM orders WHERE note <> '' GROUP BY customer"


@pytest.fixture
def client(db: Database, orders: Connection) -> Iterator[Client]:
    with connect(db.url) as opened:
        yield opened


@pytest.fixture
def totals(client: Client) -> Connection:
    client.create_stream_table("totals", TOTALS)
    return client.connection


@pytest.mark.parametrize(
    "function",
    [
        "explain_refresh_mode",
        "explain_diff_sql",
        "explain_stream_table",
        "list_auxiliary_columns",
        "stream_table_lineage",
        "missing_indexes",
    ],
)
def test_a_name_that_is_none_is_refused_as_everywhere(conn: Connection, function: str) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable, match=r"stream table not found: public\.nobody"):
        conn.execute(f"SELECT * FROM pgtrickle.{function}('nobody')".encode())


def test_why_a_mode_is_another_than_asked_for(client: Client, totals: Connection) -> None:
    mode = "SELECT * FROM pgtrickle.explain_refresh_mode('totals')"
    assert totals.execute(mode).fetchone() == ("AUTO", "DIFFERENTIAL", None)
    totals.execute("TRUNCATE orders; SELECT pgtrickle.refresh_stream_table('totals')")
    assert totals.execute(mode).fetchone() == ("AUTO", "FULL", "a source was truncated")
    client.alter_stream_table("totals", refresh_mode="FULL")
    assert totals.execute(mode).fetchone() == ("FULL", "FULL", None)

    totals.execute("SELECT pgtrickle.create_stream_table('raw', 'SELECT id FROM orders')")
    assert one(totals, "SELECT downgrade_reason FROM pgtrickle.explain_refresh_mode('raw')") == "not compiled yet"
    totals.execute("SELECT pgtrickle.create_stream_table('chance', 'SELECT random() AS r FROM orders')")
    why = one(totals, "SELECT downgrade_reason FROM pgtrickle.explain_refresh_mode('chance')")
    assert why == "volatile: random()"


def test_the_program_as_text(totals: Connection) -> None:
    assert "MERGE INTO public.totals" in one(totals, "SELECT pgtrickle.explain_diff_sql('totals')")
    totals.execute("SELECT pgtrickle.create_stream_table('raw', 'SELECT id FROM orders')")
    assert one(totals, "SELECT pgtrickle.explain_diff_sql('raw')") is None


def test_hidden_columns_say_what_they_are_for(client: Client, totals: Connection) -> None:
    client.create_stream_table("notes", "SELECT note FROM orders")
    client.create_stream_table("pairs", "SELECT o.note, p.amount FROM orders o JOIN orders p ON p.id = o.customer")
    found = {
        name: totals.execute("SELECT * FROM pgtrickle.list_auxiliary_columns(%s)", (name,)).fetchall()
        for name in ("totals", "notes", "pairs")
    }
    assert [(column, type_) for column, type_, _ in found["totals"]] == [
        ("__pgt_count", "bigint"),
        ("__pgt_sum_1", "numeric"),
        ("__pgt_count_2", "bigint"),
    ]
    assert found["notes"] == [("__pgt_key_1", "integer", "key of the row that the query does not select")]
    assert all("needed by the program" not in row for rows in found.values() for row in rows)
    stored = one(
        totals,
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'totals'::regclass AND attname LIKE '\\_\\_pgt\\_%'",
    )
    assert stored == len(found["totals"])


def test_lineage(totals: Connection) -> None:
    lineage = "SELECT * FROM pgtrickle.stream_table_lineage(%s)"
    assert totals.execute(lineage, ("totals",)).fetchall() == [
        ("customer", "public.orders", "customer"),
        ("mean", "public.orders", "amount"),
    ]
    totals.execute("SELECT pgtrickle.create_stream_table('raw', 'SELECT id + 1 AS x FROM orders')")
    assert totals.execute(lineage, ("raw",)).fetchall() == [(None, "public.orders", "id")]


def test_the_report_tells_all_of_it(client: Client, totals: Connection) -> None:
    totals.execute("UPDATE orders SET amount = 0 WHERE id = 1; SELECT pgtrickle.refresh_stream_table('totals')")
    report = one(totals, "SELECT pgtrickle.explain_stream_table('totals')")
    for words in (
        "Stream table public.totals (active)",
        "Refresh: AUTO, last ",
        "Kept as: folded groups",
        "the group itself is not read again",
        "Source: public.orders (table, captured by triggers)",
        "Hidden column: __pgt_count, how many rows the group has",
        "Cost: in full about",
    ):
        assert words in report
    properties = dict(totals.execute("SELECT * FROM pgtrickle.explain_st('totals')").fetchall())
    assert properties["requested_mode"] == "AUTO" and properties["strategy"] == "folded groups"
    assert "missing_indexes" not in properties


def test_an_index_is_named_with_its_command(client: Client, orders: Connection) -> None:
    orders.execute('CREATE TABLE "Odd Lines" ("Order Id" int, price int, CHECK (price > 0))')
    orders.execute('INSERT INTO "Odd Lines" SELECT i % 9 + 1, i + 1 FROM generate_series(1, 3000) i')
    orders.execute('ANALYZE "Odd Lines"; ANALYZE orders')
    query = 'SELECT o.id, l.price FROM orders o JOIN "Odd Lines" l ON l."Order Id" = o.id'
    client.create_stream_table("lines", query)
    missing = "SELECT * FROM pgtrickle.missing_indexes('lines')"
    statement = 'CREATE INDEX ON public."Odd Lines" ("Order Id")'
    # The key of the nine orders needs none.
    assert orders.execute(missing).fetchall() == [
        ("public.lines", 'public."Odd Lines"', ["Order Id"], 3000.0, statement)
    ]
    assert "An index would help: " + statement in one(orders, "SELECT pgtrickle.explain_stream_table('lines')")
    assert client.explain("lines")["missing_indexes"] == statement
    assert client.explain_query(query)["missing_indexes"] == [statement]

    orders.execute('CREATE INDEX ON "Odd Lines" ("Order Id") WHERE price > 5')
    assert orders.execute(missing).fetchall(), "a part of the rows is not enough"
    orders.execute(statement.encode())
    assert orders.execute(missing).fetchall() == []
    assert client.explain_query(query)["missing_indexes"] == []


def test_the_index_that_is_named_is_used(client: Client, orders: Connection) -> None:
    """With it the program's own statement looks the rows up; without it the whole table is scanned."""
    orders.execute("CREATE TABLE lines (order_id int, price int)")
    orders.execute("INSERT INTO lines SELECT i % 9000 + 1, i FROM generate_series(1, 90000) i; ANALYZE lines")
    client.create_stream_table(
        "priced", "SELECT o.id, l.price FROM orders o JOIN lines l ON l.order_id = o.id", refresh_mode="DIFFERENTIAL"
    )
    scans = (
        "SELECT coalesce(pg_stat_get_xact_numscans('lines'::regclass), 0),"
        " coalesce((SELECT sum(pg_stat_get_xact_numscans(indexrelid)) FROM pg_index"
        " WHERE indrelid = 'lines'::regclass), 0)"
    )

    def refreshed() -> tuple[int, int]:
        """How often the table was scanned, and how often it was looked into by an index."""
        with client.connection.transaction():
            client.connection.execute("UPDATE orders SET id = id + 1000 WHERE id = 1 OR id > 1000")
            before = client.connection.execute(scans).fetchone()
            client.connection.execute("SELECT pgtrickle.refresh_stream_table('priced')")
            after = client.connection.execute(scans).fetchone()
        assert before is not None and after is not None
        return after[0] - before[0], after[1] - before[1]

    scanned, looked_up = refreshed()
    assert scanned > 0 and looked_up == 0
    for (statement,) in orders.execute("SELECT statement FROM pgtrickle.missing_indexes()").fetchall():
        orders.execute(statement.encode())
    scanned, looked_up = refreshed()
    assert scanned == 0 and looked_up > 0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT id FROM orders", {("resolved_refresh_mode", "DIFFERENTIAL", "INFO"),
                                   ("volatility", "immutable", "INFO"),
                                   ("source", "public.orders is captured by triggers", "INFO")}),
        ("SELECT random() AS r FROM orders", {("resolved_refresh_mode", "FULL", "WARNING"),
                                              ("volatility", "volatile: random()", "WARNING")}),
        ("SELECT now() AS n FROM orders", {("volatility", "not immutable: now()", "WARNING")}),
        ("SELECT a FROM bag", {("key", "public.bag has no key: its rows are told apart by all their columns",
                                "WARNING")}),
        ("SELECT a FROM seen", {("source", "public.seen cannot be captured and is read anew each time", "WARNING"),
                                ("resolved_refresh_mode", "FULL", "WARNING")}),
        ("SELECT nothing FROM orders", {("resolved_refresh_mode", None, "ERROR"),
                                        ("query", 'the query: column "nothing" does not exist', "ERROR")}),
        ("DELETE FROM orders", {("resolved_refresh_mode", None, "ERROR")}),
    ],
)  # fmt: skip
def test_validating_a_query(orders: Connection, query: str, expected: set[tuple[str, str | None, str]]) -> None:
    orders.execute("CREATE TABLE bag (a int); CREATE MATERIALIZED VIEW seen AS SELECT a FROM bag")
    rows = orders.execute("SELECT * FROM pgtrickle.validate_query(%s)", (query,)).fetchall()
    assert rows[0][0] == "resolved_refresh_mode"
    assert expected <= set(rows)
    left = "SELECT count(*) FROM pg_class WHERE relnamespace = 'pgtrickle_programs'::regnamespace AND relkind = 'v'"
    assert one(orders, left) == 0


def test_rights_are_part_of_validating(db: Database, orders: Connection) -> None:
    clerk = db.create_role()
    with db.superuser() as admin:
        admin.execute(
            f"CREATE TABLE secret (id int PRIMARY KEY); CREATE VIEW shown AS SELECT id FROM secret;"
            f" ALTER TABLE secret OWNER TO {clerk}; ALTER VIEW shown OWNER TO {clerk};"
            " GRANT SELECT ON shown TO PUBLIC".encode()
        )

    def said(query: str) -> list[tuple[str, str]]:
        rows = orders.execute("SELECT * FROM pgtrickle.validate_query(%s)", (query,)).fetchall()
        return [(result, severity) for check, result, severity in rows if check in ("rights", "query")]

    assert said("SELECT id FROM secret") == [("the query: permission denied for table secret", "ERROR")]
    assert said("SELECT id FROM shown") == [
        (f"app_owner must act as {clerk} to capture public.secret", "ERROR"),
        ("app_owner reads public.secret through a view only", "WARNING"),
    ]
