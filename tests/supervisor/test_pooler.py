"""Behind PgBouncer in transaction mode: everything works but the lock session, which wants a direct connection.

Lies it would catch: a session lock that is held by nobody in particular; a setting of ours that the next client gets;
a statement that another client has prepared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from support.databases import Database
from support.pooler import Pooler
from support.waiting import until

import trickle
from trickle.catalog import migrate
from trickle.db.session import connect
from trickle.supervisor import options as o

Start = Callable[..., Any]
TABLES = 6
SETTINGS = (
    *("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "default_transaction_isolation"),
    *("synchronous_commit", "search_path", "client_connection_check_interval", "IntervalStyle", "DateStyle"),
    *("pg_trickle.refreshing", "plan_cache_mode", "standard_conforming_strings", "client_min_messages"),
)


def prepare(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE TABLE source (id int PRIMARY KEY, g int NOT NULL, v int NOT NULL)")
    for number in range(TABLES):
        query = f"SELECT g, sum(v + {number}) AS s, count(*) AS n FROM source GROUP BY g"
        conn.execute("SELECT pgtrickle.create_stream_table(%s, %s, schedule => '1s')", (f"st_{number}", query))


def said_by_the_sessions(url: str) -> set[tuple[str, ...]]:
    """What the shared sessions have set, asked often enough to meet each of them."""
    shown = ", ".join(f"coalesce(current_setting('{name}', true), '')" for name in SETTINGS)
    found: set[tuple[str, ...]] = set()
    for _ in range(5):
        clients = [psycopg.connect(url, prepare_threshold=None) for _ in range(4)]
        try:
            for client in clients:  # a transaction each, so that every one holds a session
                found.add(tuple(client.execute(f"SELECT {shown}".encode()).fetchone() or ()))
        finally:
            for client in clients:
                client.close()
    return found


def test_a_worker_needs_a_direct_url(db: Database, pooler: Pooler, start_worker: Start) -> None:
    worker = start_worker(url=pooler.url(db))
    assert worker.wait() == o.EXIT_CONFIGURATION
    (why,) = worker.said("cannot work")
    assert "through a connection pooler" in why["error"]
    assert "--direct-url" in why["error"]


def test_a_worker_with_one_follows_every_change_and_leaves_no_trace(
    db: Database, pooler: Pooler, start_worker: Start
) -> None:
    with db.connect() as direct, psycopg.connect(pooler.url(db), autocommit=True, prepare_threshold=None) as conn:
        prepare(conn)
        before = said_by_the_sessions(pooler.url(db))
        workers = [start_worker(url=pooler.url(db), direct_url=db.url, instance_id=name) for name in ("a", "b")]

        def owners() -> set[str]:
            return {row[0] for row in direct.execute("SELECT instance_id FROM pgtrickle.ownership").fetchall()}

        until(lambda: owners() == {"a", "b"}, seconds=20)
        for number in range(40):
            with conn.transaction():
                conn.execute("INSERT INTO source VALUES (%s, %s, 1)", (number, number % 3))
                conn.execute("UPDATE source SET v = v + 1 WHERE g = %s", (number % 2,))

        def is_fresh() -> bool:
            kept = [direct.execute(f"SELECT g, s, n FROM st_{n}".encode()).fetchall() for n in range(TABLES)]
            asked = [
                direct.execute(f"SELECT g, sum(v + {n}), count(*) FROM source GROUP BY g".encode()).fetchall()
                for n in range(TABLES)
            ]
            return [sorted(rows) for rows in kept] == [sorted(rows) for rows in asked]

        until(is_fresh, seconds=20)
        workers[0].kill()
        until(lambda: owners() == {"b"}, seconds=10)
        conn.execute("DELETE FROM source WHERE g = 1")
        until(is_fresh, seconds=20)
        workers[1].terminate()
        assert workers[1].wait() == o.EXIT_DRAINED
        assert said_by_the_sessions(pooler.url(db)) == before


def test_the_client_works_through_it(empty_db: Database, pooler: Pooler) -> None:
    url = pooler.url(empty_db)
    migrate.init(url)
    with trickle.connect(url) as client, empty_db.connect() as conn:
        conn.execute("CREATE TABLE source (id int PRIMARY KEY, v int NOT NULL)")
        client.create_stream_table("kept", "SELECT id, v * 2 AS w FROM source", refresh_mode="DIFFERENTIAL")
        for number in range(12):  # more often than a driver waits before it prepares a statement
            conn.execute("INSERT INTO source VALUES (%s, 1)", (number,))
            assert client.refresh_stream_table("kept").action == "DIFFERENTIAL"
        client.alter_stream_table("kept", query="SELECT id, v * 3 AS w FROM source")
        assert client.verify("kept").equal
        client.drop_stream_table("kept")
    before = said_by_the_sessions(url)
    with connect(url) as ours:
        ours.execute("SELECT 1")
    assert said_by_the_sessions(url) == before


def test_peculiar_defaults_stay_those_of_the_others(db: Database, pooler: Pooler) -> None:
    with db.superuser() as admin:
        for setting in (
            "IntervalStyle = iso_8601",
            "DateStyle = 'German'",
            "default_transaction_isolation = serializable",
        ):
            admin.execute(f"ALTER DATABASE {db.name} SET {setting}".encode())
    before = said_by_the_sessions(pooler.url(db))
    with trickle.connect(pooler.url(db)) as client, db.connect() as conn:
        conn.execute("CREATE TABLE source (id int PRIMARY KEY, at timestamptz NOT NULL)")
        client.create_stream_table("kept", "SELECT id, at FROM source", refresh_mode="DIFFERENTIAL")
        conn.execute("INSERT INTO source VALUES (1, now())")
        assert client.refresh_stream_table("kept").action == "DIFFERENTIAL"
        assert client.verify("kept").equal
        assert client.list()
    assert said_by_the_sessions(pooler.url(db)) == before
