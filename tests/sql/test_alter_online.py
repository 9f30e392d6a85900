"""Another query for a stream table that is being read, written and refreshed: readers see what it held or what it is to
hold, never neither, and are never kept waiting for as long as the new rows take to compute."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from psycopg import errors
from support.databases import Database

import trickle
from trickle.errors import TrickleError

from .conftest import Connection, is_equal, one

ROWS = 300
SLOW_SECONDS = 1.2
"""What computing the new rows takes at least: ROWS calls of slow()."""
SHORT_SECONDS = SLOW_SECONDS / 2


@pytest.fixture
def items(conn: Connection) -> Connection:
    """A table `items`, and a function that takes its time."""
    conn.execute("CREATE TABLE items (id int PRIMARY KEY, kind int NOT NULL, amount int)")
    conn.execute(f"INSERT INTO items SELECT i, i % 7, i FROM generate_series(1, {ROWS}) i".encode())
    conn.execute(
        "CREATE FUNCTION slow(v int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
        f" $$ BEGIN PERFORM pg_sleep({SLOW_SECONDS / ROWS}); RETURN v; END $$".encode()
    )
    return conn


@dataclass
class Seen:
    """What a reader saw: the distinct answers in order, and the longest that one took."""

    answers: list[Any] = field(default_factory=list)
    longest_seconds: float = 0.0


@contextmanager
def reading(db: Database, query: str) -> Iterator[Seen]:
    """Ask the query again and again until the block has ended, and then once more."""
    stop, seen = threading.Event(), Seen()

    def poll() -> None:
        with db.connect() as connection:
            is_last = False
            while not is_last:
                is_last = stop.is_set()
                began = time.monotonic()
                answer = connection.execute(query.encode(), prepare=True).fetchall()
                seen.longest_seconds = max(seen.longest_seconds, time.monotonic() - began)
                if not seen.answers or seen.answers[-1] != answer:
                    seen.answers.append(answer)

    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(poll)
        try:
            while not seen.answers and not work.done():
                time.sleep(0.01)
            yield seen
        finally:
            stop.set()
            work.result()


@contextmanager
def writing(db: Database) -> Iterator[Seen]:
    """Write the source all the time, without a change to how many rows of which version there are."""
    stop, seen = threading.Event(), Seen()

    def write() -> None:
        with db.connect() as connection:
            number = 0
            while not stop.is_set():
                number += 1
                began = time.monotonic()
                connection.execute("UPDATE items SET amount = amount + 1 WHERE id = %s", (number % ROWS + 1,))
                seen.longest_seconds = max(seen.longest_seconds, time.monotonic() - began)

    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(write)
        try:
            yield seen
        finally:
            stop.set()
            work.result()


ROWS_QUERY = "SELECT {version} AS version, {amount} AS amount FROM items"
KEYED_QUERY = "SELECT id, {version} AS version, {amount} AS amount FROM items"
GROUPS_QUERY = "SELECT kind, {version} AS version, sum({amount}) AS amount FROM items GROUP BY kind"
HIDDEN_GROUPS_QUERY = "SELECT {version} AS version, sum({amount}) AS amount FROM items GROUP BY kind"
VERSIONS = "SELECT version, count(*) FROM t GROUP BY version ORDER BY version"


@pytest.mark.parametrize("query", [ROWS_QUERY, KEYED_QUERY, GROUPS_QUERY, HIDDEN_GROUPS_QUERY])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_same_columns_are_changed_in_place(db: Database, items: Connection, query: str, compiled: bool) -> None:
    before, after = (query.format(version=v, amount=a) for v, a in ((1, "amount"), (2, "slow(amount)")))
    with trickle.connect(db.url) as client:
        if compiled:
            client.create_stream_table("t", before)
        else:
            items.execute("SELECT pgtrickle.create_stream_table('t', %s)", (before,))
        relid = one(items, "SELECT 't'::regclass::oid")
        old = items.execute(VERSIONS.encode()).fetchall()
        with db.connect(autocommit=False) as patient:
            patient.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            patient.execute("SELECT 1")
            with writing(db) as writer, reading(db, VERSIONS) as seen:
                began = time.monotonic()
                if compiled:
                    client.alter_stream_table("t", query=after)
                else:
                    items.execute("SELECT pgtrickle.alter_stream_table('t', %s)", (after,))
                took = time.monotonic() - began
            assert patient.execute(VERSIONS.encode()).fetchall() == old
    assert took > SLOW_SECONDS
    assert seen.answers == [old, [(2, n) for _, n in old]]
    assert seen.longest_seconds < SHORT_SECONDS
    assert writer.longest_seconds < SHORT_SECONDS
    assert one(items, "SELECT 't'::regclass::oid") == relid
    assert is_equal(items, "t")


@pytest.mark.parametrize("compiled", [False, True])
def test_other_columns_take_over_at_once(db: Database, items: Connection, compiled: bool) -> None:
    with trickle.connect(db.url) as client:
        client.create_stream_table("t", "SELECT id, 1 AS version FROM items")
        with writing(db), reading(db, VERSIONS) as seen:
            after = "SELECT id, 2 AS version, slow(amount) AS amount, kind::text AS kind FROM items"
            if compiled:
                client.alter_stream_table("t", query=after)
            else:
                items.execute("SELECT pgtrickle.alter_stream_table('t', %s)", (after,))
    assert seen.answers == [[(1, ROWS)], [(2, ROWS)]]
    assert seen.longest_seconds < SHORT_SECONDS
    assert is_equal(items, "t")
    with trickle.connect(db.url) as client:
        client.alter_stream_table("t", query="SELECT kind, count(*) AS n FROM items GROUP BY kind")
    items.execute("DELETE FROM items WHERE id < 20")
    assert is_equal(items, "t")


def test_what_belongs_to_the_storage_goes_over_to_the_new(db: Database, items: Connection) -> None:
    reader, clerk = db.create_role("reader"), db.create_role("clerk")
    items.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id, kind, amount FROM items')")
    for statement in (
        f"GRANT SELECT ON t TO {reader} WITH GRANT OPTION",
        f"GRANT SELECT (id) ON t TO {clerk}",
        "COMMENT ON TABLE t IS 'the '' table'",
        "COMMENT ON COLUMN t.id IS 'the id'",
        "ALTER TABLE t ADD CONSTRAINT only_one UNIQUE (id)",
        'CREATE INDEX "by Kind" ON t USING btree (kind) WHERE id > 10',
        "CREATE INDEX by_amount ON t (amount)",
        "CREATE VIEW kinds WITH (security_barrier) AS SELECT kind, count(*) AS n FROM t GROUP BY kind",
        "CREATE VIEW all_kinds AS SELECT sum(n) AS n FROM kinds",
        f"GRANT SELECT ON kinds TO {clerk}",
        "CREATE TABLE log (note text)",
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO public.log VALUES (TG_OP); RETURN NULL; END $$",
        "CREATE TRIGGER noted AFTER INSERT ON t EXECUTE FUNCTION note()",
    ):
        items.execute(statement.encode())
    views = items.execute("SELECT 'kinds'::regclass::oid, 'all_kinds'::regclass::oid").fetchone()
    notices: list[str] = []
    items.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
    items.execute("SELECT pgtrickle.alter_stream_table('t', 'SELECT kind, id, 7 AS seven FROM items')")
    assert any("index by_amount of public.t was not kept" in n for n in notices), notices
    assert items.execute("SELECT 'kinds'::regclass::oid, 'all_kinds'::regclass::oid").fetchone() == views
    assert one(items, "SELECT n FROM all_kinds") == ROWS
    assert one(items, "SELECT reloptions::text FROM pg_class WHERE relname = 'kinds'") == "{security_barrier=true}"
    indexes = "SELECT array_agg(indexdef ORDER BY indexdef) FROM pg_indexes WHERE tablename = 't'"
    assert one(items, indexes) == [
        'CREATE INDEX "by Kind" ON public.t USING btree (kind) WHERE (id > 10)',
        "CREATE UNIQUE INDEX only_one ON public.t USING btree (id)",
    ]
    assert (
        one(items, "SELECT obj_description('t'::regclass) || col_description('t'::regclass, 2)") == "the ' tablethe id"
    )
    with db.connect_as(reader) as connection:
        assert one(connection, "SELECT count(seven) FROM t") == ROWS
    with db.connect_as(clerk) as connection:
        assert one(connection, "SELECT count(id) FROM t") == ROWS
        assert one(connection, "SELECT count(*) FROM kinds") == 7
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("SELECT seven FROM t")
    with pytest.raises(errors.WrongObjectType):
        items.execute("DELETE FROM t")
    items.execute("TRUNCATE log")
    items.execute("INSERT INTO items VALUES (1000, 1, 1)")
    assert is_equal(items, "t") and one(items, "SELECT note FROM log") == "INSERT"
    assert (
        one(items, "SELECT count(*) FROM pg_class WHERE relname LIKE '\\_\\_pgt\\_old%' OR relname LIKE '%aside%'") == 0
    )


@pytest.mark.parametrize(
    "made",
    [
        "CREATE VIEW v AS SELECT amount FROM t",
        "CREATE MATERIALIZED VIEW m AS SELECT id FROM t",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "CREATE FUNCTION f(t) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE t ADD PRIMARY KEY (id); CREATE TABLE points (id int REFERENCES t)",
        "CREATE TABLE child () INHERITS (t)",
    ],
)
def test_what_cannot_follow_is_refused_and_stays(items: Connection, made: str) -> None:
    items.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id, kind, amount FROM items')")
    items.execute(made.encode())
    before = items.execute("SELECT * FROM pgtrickle.pgt_stream_tables").fetchall()
    with pytest.raises(errors.DependentObjectsStillExist, match=r"cannot change the columns of stream table public\.t"):
        items.execute("SELECT pgtrickle.alter_stream_table('t', 'SELECT id, kind FROM items')")
    assert items.execute("SELECT * FROM pgtrickle.pgt_stream_tables").fetchall() == before
    items.execute("INSERT INTO items VALUES (1000, 1, 1)")
    assert is_equal(items, "t")


@pytest.mark.parametrize(
    "after",
    [
        "SELECT id, amount FROM items UNION ALL SELECT id, amount FROM items",
        "SELECT nullif(id, 3) AS id, amount FROM items",
    ],
)
def test_rows_that_the_old_key_refuses(db: Database, items: Connection, after: str) -> None:
    with trickle.connect(db.url) as client:
        client.create_stream_table("t", "SELECT id, amount FROM items")
        relid = one(items, "SELECT 't'::regclass::oid")
        items.execute("SELECT pgtrickle.alter_stream_table('t', %s)", (after,))
        assert is_equal(items, "t")
        items.execute("UPDATE items SET amount = 0 WHERE id < 9")
        assert is_equal(items, "t") and one(items, "SELECT 't'::regclass::oid") == relid
        client.alter_stream_table("t", query="SELECT id, amount + 1 AS amount FROM items")
        items.execute("DELETE FROM items WHERE id > 290")
        assert is_equal(items, "t")


def test_a_unique_index_of_the_users_refuses_the_query_and_nothing_changes(items: Connection) -> None:
    items.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id, amount FROM items')")
    items.execute("CREATE UNIQUE INDEX mine ON t (id)")
    with pytest.raises(errors.UniqueViolation):
        items.execute("SELECT pgtrickle.alter_stream_table('t', 'SELECT kind AS id, amount FROM items')")
    items.execute("INSERT INTO items VALUES (1000, 1, 1)")
    assert is_equal(items, "t")


@pytest.mark.parametrize(
    "query", ["SELECT id, 1 / (id - 50) AS amount FROM items", "SELECT 1 / (id - 50) AS x FROM items"]
)
def test_an_alter_that_fails_half_way_leaves_the_table_as_it_was(db: Database, items: Connection, query: str) -> None:
    with trickle.connect(db.url) as client:
        client.create_stream_table("t", "SELECT id, amount FROM items")
        with pytest.raises(TrickleError, match="division by zero"):
            client.alter_stream_table("t", query=query)
        items.execute("DELETE FROM items WHERE id = 1")
        assert client.refresh_stream_table("t").action == "DIFFERENTIAL"
        assert client.verify("t").equal


def test_a_refresh_that_waited_for_an_alter_follows_the_new_query(db: Database, items: Connection) -> None:
    """It holds the old program, and would apply it to the rows of the new query."""
    for number, after in enumerate(
        [
            "SELECT id, amount FROM items WHERE id % 2 = 0",
            "SELECT id, amount, amount AS a FROM items",
            "SELECT id FROM items",
        ]
    ):
        name = f"t{number}"
        with trickle.connect(db.url) as client:
            client.create_stream_table(name, "SELECT id, amount FROM items")
            items.execute("UPDATE items SET amount = amount + 1 WHERE id < 9")
            with db.connect(autocommit=False) as altering, ThreadPoolExecutor(1) as pool:
                altering.execute("SELECT pgtrickle.alter_stream_table(%s, %s)", (name, after))
                items.execute("UPDATE items SET amount = amount + 1 WHERE id BETWEEN 5 AND 20")
                refresh = pool.submit(client.refresh_stream_table, name)
                waits_for(items, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", 1)
                altering.commit()
                refresh.result()
        assert one(items, "SELECT equal FROM pgtrickle.verify(%s)", name), after
        assert one(items, "SELECT status FROM pgtrickle.pgt_stream_tables WHERE pgt_name = %s", name) == "ACTIVE"


def test_readers_do_not_queue_behind_an_alter_that_waits(db: Database, items: Connection) -> None:
    items.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id, 1 AS version FROM items')")
    with db.connect(autocommit=False) as holder:
        holder.execute("SELECT count(*) FROM t")
        with reading(db, "SELECT count(*) FROM t") as seen:
            items.execute("SET lock_timeout = '1s'")
            with pytest.raises(errors.LockNotAvailable, match="is in use by an open transaction"):
                items.execute("SELECT pgtrickle.alter_stream_table('t', 'SELECT id, 2 AS version, kind FROM items')")
            assert seen.longest_seconds < 0.6
    assert is_equal(items, "t")


def test_a_transaction_that_waits_for_the_alter_is_told_from_one_that_only_reads(
    db: Database, items: Connection
) -> None:
    items.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM items')")
    items.execute("INSERT INTO items VALUES (1000, 1, 1)")
    with db.connect(autocommit=False) as holder, ThreadPoolExecutor(1) as pool:
        holder.execute("SELECT count(*) FROM t")
        altering = pool.submit(
            items.execute, "SELECT pgtrickle.alter_stream_table('t', 'SELECT id, slow(kind) AS kind FROM items')"
        )
        with db.connect() as watcher:
            waits_for(watcher, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", 1)
        holder.execute("SELECT pgtrickle.refresh_stream_table('t')")
        with pytest.raises(errors.DeadlockDetected):
            altering.result()
    assert is_equal(items, "t")


def test_a_replacement_without_a_mode_keeps_the_one_there_is(items: Connection) -> None:
    for mode in ("FULL", "DIFFERENTIAL", "IMMEDIATE", "AUTO"):
        name = f"t_{mode.lower()}"
        items.execute(
            "SELECT pgtrickle.create_stream_table(%s, 'SELECT id FROM items', refresh_mode => %s)", (name, mode)
        )
        modes = f"SELECT requested_mode FROM pgtrickle.pgt_stream_tables WHERE pgt_name = '{name}'"
        for query in ("SELECT id FROM items", "SELECT amount AS id FROM items"):
            items.execute("SELECT pgtrickle.create_or_replace_stream_table(%s, %s)", (name, query))
            assert one(items, modes) == mode
        items.execute("UPDATE items SET amount = amount + 1 WHERE id = 1")
        assert is_equal(items, name)
    items.execute(
        "SELECT pgtrickle.create_or_replace_stream_table('t_full', 'SELECT id FROM items', refresh_mode => 'auto')"
    )
    assert one(items, "SELECT requested_mode FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 't_full'") == "AUTO"


def waits_for(connection: Connection, query: str, value: object) -> None:
    """Until the query answers so."""
    give_up = time.monotonic() + 20
    while one(connection, query) != value:
        assert time.monotonic() < give_up, query
        time.sleep(0.02)
