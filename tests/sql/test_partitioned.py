"""partition_by: the rows of a stream table lie in partitions, and it is kept as any other.

Lies it would catch: a row that is found in one partition and written in another, for each numbers its rows for itself;
rows that move, or are updated beside others that are inserted, and reach a stream table above with another's image; a
partition that can be written directly; partitions that are lost when the query, or what parts the rows, changes.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from psycopg import errors
from support.databases import Database

import trickle
from trickle import Client
from trickle.errors import TrickleError

from .conftest import Connection, one

PARTS = (
    "SELECT array_agg(c.relname::text ORDER BY c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = 't'::regclass"
)
QUERIES = {
    "by key": "SELECT id, kind, amount, note FROM items WHERE amount > 2",
    "by a hidden key": "SELECT kind, amount, note FROM items",
    "by hash": "SELECT i.kind, i.amount, w.word AS note FROM items i, regexp_split_to_table(i.note, ' ') AS w(word)",
    "folded": "SELECT kind, note, sum(amount) AS amount, count(*) AS n FROM items GROUP BY kind, note",
    "folded by a hidden key": "SELECT kind, sum(amount) AS amount, count(*) AS note FROM items GROUP BY kind, note",
    "extremes": "SELECT kind, min(amount) AS amount, max(note) AS note FROM items GROUP BY kind",
    "recomputed": "SELECT kind, sum(amount) AS amount, min(note) AS note FROM items GROUP BY kind HAVING count(*) > 2",
    "distinct": "SELECT DISTINCT kind, amount, note FROM items",
    "first": "SELECT kind, amount, note FROM items ORDER BY amount DESC NULLS LAST, id LIMIT 15",
}  # fmt: skip
PARTITION_BY = ["kind", "note, kind", "LIST:kind", "HASH:kind", "HASH:amount:3"]


@pytest.fixture
def client(db: Database) -> Iterator[Client]:
    with trickle.connect(db.url) as opened:
        yield opened


@pytest.fixture
def items(conn: Connection) -> Connection:
    conn.execute("CREATE TABLE items (id int PRIMARY KEY, kind int, amount int, note text)")
    conn.execute("INSERT INTO items SELECT i, nullif(i % 5, 4), i % 11, 'n m' || i % 7 FROM generate_series(1, 80) i")
    return conn


def change(connection: Connection, turn: int) -> None:
    for statement in (
        f"DELETE FROM items WHERE id % 9 = {turn}",
        f"UPDATE items SET kind = (kind + 1) % 5 WHERE id % 7 = {turn}",
        f"UPDATE items SET amount = amount * 2, note = 'n z' WHERE id % 8 = {turn}",
        f"INSERT INTO items SELECT i, i % 6, i % 13, 'n m' FROM generate_series(1000 * {turn}, 1000 * {turn} + 20) i",
    ):
        connection.execute(statement.encode())


def in_parts(connection: Connection) -> None:
    """Give the values of `kind` partitions of their own."""
    how = one(connection, "SELECT partstrat FROM pg_partitioned_table WHERE partrelid = 't'::regclass")
    if how == "l":
        connection.execute("CREATE TABLE few PARTITION OF t FOR VALUES IN (1, 2)")
        connection.execute("CREATE TABLE none PARTITION OF t FOR VALUES IN (NULL)")


@pytest.mark.parametrize("partition_by", PARTITION_BY)
@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_kept_as_any_other(client: Client, items: Connection, query: str, partition_by: str) -> None:
    client.create_stream_table("t", query, refresh_mode="DIFFERENTIAL", partition_by=partition_by, initialize=False)
    in_parts(items)
    assert client.alter_stream_table("t", tier="hot").program_state == "compiled"
    for turn in range(1, 5):
        change(items, turn)
        assert client.refresh_stream_table("t").action == "DIFFERENTIAL"
        assert client.verify("t").equal
    change(items, 6)
    assert client.refresh_stream_table("t", full=True).action == "FULL"
    assert client.verify("t").equal
    assert client.refresh_stream_table("t").action == "NO_DATA"
    assert one(items, "SELECT count(*) FROM pg_class WHERE relname = 't' AND relkind = 'p'") == 1


def test_partitions_and_what_is_said_of_them(client: Client, items: Connection) -> None:
    for partition_by, parts in (
        ("kind", ["t_default"]),
        ("kind, note", ["t_default"]),
        ("list: kind", ["t_default"]),
        ("HASH:kind", ["t_p0", "t_p1", "t_p2", "t_p3"]),
        ("hash:note:2", ["t_p0", "t_p1"]),
    ):
        client.create_stream_table("t", QUERIES["by key"], partition_by=partition_by)
        assert one(items, PARTS) == parts
        assert client.explain("t")["partition_by"] == partition_by
        said = one(items, "SELECT value FROM pgtrickle.explain_st('t') WHERE property = 'storage'")
        assert said.splitlines()[0].startswith("stream table: ") and "stream table: 0 bytes" not in said
        definition = one(items, "SELECT pgtrickle.export_definition('t')")
        items.execute(definition.encode())
        assert one(items, PARTS) == parts
        client.drop_stream_table("t")
        assert one(items, "SELECT count(*) FROM pg_class WHERE relname LIKE 't\\_%'") == 0


@pytest.mark.parametrize(
    "partition_by", ["nothing", "kind,nothing", "LIST:kind,note", "HASH:kind:0", "kind:3", " ", "HASH:"]
)
def test_what_makes_no_sense(client: Client, items: Connection, partition_by: str) -> None:
    with pytest.raises(TrickleError, match="invalid argument: partition_by"):
        client.create_stream_table("t", QUERIES["by key"], partition_by=partition_by)
    client.create_stream_table("t", QUERIES["by key"])
    with pytest.raises(TrickleError, match="invalid argument: partition_by"):
        client.alter_stream_table("t", partition_by=partition_by)
    change(items, 1)
    client.refresh_stream_table("t")
    assert client.verify("t").equal


def test_it_does_not_go_with_immediate(client: Client, items: Connection) -> None:
    with pytest.raises(TrickleError, match="does not go with refresh_mode"):
        client.create_stream_table("t", QUERIES["by key"], partition_by="kind", refresh_mode="IMMEDIATE")
    client.create_stream_table("t", QUERIES["by key"], partition_by="kind")
    with pytest.raises(TrickleError, match="does not go with refresh_mode"):
        client.alter_stream_table("t", refresh_mode="IMMEDIATE")
    client.create_stream_table("u", QUERIES["by key"], refresh_mode="IMMEDIATE")
    with pytest.raises(TrickleError, match="does not go with refresh_mode"):
        client.alter_stream_table("u", partition_by="kind")


def test_odd_names(client: Client, items: Connection) -> None:
    items.execute('CREATE SCHEMA "Odd.Schema"')
    name = '"Odd.Schema"."T %s"'
    query = 'SELECT id, kind AS "Kind of, it", note FROM items'
    for partition_by in ('LIST:"Kind of it"', 'HASH:"Note""s":2'):
        column = "Kind of it" if "Kind" in partition_by else 'Note"s'
        quoted = column.replace('"', '""')
        query = f'SELECT id, kind AS "{quoted}" FROM items'
        client.create_stream_table(name, query, partition_by=partition_by)
        change(items, 2 + len(partition_by))
        client.refresh_stream_table(name)
        assert client.verify(name).equal
        client.drop_stream_table(name)


def test_nobody_writes_a_partition_directly(client: Client, items: Connection) -> None:
    client.create_stream_table("t", QUERIES["by key"], partition_by="kind")
    for statement in ("DELETE FROM t", "DELETE FROM t_default", "TRUNCATE t_default", "UPDATE t_default SET kind = 1"):
        with pytest.raises(errors.WrongObjectType):
            items.execute(statement.encode())
    items.execute("CREATE TABLE late PARTITION OF t FOR VALUES FROM (100) TO (200)")
    client.refresh_stream_table("t")
    with pytest.raises(errors.WrongObjectType):
        items.execute("INSERT INTO late SELECT * FROM late")


@pytest.mark.parametrize("former", [None, "kind", "HASH:kind:2"])
@pytest.mark.parametrize("partition_by", ["LIST:kind", "HASH:kind:3", ""])
def test_other_partitions(client: Client, items: Connection, former: str | None, partition_by: str) -> None:
    client.create_stream_table("t", QUERIES["folded"], refresh_mode="DIFFERENTIAL", partition_by=former)
    items.execute("CREATE VIEW v AS SELECT sum(n) AS n FROM t")
    items.execute("CREATE INDEX mine ON t (n)")
    original = one(items, "SELECT original_query FROM pgtrickle.pgt_stream_tables")
    change(items, 1)
    assert client.alter_stream_table("t", partition_by=partition_by).program_state == "compiled"
    assert client.verify("t").equal
    assert one(items, PARTS) == ({"L": ["t_default"], "H": ["t_p0", "t_p1", "t_p2"]}.get(partition_by[:1]))
    assert one(items, "SELECT original_query FROM pgtrickle.pgt_stream_tables") == original
    assert (
        one(items, "SELECT count(*) FROM pg_index WHERE indexrelid = 'mine'::regclass AND indrelid = 't'::regclass")
        == 1
    )
    for turn in (2, 3):
        change(items, turn)
        assert client.refresh_stream_table("t").action == "DIFFERENTIAL"
        assert client.verify("t").equal
    assert one(items, "SELECT n FROM v") == one(items, "SELECT count(*) FROM items")
    left = "SELECT array_agg(relname::text) FROM pg_class WHERE relname LIKE '%aside%' OR relname LIKE '%pgt_old%'"
    assert one(items, left) is None


def test_another_query_keeps_the_partitions(db: Database, client: Client, items: Connection) -> None:
    reader = db.create_role("reader")
    client.create_stream_table("t", QUERIES["by key"], partition_by="LIST:kind", initialize=False)
    items.execute("CREATE SCHEMA other; CREATE TABLE other.ones PARTITION OF t FOR VALUES IN (1)")
    items.execute(f"GRANT SELECT ON t TO {reader}".encode())
    client.refresh_stream_table("t")
    for query in (QUERIES["by key"].replace("> 2", "> 5"), QUERIES["folded"], QUERIES["by hash"]):
        client.alter_stream_table("t", query=query)
        assert client.verify("t").equal
        assert one(items, PARTS) == ["ones", "t_default"]
        assert one(items, "SELECT count(*) = count(*) FILTER (WHERE kind = 1) FROM other.ones")
        change(items, len(query) % 50 + 10)
        client.refresh_stream_table("t")
        assert client.verify("t").equal
    with db.connect_as(reader) as connection:
        assert one(connection, "SELECT count(*) FROM t") > 0
    with pytest.raises(TrickleError, match='names column "kind"'):
        client.alter_stream_table("t", query="SELECT id, amount FROM items")
    assert client.verify("t").equal


@pytest.mark.parametrize("partition_by", ["LIST:kind", "HASH:amount"])
@pytest.mark.parametrize("query", ["by key", "by hash", "folded"])
def test_stream_tables_over_it(client: Client, items: Connection, query: str, partition_by: str) -> None:
    client.create_stream_table(
        "t", QUERIES[query], refresh_mode="DIFFERENTIAL", partition_by=partition_by, initialize=False
    )
    in_parts(items)
    client.alter_stream_table("t", tier="hot")
    totals = "SELECT kind, count(*) AS n, sum(amount) AS amount FROM t GROUP BY kind"
    client.create_stream_table("u", totals, refresh_mode="DIFFERENTIAL")
    client.create_stream_table("w", "SELECT kind, note, amount FROM t WHERE amount > 5", refresh_mode="DIFFERENTIAL")
    for turn in range(1, 4):
        change(items, turn)
        for name in ("t", "u", "w"):
            assert client.refresh_stream_table(name).action == "DIFFERENTIAL"
            assert client.verify(name).equal


def test_appended(client: Client, items: Connection) -> None:
    client.create_stream_table(
        "t", QUERIES["by key"], refresh_mode="DIFFERENTIAL", partition_by="HASH:kind", append_only=True
    )
    items.execute("INSERT INTO items SELECT i, i, i, 'x' FROM generate_series(500, 600) i")
    client.refresh_stream_table("t")
    assert client.status("t").effective_refresh_mode == "APPEND_ONLY" and client.verify("t").equal


def test_restored(client: Client, items: Connection) -> None:
    client.create_stream_table("t", QUERIES["folded"], refresh_mode="DIFFERENTIAL", partition_by="HASH:kind:2")
    items.execute("SELECT pgtrickle.restore_stream_tables()")
    change(items, 1)
    client.refresh_stream_table("t")
    assert client.verify("t").equal
    client.alter_stream_table("t", query=QUERIES["folded"].replace("count(*)", "count(amount)"))
    change(items, 2)
    assert client.refresh_stream_table("t").action == "DIFFERENTIAL" and client.verify("t").equal
