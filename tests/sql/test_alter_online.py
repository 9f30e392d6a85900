"""Another query for a stream table that is being read, written and refreshed: readers see what it held or what it is to
hold, never neither, and neither they nor writers wait while the new rows are computed."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg import errors
from support.databases import Database

import trickle
from trickle.errors import TrickleError

from .conftest import Connection, is_equal, one

ROWS = 300
GATES = (1, 150, 300)
"""The values at which computed() waits for who holds the gates: the first row, one in the middle and the last."""
WAITING_AT = "SELECT objid::int FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND NOT granted"


@pytest.fixture
def items(conn: Connection) -> Connection:
    """A table `items`, and a function that waits at the gates."""
    conn.execute("CREATE TABLE items (id int PRIMARY KEY, kind int NOT NULL, amount int)")
    conn.execute(f"INSERT INTO items SELECT i, i % 7, i FROM generate_series(1, {ROWS}) i".encode())
    conn.execute(
        "CREATE FUNCTION computed(v int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
        f" $$ BEGIN IF v IN {GATES} THEN PERFORM pg_advisory_lock_shared(v), pg_advisory_unlock_shared(v); END IF;"
        " RETURN v; END $$".encode()
    )
    return conn


@contextmanager
def shut_gates(db: Database) -> Iterator[Connection]:
    """All gates are shut; pg_advisory_unlock() opens one."""
    with db.connect() as gatekeeper:
        for gate in GATES:
            gatekeeper.execute("SELECT pg_advisory_lock(%s)", (gate,))
        yield gatekeeper


@contextmanager
def held_up(db: Database, altering: Callable[[], object]) -> Iterator[Iterator[int]]:
    """Alter beside the block, which is given a gate whenever the alter waits at one, as often as it computes: it cannot
    go on before the next is asked for."""
    with ThreadPoolExecutor(1) as pool, shut_gates(db) as gatekeeper:
        work = pool.submit(altering)

        def gates() -> Iterator[int]:
            passed = set()
            while not work.done():
                for (gate,) in gatekeeper.execute(WAITING_AT.encode()).fetchall():
                    yield gate
                    gatekeeper.execute("SELECT pg_advisory_unlock(%s)", (gate,))
                    # Behind the alter, which goes through first and may come again.
                    gatekeeper.execute("SELECT pg_advisory_lock(%s)", (gate,))
                    passed.add(gate)
                time.sleep(0.002)
            work.result()
            assert passed == set(GATES)

        yield gates()


@contextmanager
def repeating(db: Database, action: Callable[[Connection], None]) -> Iterator[None]:
    """Do it again and again until the block has ended, and then once more."""
    stop, has_begun = threading.Event(), threading.Event()

    def repeat() -> None:
        with db.connect() as connection:
            is_last = False
            while not is_last:
                is_last = stop.is_set()
                action(connection)
                has_begun.set()

    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(repeat)
        try:
            while not has_begun.wait(0.01) and not work.done():
                pass
            yield
        finally:
            stop.set()
            work.result()


@contextmanager
def reading(db: Database, query: str) -> Iterator[list[Any]]:
    """Ask the query all the time: the distinct answers, in order."""
    answers: list[Any] = []

    def read(connection: Connection) -> None:
        answer = connection.execute(query.encode(), prepare=True).fetchall()
        if not answers or answers[-1] != answer:
            answers.append(answer)

    with repeating(db, read):
        yield answers


@contextmanager
def writing(db: Database) -> Iterator[None]:
    """Write the source all the time, without a change to how many rows of which version there are, or to a gate."""
    ids = itertools.cycle(i for i in range(1, ROWS + 1) if i not in GATES)

    def write(connection: Connection) -> None:
        connection.execute("UPDATE items SET amount = amount + 1000 WHERE id = %s", (next(ids),))

    with repeating(db, write):
        yield


ROWS_QUERY = "SELECT {version} AS version, {amount} AS amount FROM items"
KEYED_QUERY = "SELECT id, {version} AS version, {amount} AS amount FROM items"
GROUPS_QUERY = "SELECT kind, {version} AS version, sum({amount}) AS amount FROM items GROUP BY kind"
HIDDEN_GROUPS_QUERY = "SELECT {version} AS version, sum({amount}) AS amount FROM items GROUP BY kind"
VERSIONS = "SELECT version, count(*) FROM t GROUP BY version ORDER BY version"
ATTEMPTS = (
    "SELECT waitstart FROM pg_locks WHERE relation = 't'::regclass AND mode = 'AccessExclusiveLock'"
    " AND waitstart IS NOT NULL"
)
"""Of an alter that asks for its lock, gives up so that readers get through, and asks again."""


@pytest.mark.parametrize("query", [ROWS_QUERY, KEYED_QUERY, GROUPS_QUERY, HIDDEN_GROUPS_QUERY])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_same_columns_are_changed_in_place(db: Database, items: Connection, query: str, compiled: bool) -> None:
    before, after = (query.format(version=v, amount=a) for v, a in ((1, "amount"), (2, "computed(amount)")))
    with trickle.connect(db.url) as client:
        if compiled:
            client.create_stream_table("t", before)
        else:
            items.execute("SELECT pgtrickle.create_stream_table('t', %s)", (before,))
        relid = one(items, "SELECT 't'::regclass::oid")
        old = items.execute(VERSIONS.encode()).fetchall()
        new = [(2, n) for _, n in old]
        with db.connect(autocommit=False) as patient:
            patient.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            patient.execute("SELECT 1")
            with (
                writing(db),
                reading(db, VERSIONS) as answers,
                held_up(db, lambda: alter(client, db, compiled, after)) as gates,
                db.connect() as other,
            ):
                for n, _ in enumerate(gates):
                    found = other.execute(VERSIONS.encode()).fetchall()
                    assert found == old or (found == new and n >= len(GATES)), "what is computed again may be a refresh"
                    write_ten(other)
            assert patient.execute(VERSIONS.encode()).fetchall() == old
    assert answers == [old, new]
    assert one(items, "SELECT 't'::regclass::oid") == relid
    assert is_equal(items, "t")


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("columns", ["", ", kind, amount"])
def test_other_columns_take_over_at_once(db: Database, items: Connection, compiled: bool, columns: str) -> None:
    """Who writes a source waits for the alter only where columns are to be captured that were not captured yet."""
    with trickle.connect(db.url) as client:
        client.create_stream_table("t", f"SELECT id, 1 AS version{columns} FROM items")
        after = "SELECT id, 2 AS version, computed(amount) AS amount, kind::text AS kind FROM items"
        with (
            writing(db),
            reading(db, VERSIONS) as answers,
            held_up(db, lambda: alter(client, db, compiled, after)) as gates,
            db.connect() as other,
        ):
            for n, _ in enumerate(gates):
                found = other.execute(VERSIONS.encode()).fetchall()
                assert found == [(1, ROWS)] or (found == [(2, ROWS)] and n >= len(GATES))
                if columns:
                    write_ten(other)
    assert answers == [[(1, ROWS)], [(2, ROWS)]]
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
    after = "SELECT pgtrickle.alter_stream_table('t', 'SELECT id, 2 AS version, kind FROM items')"
    with db.connect(autocommit=False) as holder, db.connect() as other, ThreadPoolExecutor(1) as pool:
        holder.execute("SELECT count(*) FROM t")
        items.execute("SET lock_timeout = '1s'")
        with pytest.raises(errors.LockNotAvailable, match="is in use by an open transaction"):
            items.execute(after)
        items.execute("SET lock_timeout = '60s'")
        altering = pool.submit(items.execute, after)
        attempts: set[Any] = set()
        while len(attempts) < 4:
            attempts |= set(other.execute(ATTEMPTS.encode()).fetchall())
            assert other.execute(VERSIONS.encode()).fetchall() == [(1, ROWS)]
        assert not altering.done()
        holder.commit()
        altering.result()
    assert is_equal(items, "t")


def test_a_transaction_that_waits_for_the_alter_is_told_from_one_that_only_reads(
    db: Database, items: Connection
) -> None:
    items.execute("SELECT pgtrickle.create_stream_table('t', 'SELECT id FROM items')")
    items.execute("INSERT INTO items VALUES (1000, 1, 1)")
    with ThreadPoolExecutor(2) as pool, db.connect(autocommit=False) as holder, shut_gates(db) as gatekeeper:
        holder.execute("SELECT count(*) FROM t")
        altering = pool.submit(
            items.execute, "SELECT pgtrickle.alter_stream_table('t', 'SELECT id, computed(kind) AS kind FROM items')"
        )
        waits_for(gatekeeper, f"SELECT count(*) FROM ({WAITING_AT}) w", 1)
        refreshing = pool.submit(holder.execute, "SELECT pgtrickle.refresh_stream_table('t')")
        waits_for(gatekeeper, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", 2)
        gatekeeper.execute("SELECT pg_advisory_unlock(1)")
        with pytest.raises(errors.DeadlockDetected):
            altering.result()
        refreshing.result()
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


def alter(client: trickle.Client, db: Database, compiled: bool, query: str) -> None:
    """By the client, which compiles, or by SQL alone."""
    if compiled:
        client.alter_stream_table("t", query=query)
    else:
        with db.connect() as connection:
            connection.execute("SELECT pgtrickle.alter_stream_table('t', %s)", (query,))


def write_ten(connection: Connection) -> None:
    connection.execute("UPDATE items SET amount = amount + 1000 WHERE id BETWEEN 10 AND 19")


def waits_for(connection: Connection, query: str, value: object) -> None:
    """Until the query answers so."""
    give_up = time.monotonic() + 20
    while one(connection, query) != value:
        assert time.monotonic() < give_up, query
        time.sleep(0.02)
