"""Creation: what is accepted, what is refused with which error, and that nothing is left half-made."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import errors
from support.databases import Database

from .conftest import Connection, is_equal, one

CREATE = "SELECT pgtrickle.create_stream_table(%s, %s)"

BAD_QUERIES: list[tuple[str, str]] = [
    ("SELECT nope FROM orders", "42703"),
    ("SELECT * FROM nope", "42P01"),
    ("SELEC 1", "42601"),
    ("", "42601"),
    (" ; ", "42601"),
    ("SELECT 1) q; DROP TABLE orders; --", "42601"),
    ("SELECT 1; DROP TABLE orders", "42601"),
    ("SELECT 1) a, (SELECT 2", "42601"),
    ("SELECT 1 /*", "42601"),
    ("DROP TABLE orders", "42601"),
    ("DELETE FROM orders RETURNING id", "42601"),
    ("SELECT 1 AS a INTO other", "42601"),
    ("WITH d AS (DELETE FROM orders RETURNING id) SELECT * FROM d", "0A000"),
    ("SELECT id FROM orders WHERE id = $1", "42P02"),
    ("SELECT id FROM orders LIMIT 5", "0A000"),
    ("SELECT id FROM orders OFFSET 5", "0A000"),
    ("SELECT id FROM orders FETCH FIRST ROW ONLY", "0A000"),
    ("SELECT relname FROM pg_class", "0A000"),
    ("SELECT table_name::text FROM information_schema.tables", "0A000"),
    ("SELECT pgt_name FROM pgtrickle.pgt_stream_tables", "0A000"),
    ("SELECT i FROM fleeting", "0A000"),
    ("SELECT id AS __pgt_x FROM orders", "42939"),
    ("SELECT id, id FROM orders", "42701"),
    ("SELECT row(1, 2) AS r FROM orders", "42P16"),
    ("SELECT ctid FROM orders", "0A000"),
    ("SELECT id FROM orders FOR UPDATE", "0A000"),
    ("SELECT FROM orders", "42601"),
]


@pytest.mark.parametrize(("query", "code"), BAD_QUERIES, ids=[query or "empty" for query, _ in BAD_QUERIES])
def test_a_bad_query_is_refused_and_nothing_is_left(orders: Connection, query: str, code: str) -> None:
    orders.execute("CREATE TEMP TABLE fleeting (i int)")
    before = everything(orders)
    with pytest.raises(psycopg.Error) as caught:
        orders.execute(CREATE, ("bad", query))
    assert caught.value.sqlstate == code
    assert "public.bad" in str(caught.value)
    assert caught.value.diag.message_hint
    assert everything(orders) == before


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM orders;  ;\n",
        "SELECT id FROM orders -- and (",
        "SELECT id FROM orders /* ; */",
        "SELECT ';)--' AS odd, id FROM orders",
        "VALUES (1, 2), (3, 4)",
        "TABLE orders",
        "WITH x AS (SELECT customer, sum(amount) AS s FROM orders GROUP BY 1) SELECT * FROM x",
        "SELECT id FROM orders ORDER BY id LIMIT 3",
        "SELECT id FROM (SELECT id FROM orders ORDER BY id DESC LIMIT 2) x ORDER BY id",
        "SELECT id FROM orders o WHERE EXISTS (SELECT FROM orders p WHERE p.id = o.id LIMIT 1)",
        "SELECT o, id FROM orders o",
        "SELECT count(*) FROM orders",
        "SELECT id, to_json(note)::json AS j FROM orders",
        "SELECT array_agg(id) AS ids, 'a'::varchar(3) AS v, '(1,2)'::point AS p FROM orders",
    ],
)
def test_a_good_query_is_filled(orders: Connection, query: str) -> None:
    orders.execute(CREATE, ("good", query))
    assert is_equal(orders, "good")
    orders.execute("INSERT INTO orders VALUES (100, 1, 5, 'x')")
    orders.execute("DELETE FROM orders WHERE id = 3")
    assert is_equal(orders, "good")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("schedule => '5x'", "22023"),
        ("schedule => '0s'", "22023"),
        ("schedule => NULL", "22023"),
        ("schedule => '* * * *'", "22023"),
        ("schedule => '61 * * * *'", "22023"),
        ("schedule => '* * * * * * *'", "22023"),
        ("schedule => '@sometimes'", "22023"),
        ("schedule_seconds => 0", "22023"),
        ("refresh_mode => 'bogus'", "22023"),
        ("schedule => 'IMMEDIATE', append_only => true", "22023"),
        ("schedule => 'IMMEDIATE', cdc_mode => 'WAL'", "22023"),
        ("refresh_mode => 'immediate', cdc_mode => 'wal'", "22023"),
        ("diamond_consistency => 'none', diamond_schedule_policy => 'slowest'", "22023"),
        ("cdc_mode => 'bogus'", "22023"),
        ("max_differential_joins => -1", "22023"),
        ("partition_by => 'nothing'", "22023"),
        ("partition_by => 'id', refresh_mode => 'IMMEDIATE'", "22023"),
    ],
)
def test_a_bad_option_is_refused(orders: Connection, arguments: str, code: str) -> None:
    with pytest.raises(psycopg.Error) as caught:
        orders.execute(f"SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM orders', {arguments})".encode())
    assert caught.value.sqlstate == code
    assert one(orders, "SELECT to_regclass('t')") is None


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("calculated", None),
        ("5s", "5s"),
        ("90", "90"),
        ("1h30m", "1h30m"),
        ("*/5 1-3 * jan-feb mon,wed", "*/5 1-3 * jan-feb mon,wed"),
        ("0 */5 * * * *", "0 */5 * * * *"),
        ("@hourly", "@hourly"),
    ],
)
def test_schedules(orders: Connection, given: str, stored: str | None) -> None:
    orders.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM orders', %s)", (given,))
    assert one(orders, "SELECT schedule FROM pgtrickle.pgt_stream_tables") == stored


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("1h30m", 5400), ("2d", 172800), ("1w", 604800), ("7", 7), ("", None), ("5 s", None), ("s", None),
     ("-5s", None), ("5s3", None), ("1.5h", None)],
)  # fmt: skip
def test_durations(conn: Connection, text: str, seconds: int | None) -> None:
    assert one(conn, "SELECT pgtrickle.parse_duration_seconds(%s)", text) == seconds


def test_names_that_are_taken(orders: Connection) -> None:
    orders.execute(CREATE, ("t", "SELECT id FROM orders"))
    for name in ("t", "public.t", "orders"):
        with pytest.raises(errors.DuplicateTable):
            orders.execute(CREATE, (name, "SELECT id FROM orders"))
    orders.execute("SELECT pgtrickle.create_stream_table_if_not_exists('t', 'not even SQL')")
    with pytest.raises(errors.InvalidSchemaName):
        orders.execute(CREATE, ("nowhere.t", "SELECT id FROM orders"))


@pytest.mark.parametrize("name", ['a"b', "Mixed Case", "ünïcode", "x" * 63, "semi;colon--", "a'b"])
def test_names_as_odd_as_postgresql_allows(orders: Connection, name: str) -> None:
    given = '"' + name.replace('"', '""') + '"'
    orders.execute(CREATE, (given, "SELECT id FROM orders"))
    assert one(orders, "SELECT pgt_name FROM pgtrickle.pgt_stream_tables") == name
    orders.execute("DELETE FROM orders WHERE id = 1")
    assert is_equal(orders, given)
    orders.execute("SELECT pgtrickle.drop_stream_table(%s)", (given,))


def test_odd_source_and_column_names(conn: Connection) -> None:
    conn.execute(
        'CREATE TABLE "from" ("select" int, "Where;--" text, new int, old int, n int, o int, s int, w int, c1 int)'
    )
    conn.execute(CREATE, ("odd", 'SELECT * FROM "from"'))
    conn.execute('INSERT INTO "from" SELECT i, i, i, i, i, i, i, i, i FROM generate_series(1, 5) i')
    conn.execute('UPDATE "from" SET "Where;--" = $$x$$ WHERE new > 2')
    assert is_equal(conn, "odd")


def test_volatile_functions(orders: Connection) -> None:
    notices = collect_notices(orders)
    query = "SELECT id, random() AS r FROM orders"
    with pytest.raises(errors.FeatureNotSupported, match=r"random\(\)"):
        orders.execute("SELECT pgtrickle.create_stream_table('v', %s, refresh_mode => 'DIFFERENTIAL')", (query,))
    orders.execute(CREATE, ("v", query))
    assert one(orders, "SELECT refresh_mode FROM pgtrickle.pgt_stream_tables") == "FULL"
    assert any("refreshed in full" in notice for notice in notices)


@pytest.mark.parametrize(
    ("expression", "volatility"),
    [
        ("amount::text", "i"),
        ("now()", "s"),
        ("current_date", "s"),
        ("current_user", "s"),
        ("at::text", "s"),
        ("(note || '')::timestamptz", "s"),
        ("date_trunc('hour', at)", "s"),
        ("at > '2020-01-01'::date", "s"),
        ("upper(note) || id::text", "i"),
        ("nextval('numbers')", "v"),
        ("own(id)", "v"),
    ],
)
def test_volatility_is_looked_up_in_the_rule(orders: Connection, expression: str, volatility: str) -> None:
    orders.execute("ALTER TABLE orders ADD COLUMN at timestamptz DEFAULT now()")
    orders.execute("CREATE SEQUENCE numbers")
    orders.execute("CREATE FUNCTION own(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT $1'")
    orders.execute(
        "SELECT pgtrickle.create_stream_table('v', %s, initialize => false)",
        (f"SELECT id, {expression} AS e FROM orders",),
    )
    assert one(orders, "SELECT query_volatility::text FROM pgtrickle.pgt_stream_tables") == volatility


def test_creation_without_filling(orders: Connection) -> None:
    orders.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM orders', initialize => false)")
    row = orders.execute("SELECT status, is_populated FROM pgtrickle.pgt_status()").fetchone()
    assert row == ("INITIALIZING", False)
    assert one(orders, "SELECT count(*) FROM t") == 0
    assert one(orders, "SELECT has_changes FROM pgtrickle.pending()")
    assert is_equal(orders, "t")


def test_names_mean_what_they_mean_to_the_creator(orders: Connection) -> None:
    orders.execute("CREATE SCHEMA elsewhere")
    orders.execute("CREATE TABLE elsewhere.orders (id int)")
    orders.execute("INSERT INTO elsewhere.orders VALUES (-1)")
    orders.execute("SET search_path = elsewhere, public")
    orders.execute(CREATE, ("t", "SELECT id FROM orders"))
    orders.execute("SET search_path = public")
    assert one(orders, "SELECT id FROM elsewhere.t") == -1
    orders.execute("INSERT INTO elsewhere.orders VALUES (-2)")
    assert is_equal(orders, "elsewhere.t")


def test_creation_needs_read_committed_to_fill(orders: Connection) -> None:
    with pytest.raises(errors.ActiveSqlTransaction), orders.transaction():
        orders.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        orders.execute(CREATE, ("t", "SELECT id FROM orders"))


def test_replace_changes_only_what_differs(orders: Connection) -> None:
    replace = "SELECT pgtrickle.create_or_replace_stream_table('t', %s, %s)"
    orders.execute(replace, ("SELECT id FROM orders", "5s"))
    first = orders.execute("SELECT pgt_id, pgt_relid, schedule FROM pgtrickle.pgt_stream_tables").fetchone()
    orders.execute(replace, ("SELECT   id\nFROM orders", "5s"))
    assert orders.execute("SELECT pgt_id, pgt_relid, schedule FROM pgtrickle.pgt_stream_tables").fetchone() == first
    orders.execute(replace, ("SELECT id + 1 AS id FROM orders", "7s"))
    row = orders.execute("SELECT pgt_id, pgt_relid, schedule FROM pgtrickle.pgt_stream_tables").fetchone()
    assert first is not None and row == (first[0], first[1], "7s")
    assert is_equal(orders, "t")


def test_an_exported_definition_runs(orders: Connection) -> None:
    orders.execute(
        "SELECT pgtrickle.create_stream_table('t', 'SELECT id, note || $$ $query$ $$ AS x FROM orders', '7s', 'FULL')"
    )
    orders.execute("SELECT pgtrickle.set_stream_table_sla('t', '90 seconds')")
    orders.execute("SELECT pgtrickle.alter_stream_table('t', tier => 'hot', fuse => 'on', fuse_ceiling => 500)")
    script = one(orders, "SELECT pgtrickle.export_definition('t')")
    options = "schedule, refresh_mode, refresh_tier, freshness_deadline_ms, fuse_mode, fuse_ceiling"
    query = f"SELECT {options} FROM pgtrickle.pgt_stream_tables".encode()
    before = orders.execute(query).fetchall()
    assert before == [("7s", "FULL", "hot", 90_000, "on", 500)]
    orders.execute(script)
    assert orders.execute(query).fetchall() == before
    assert is_equal(orders, "t")


def test_a_superuser_does_not_own_programs_of_an_ordinary_catalog(db: Database, orders: Connection) -> None:
    with db.superuser() as admin, pytest.raises(errors.InsufficientPrivilege) as caught:
        admin.execute(CREATE, ("t", "SELECT id FROM orders"))
    assert "SET ROLE" in str(caught.value.diag.message_hint)


def everything(connection: Connection) -> list[tuple[Any, ...]]:
    """All relations, functions and triggers that a creation could leave behind."""
    return connection.execute(
        "SELECT 'r' || oid FROM pg_class WHERE relpersistence <> 't' AND relnamespace <> 'pg_toast'::regnamespace"
        " UNION ALL SELECT 'f' || oid FROM pg_proc UNION ALL SELECT 't' || oid FROM pg_trigger"
        " UNION ALL SELECT 's' || pgt_id FROM pgtrickle.pgt_stream_tables ORDER BY 1"
    ).fetchall()


def collect_notices(connection: Connection) -> list[str]:
    """The messages of notices and warnings from here on."""
    messages: list[str] = []
    connection.add_notice_handler(lambda diagnostic: messages.append(diagnostic.message_primary or ""))
    return messages
