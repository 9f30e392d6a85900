"""Foreign tables and materialized views: no trigger tells of their changes, so each refresh looks for them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from psycopg import errors
from support.databases import OWNER, Database

import trickle
from trickle import Client

from .conftest import Connection, one
from .test_alter_drop import leftovers

GROUPS = "SELECT kind, count(*) AS n, sum(amount) AS amount, max(note) AS note FROM m GROUP BY kind"


@pytest.fixture
def client(db: Database) -> Iterator[Client]:
    with trickle.connect(db.url) as opened:
        yield opened


@pytest.fixture
def items(conn: Connection) -> Connection:
    """A table without a key, duplicates and NULLs in it, and a materialized view of it."""
    conn.execute("CREATE TABLE items (id int, kind int, amount numeric, note text)")
    conn.execute(
        "INSERT INTO items SELECT i % 40, nullif(i % 5, 4), i / 2.0, 'n' || i % 7 FROM generate_series(1, 80) i"
    )
    conn.execute("CREATE MATERIALIZED VIEW m AS SELECT * FROM items")
    return conn


def change(connection: Connection) -> None:
    for statement in (
        "DELETE FROM items WHERE id BETWEEN 3 AND 6",
        "UPDATE items SET amount = amount + 1, kind = 1 WHERE id % 10 = 0",
        "INSERT INTO items VALUES (1, NULL, NULL, NULL), (1, NULL, NULL, NULL), (9, 2, 1.00, 'x'), (9, 2, 1.0, 'x')",
    ):
        connection.execute(statement.encode())


@pytest.mark.parametrize(
    "query",
    [
        GROUPS,
        "SELECT id, note FROM m WHERE amount > 10",
        "SELECT amount FROM m",
        "SELECT DISTINCT kind FROM m",
        "SELECT a.id, b.note FROM m a JOIN m AS b ON a.id = b.id + 1",
        "SELECT i.id, m.note FROM items i LEFT JOIN m ON m.id = i.id AND m.kind = 1",
        "SELECT id FROM items EXCEPT SELECT id FROM m",
        'SELECT "m".id, rank() OVER (PARTITION BY kind ORDER BY amount, id) AS r FROM public . "m"',
        "SELECT id, amount FROM m ORDER BY amount DESC NULLS LAST, id LIMIT 5",
        "WITH RECURSIVE w(id) AS (SELECT 1 UNION SELECT m.id + 1 FROM m JOIN w ON m.id = w.id) SELECT id FROM w",
    ],
)
def test_a_materialized_view_is_followed_by_difference(client: Client, items: Connection, query: str) -> None:
    client.create_stream_table("t", query, refresh_mode="DIFFERENTIAL")
    assert client.status("t").program_state == "compiled"
    assert client.verify("t").equal
    for _ in range(2):
        change(items)
        items.execute("REFRESH MATERIALIZED VIEW m")
        assert client.refresh_stream_table("t").action == "DIFFERENTIAL"
        assert client.verify("t").equal
    assert client.refresh_stream_table("t").action == "NO_DATA"
    assert items.execute(
        "SELECT source_type, cdc_mode FROM pgtrickle.pgt_dependencies WHERE source_name = 'm'"
    ).fetchone() == (
        "MATVIEW",
        "POLL",
    )


def test_a_view_refreshed_concurrently_and_views_above_it(client: Client, items: Connection) -> None:
    items.execute("CREATE MATERIALIZED VIEW u AS SELECT kind, count(*) AS n FROM items GROUP BY kind")
    items.execute("CREATE UNIQUE INDEX ON u (kind)")
    items.execute("CREATE VIEW above AS SELECT kind, n * 2 AS twice FROM u")
    client.create_stream_table("first", "SELECT kind, twice FROM above WHERE twice > 2", refresh_mode="DIFFERENTIAL")
    client.create_stream_table("second", "SELECT sum(twice) AS total FROM first", refresh_mode="DIFFERENTIAL")
    change(items)
    items.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY u")
    for name in ("first", "second"):
        assert client.refresh_stream_table(name).action == "DIFFERENTIAL"
        assert client.verify(name).equal


def test_types_without_equality(client: Client, items: Connection) -> None:
    items.execute(
        "CREATE MATERIALIZED VIEW odd AS SELECT id, to_json(amount) AS j, ARRAY[id, kind] AS a, int4range(0, id) AS r,"
        " point(id, 0) AS p FROM items"
    )
    client.create_stream_table("t", "SELECT id, j, a, r, p FROM odd")
    change(items)
    items.execute("REFRESH MATERIALIZED VIEW odd")
    client.refresh_stream_table("t")
    assert client.verify("t").equal


def test_one_copy_serves_all_and_goes_with_the_last(client: Client, items: Connection) -> None:
    for name in ("a", "b"):
        client.create_stream_table(name, GROUPS, refresh_mode="DIFFERENTIAL")
    assert one(items, "SELECT count(*) FROM pgtrickle.pgt_change_tracking WHERE polled_relid = 'm'::regclass") == 1
    change(items)
    items.execute("REFRESH MATERIALIZED VIEW m")
    assert client.refresh_stream_table("a").action == "DIFFERENTIAL"
    assert client.refresh_stream_table("b").action == "DIFFERENTIAL"
    assert client.verify("a").equal and client.verify("b").equal
    client.drop_stream_table("a")
    change(items)
    items.execute("REFRESH MATERIALIZED VIEW m")
    assert client.refresh_stream_table("b").action == "DIFFERENTIAL" and client.verify("b").equal
    client.alter_stream_table("b", query=GROUPS.replace("FROM m", "FROM items"))
    assert one(items, "SELECT count(*) FROM pgtrickle.pgt_change_tracking WHERE polled_relid IS NOT NULL") == 0
    change(items)
    assert client.verify("b").equal
    client.alter_stream_table("b", query=GROUPS)
    assert client.verify("b").equal
    client.drop_stream_table("b")
    assert leftovers(items) == []


def test_without_a_program_the_query_reads_the_source(items: Connection) -> None:
    items.execute("SELECT pgtrickle.create_stream_table('t', %s)", (GROUPS,))
    change(items)
    items.execute("REFRESH MATERIALIZED VIEW m")
    assert one(items, "SELECT equal FROM pgtrickle.verify('t')")
    items.execute("SELECT pgtrickle.drop_stream_table('t')")
    assert leftovers(items) == []


def test_many_refreshers_of_one_source(db: Database, client: Client, items: Connection) -> None:
    """Each finds the same changes; only one of them may write them down."""
    names = [f"t{i}" for i in range(4)]
    for name in names:
        client.create_stream_table(name, GROUPS, refresh_mode="DIFFERENTIAL")

    def refresh(name: str) -> None:
        with trickle.connect(db.url) as other:
            for _ in range(10):
                other.refresh_stream_table(name)

    with ThreadPoolExecutor(len(names)) as pool:
        running = [pool.submit(refresh, name) for name in names]
        while not all(work.done() for work in running):
            change(items)
            items.execute("REFRESH MATERIALIZED VIEW m")
        for work in running:
            work.result()
    for name in names:
        assert client.verify(name).equal


def test_an_old_snapshot_does_not_write_down_what_is_known(db: Database, client: Client, items: Connection) -> None:
    client.create_stream_table("a", GROUPS, refresh_mode="DIFFERENTIAL")
    client.create_stream_table("b", GROUPS, refresh_mode="DIFFERENTIAL")
    change(items)
    items.execute("REFRESH MATERIALIZED VIEW m")
    with db.connect(autocommit=False) as unit:
        unit.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        unit.execute("SET LOCAL pg_trickle.unit = 'on'")
        unit.execute("SELECT 1")
        client.refresh_stream_table("a")
        with pytest.raises(errors.SerializationFailure):
            unit.execute("SELECT pgtrickle.refresh_stream_table('b')")
    assert client.verify("a").equal and client.verify("b").equal


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT id, m.tableoid::int8 AS source FROM m", "tableoid of public.m"),
        ("SELECT id, m AS whole FROM m", "whole rows of public.m"),
    ],
)
def test_what_a_copy_cannot_tell(client: Client, items: Connection, query: str, reason: str) -> None:
    client.create_stream_table("t", query)
    status = client.status("t")
    assert status.program_state == "full_only" and reason in str(status.program_reason)
    change(items)
    items.execute("REFRESH MATERIALIZED VIEW m")
    client.refresh_stream_table("t")
    assert client.verify("t").equal


def test_immediate_is_refused(client: Client, items: Connection) -> None:
    for schedule, mode in (("calculated", "IMMEDIATE"), ("IMMEDIATE", "AUTO")):
        with pytest.raises(errors.FeatureNotSupported, match="whose writes fire no triggers"):
            items.execute("SELECT pgtrickle.create_stream_table('t', %s, %s, %s)", (GROUPS, schedule, mode))
    assert leftovers(items) == []


def test_a_materialized_view_that_is_made_again(client: Client, items: Connection) -> None:
    client.create_stream_table("t", "SELECT id, kind FROM m", refresh_mode="DIFFERENTIAL")
    items.execute("ALTER MATERIALIZED VIEW m RENAME COLUMN note TO remark")
    items.execute("ALTER MATERIALIZED VIEW m RENAME COLUMN kind TO sort")
    change(items)
    items.execute("REFRESH MATERIALIZED VIEW m")
    client.refresh_stream_table("t")
    assert client.verify("t").equal
    client.alter_stream_table("t", query="SELECT id, sort AS kind FROM m")
    items.execute("ALTER MATERIALIZED VIEW m RENAME TO renamed")
    items.execute("DELETE FROM items WHERE id < 20")
    items.execute("REFRESH MATERIALIZED VIEW renamed")
    client.refresh_stream_table("t")
    assert client.verify("t").equal
    with pytest.raises(errors.DependentObjectsStillExist):
        items.execute("DROP MATERIALIZED VIEW renamed")


def test_restored_elsewhere(client: Client, items: Connection) -> None:
    client.create_stream_table("t", GROUPS, refresh_mode="DIFFERENTIAL")
    items.execute("SELECT pgtrickle.restore_stream_tables()")
    change(items)
    items.execute("REFRESH MATERIALIZED VIEW m")
    client.refresh_stream_table("t")
    assert client.verify("t").equal
    client.alter_stream_table("t", query=GROUPS.replace("max", "min"))
    change(items)
    items.execute("REFRESH MATERIALIZED VIEW m")
    assert client.refresh_stream_table("t").action == "DIFFERENTIAL" and client.verify("t").equal
    client.drop_stream_table("t")
    assert leftovers(items) == []


@pytest.fixture
def foreign(db: Database, items: Connection) -> Connection:
    """The table `items` as a foreign table `far`, seen through a connection of the server to itself."""
    with db.superuser() as admin:
        if one(admin, "SELECT count(*) FROM pg_available_extensions WHERE name = 'postgres_fdw'") == 0:
            pytest.skip("this server has no postgres_fdw")
        host, port = one(admin, "SHOW unix_socket_directories"), one(admin, "SHOW port")
        for statement in (
            "CREATE EXTENSION postgres_fdw",
            "CREATE SERVER itself FOREIGN DATA WRAPPER postgres_fdw"
            f" OPTIONS (host '{host}', port '{port}', dbname '{db.name}')",
            f"CREATE USER MAPPING FOR {OWNER} SERVER itself OPTIONS (user '{OWNER}', password_required 'false')",
            f"GRANT USAGE ON FOREIGN SERVER itself TO {OWNER}",
        ):
            admin.execute(statement.encode())
    items.execute(
        "CREATE FOREIGN TABLE far (id int, kind int, amount numeric, note text) SERVER itself"
        " OPTIONS (table_name 'items')"
    )
    return items


def test_a_foreign_table_is_followed_by_difference(client: Client, foreign: Connection) -> None:
    client.create_stream_table("t", GROUPS.replace("FROM m", "FROM far"), refresh_mode="DIFFERENTIAL")
    client.create_stream_table("u", "SELECT far.id, far.note FROM far JOIN m USING (id)", refresh_mode="DIFFERENTIAL")
    change(foreign)
    for name in ("t", "u"):
        assert client.refresh_stream_table(name).action == "DIFFERENTIAL"
        assert client.verify(name).equal
        assert client.refresh_stream_table(name).action == "NO_DATA"
    assert one(foreign, "SELECT count(*) FROM pgtrickle.pgt_change_tracking WHERE polled_relid = 'far'::regclass") == 1


def test_a_foreign_table_changes_its_columns(client: Client, foreign: Connection) -> None:
    client.create_stream_table("t", "SELECT id, note FROM far WHERE kind > 0", refresh_mode="DIFFERENTIAL")
    foreign.execute("ALTER TABLE items ADD COLUMN more int DEFAULT 7, ADD COLUMN text text DEFAULT 'y'")
    foreign.execute("ALTER FOREIGN TABLE far ADD COLUMN more int, ADD COLUMN text text")
    change(foreign)
    assert client.refresh_stream_table("t").action == "DIFFERENTIAL" and client.verify("t").equal
    client.create_stream_table("u", "SELECT id, more FROM far", refresh_mode="DIFFERENTIAL")
    foreign.execute("UPDATE items SET more = 8, kind = kind + 1 WHERE id < 9")
    for name in ("t", "u"):
        assert client.refresh_stream_table(name).action == "DIFFERENTIAL" and client.verify(name).equal
    foreign.execute("ALTER FOREIGN TABLE far DROP COLUMN amount, ALTER COLUMN text TYPE varchar(9)")
    foreign.execute("UPDATE items SET kind = kind - 1, more = 9 WHERE id > 30")
    for name in ("t", "u"):
        client.refresh_stream_table(name)
        assert client.verify(name).equal
        assert (
            client.alter_stream_table(
                name,
                query=one(foreign, "SELECT original_query FROM pgtrickle.pgt_stream_tables WHERE pgt_name = %s", name),
            ).program_state
            == "compiled"
        )
    foreign.execute("UPDATE items SET kind = kind - 1, more = 10 WHERE id > 20")
    for name in ("t", "u"):
        assert client.refresh_stream_table(name).action == "DIFFERENTIAL" and client.verify(name).equal
    assert one(foreign, "SELECT count(*) FROM pgtrickle.pgt_change_tracking WHERE polled_relid = 'far'::regclass") == 1
    for name in ("t", "u"):
        client.drop_stream_table(name)
    assert leftovers(foreign) == []


def test_a_partition_that_is_far_away(client: Client, foreign: Connection) -> None:
    foreign.execute("CREATE TABLE parted (id int, kind int, amount numeric, note text) PARTITION BY RANGE (id)")
    foreign.execute("CREATE TABLE near PARTITION OF parted FOR VALUES FROM (1000) TO (2000)")
    foreign.execute(
        "CREATE FOREIGN TABLE far_part PARTITION OF parted FOR VALUES FROM (0) TO (1000)"
        " SERVER itself OPTIONS (table_name 'items')"
    )
    client.create_stream_table("t", GROUPS.replace("FROM m", "FROM parted"), refresh_mode="DIFFERENTIAL")
    change(foreign)
    foreign.execute("INSERT INTO parted VALUES (1500, 1, 1, 'near')")
    assert client.refresh_stream_table("t").action == "DIFFERENTIAL" and client.verify("t").equal


def test_rights_are_those_of_the_stream_tables_owner(db: Database, client: Client, items: Connection) -> None:
    with db.superuser() as admin:
        admin.execute("CREATE MATERIALIZED VIEW secret AS SELECT 1 AS id")
    with pytest.raises(errors.InsufficientPrivilege):
        items.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM secret')")
    with db.superuser() as admin:
        admin.execute("GRANT SELECT ON secret TO app_owner")
    client.create_stream_table("t", "SELECT id FROM secret", refresh_mode="DIFFERENTIAL")
    with db.superuser() as admin:
        admin.execute("REVOKE SELECT ON secret FROM app_owner")
    with pytest.raises(errors.InsufficientPrivilege):
        items.execute("SELECT pgtrickle.refresh_stream_table('t')")
