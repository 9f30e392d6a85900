"""append_only: rows that come are inserted and nothing stored is looked for; a row that goes ends that, and no more.

Lies it would catch: an insertion that is made although a row went, or another source changed, or that is made twice; a
promise that goes on after it was broken; an option that is accepted where it could not be kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from support.databases import Database

import trickle
from trickle import Client
from trickle.errors import DefinitionError

from .conftest import Connection, is_equal, one

ROWS = "SELECT id, upper(note) AS note, amount FROM events WHERE amount > 0"
JOINED = "SELECT e.id, k.name FROM events e JOIN kinds k ON k.id = e.kind"
HASHED = "SELECT e.kind, w.word FROM events e, regexp_split_to_table(e.note, ' ') AS w(word)"
INSERT = "INSERT INTO events SELECT i, i % 5, 'a b ' || i, i - 2 FROM generate_series({}, {}) i"
APPENDED = ("APPEND_ONLY", True)


@pytest.fixture
def client(db: Database) -> Iterator[Client]:
    with trickle.connect(db.url) as opened:
        yield opened


@pytest.fixture
def events(conn: Connection) -> Connection:
    """A log with a key, and the kinds of its entries."""
    conn.execute("CREATE TABLE kinds (id int PRIMARY KEY, name text NOT NULL)")
    conn.execute("INSERT INTO kinds SELECT i, 'kind ' || i FROM generate_series(0, 3) i")
    conn.execute("CREATE TABLE events (id int PRIMARY KEY, kind int NOT NULL, note text, amount numeric)")
    conn.execute(INSERT.format(1, 50).encode())
    return conn


def state(connection: Connection, name: str = "t") -> tuple[str, bool]:
    row = connection.execute(
        "SELECT effective_refresh_mode, is_append_only FROM pgtrickle.pgt_stream_tables WHERE pgt_name = %s", (name,)
    ).fetchone()
    assert row is not None
    return row


def stored_rows_read(connection: Connection) -> int:
    """How often rows of the stream table were looked for, by any plan, in this session or a committed one."""
    return one(
        connection,
        "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_xact_user_tables WHERE relname = 't'",
    )


@pytest.mark.parametrize("query", [ROWS, JOINED, HASHED])
def test_rows_that_come_are_inserted(client: Client, events: Connection, query: str) -> None:
    client.create_stream_table("t", query, refresh_mode="DIFFERENTIAL", append_only=True)
    for start in (100, 200, 5000):
        events.execute(INSERT.format(start, start + 60 * start // 100).encode())
        with client.connection.transaction():
            before = stored_rows_read(client.connection)
            assert client.refresh_stream_table("t").action == "DIFFERENTIAL"
            assert stored_rows_read(client.connection) == before
        assert state(events) == APPENDED
        assert client.verify("t").equal
    assert client.refresh_stream_table("t").action == "NO_DATA"
    assert events.execute(
        "SELECT action, rows_deleted, rows_updated FROM pgtrickle.pgt_refresh_history ORDER BY refresh_id DESC LIMIT 1"
    ).fetchone() == ("DIFFERENTIAL", 0, 0)
    assert "no stored row is looked for" in str(client.explain("t")["append_only"])


@pytest.mark.parametrize("query", [ROWS, JOINED, HASHED])
@pytest.mark.parametrize(
    "breaking",
    ["DELETE FROM events WHERE id = 7", "UPDATE events SET note = 'c d', kind = 1, amount = 9 WHERE id IN (3, 120)"],
)
def test_a_row_that_goes_ends_the_promise(client: Client, events: Connection, query: str, breaking: str) -> None:
    client.create_stream_table("t", query, refresh_mode="DIFFERENTIAL", append_only=True)
    warnings: list[str] = []
    client.connection.add_notice_handler(lambda notice: warnings.append(notice.message_primary or ""))
    events.execute(INSERT.format(100, 150).encode())
    events.execute(breaking.encode())
    events.execute(INSERT.format(160, 170).encode())
    assert client.refresh_stream_table("t").action == "DIFFERENTIAL"
    assert client.verify("t").equal
    assert state(events) == ("DIFFERENTIAL", False)
    assert [w for w in warnings if "append_only no more" in w] == [
        "stream table public.t is append_only no more: a source has had rows updated or deleted"
    ]
    events.execute(INSERT.format(180, 190).encode())
    client.refresh_stream_table("t")
    assert state(events) == ("DIFFERENTIAL", False) and client.verify("t").equal
    assert client.alter_stream_table("t", append_only=True).program_state == "compiled"
    events.execute(INSERT.format(200, 210).encode())
    client.refresh_stream_table("t")
    assert state(events) == APPENDED and client.verify("t").equal


def test_an_update_of_what_nobody_reads_keeps_it(client: Client, events: Connection) -> None:
    client.create_stream_table("t", JOINED, refresh_mode="DIFFERENTIAL", append_only=True)
    events.execute("UPDATE events SET note = 'z', amount = 3")
    events.execute(INSERT.format(100, 110).encode())
    client.refresh_stream_table("t")
    assert state(events) == APPENDED and client.verify("t").equal


def test_another_source_grows_as_well(client: Client, events: Connection) -> None:
    client.create_stream_table("t", JOINED, refresh_mode="DIFFERENTIAL", append_only=True)
    for statement in (INSERT.format(100, 200), "INSERT INTO kinds VALUES (4, 'late')", INSERT.format(300, 400)):
        events.execute(statement.encode())
    client.refresh_stream_table("t")
    assert state(events) == ("DIFFERENTIAL", True) and client.verify("t").equal
    events.execute(INSERT.format(500, 600).encode())
    client.refresh_stream_table("t")
    assert state(events) == APPENDED and client.verify("t").equal
    events.execute("UPDATE kinds SET name = 'other' WHERE id = 2")
    client.refresh_stream_table("t")
    assert state(events) == ("DIFFERENTIAL", False) and client.verify("t").equal


def test_truncated(client: Client, events: Connection) -> None:
    client.create_stream_table("t", JOINED, refresh_mode="DIFFERENTIAL", append_only=True)
    events.execute("TRUNCATE events")
    events.execute(INSERT.format(1, 10).encode())
    assert client.refresh_stream_table("t").action == "FULL"
    assert client.verify("t").equal


@pytest.mark.parametrize(
    "query",
    [
        "SELECT kind, count(*) AS n, max(amount) AS most FROM events GROUP BY kind",
        "SELECT DISTINCT kind FROM events",
        "SELECT e.id, k.name FROM kinds k LEFT JOIN events e ON e.kind = k.id",
        "SELECT a.id, b.id AS other FROM events a JOIN events b ON b.kind = a.kind AND b.id < 20",
        "SELECT id, amount FROM events ORDER BY amount DESC, id LIMIT 3",
        "SELECT k.name FROM kinds k WHERE NOT EXISTS (SELECT FROM events e WHERE e.kind = k.id)",
    ],
)
def test_where_it_is_of_no_use_it_does_no_harm(client: Client, events: Connection, query: str) -> None:
    client.create_stream_table("t", query, refresh_mode="DIFFERENTIAL", append_only=True)
    for statement in (
        INSERT.format(100, 130),
        "INSERT INTO kinds VALUES (4, 'late')",
        "DELETE FROM events WHERE id < 40",
    ):
        events.execute(statement.encode())
        client.refresh_stream_table("t")
        assert client.verify("t").equal
    assert "of no use" in str(client.explain("t")["append_only"])


@pytest.mark.parametrize(
    ("query", "more"),
    [
        (ROWS, {"refresh_mode": "FULL"}),
        (ROWS, {"refresh_mode": "IMMEDIATE"}),
        ("SELECT a FROM bag", {}),
        ("SELECT random() AS r FROM events", {}),
    ],
)
def test_where_it_cannot_be_kept_it_is_refused(
    client: Client, events: Connection, query: str, more: dict[str, str]
) -> None:
    events.execute("CREATE TABLE bag (a int)")
    with pytest.raises(DefinitionError, match="append_only needs"):
        client.create_stream_table("t", query, append_only=True, **more)
    assert one(events, "SELECT count(*) FROM pgtrickle.pgt_stream_tables") == 0
    client.create_stream_table("t", query, **more)
    with pytest.raises(DefinitionError, match="append_only needs"):
        client.alter_stream_table("t", append_only=True)
    assert is_equal(events, "t") or "random" in query


def test_altered_in_sql_it_appends_with_the_next_program(client: Client, events: Connection) -> None:
    client.create_stream_table("t", ROWS, refresh_mode="DIFFERENTIAL")
    events.execute("SELECT pgtrickle.alter_stream_table('t', append_only => true)")
    events.execute(INSERT.format(100, 130).encode())
    assert client.refresh_stream_table("t").action == "DIFFERENTIAL"
    assert state(events) == ("DIFFERENTIAL", True)
    client.alter_stream_table("t", schedule="5s")
    events.execute(INSERT.format(200, 230).encode())
    client.refresh_stream_table("t")
    assert state(events) == APPENDED
    client.alter_stream_table("t", append_only=False)
    events.execute(INSERT.format(300, 330).encode())
    client.refresh_stream_table("t")
    assert state(events) == ("DIFFERENTIAL", False) and client.verify("t").equal


def test_many_writers_and_a_late_one(db: Database, client: Client, events: Connection) -> None:
    """A transaction that commits late, and rows that go between the look and the statement."""
    client.create_stream_table("t", ROWS, refresh_mode="DIFFERENTIAL", append_only=True)

    def write(number: int) -> None:
        with db.connect(autocommit=False) as connection:
            for turn in range(15):
                start = 1000 * number + 10 * turn
                connection.execute(INSERT.format(start, start + 8).encode())
                if number == 3 and turn % 5 == 4:
                    connection.execute("DELETE FROM events WHERE id = %s", (start,))
                connection.commit()

    with db.connect(autocommit=False) as late:
        late.execute(INSERT.format(100, 150).encode())
        with ThreadPoolExecutor(3) as pool:
            running = [pool.submit(write, number) for number in (1, 2, 3)]
            while not all(work.done() for work in running):
                events.execute("SELECT pgtrickle.alter_stream_table('t', append_only => true)")
                client.refresh_stream_table("t")
                assert client.verify("t").equal
            for work in running:
                work.result()
        late.commit()
    client.refresh_stream_table("t")
    assert client.verify("t").equal


def test_a_definition_keeps_it(client: Client, events: Connection) -> None:
    client.create_stream_table("t", ROWS, refresh_mode="DIFFERENTIAL", append_only=True)
    definition = one(events, "SELECT pgtrickle.export_definition('t')")
    assert "append_only => true" in definition
    with psycopg.connect(client.connection.info.dsn, autocommit=True) as other:
        other.execute(definition.encode())
    assert state(events)[1]
