"""Two or three sessions write both sides of joins and the same groups, wait for each other, commit and roll back.

Lies it would catch: a pair of rows of two sessions that neither counts, or both; a group that two sessions update from
the same old value; a group computed anew from rows that another session is about to commit; keys that hash apart
although they are equal.
Oracle: PostgreSQL, which evaluates the query in the transaction of the session that has just written, where the stream
table must equal it: its own changes are in both, what others have committed is in both, and nothing else is in either.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from support.databases import Database

import trickle
from property.sessions import Hand, Session

TABLES = (
    "CREATE TABLE a (id int PRIMARY KEY, g int, v int)",
    "CREATE TABLE b (g int, w int)",
    "INSERT INTO a SELECT n, n % 3, n FROM generate_series(1, 6) n",
    "INSERT INTO b VALUES (0, 1), (1, 2), (1, 2), (1, 4), (2, 2), (2, 2), (NULL, 3)",
)
QUERIES = {
    "rows": "SELECT id, v FROM a WHERE g > 0",
    "bag": "SELECT g, w % 2 AS odd FROM b",
    "groups": "SELECT g, count(*) AS n, sum(v) AS total FROM a GROUP BY g",
    "extremes": "SELECT g, min(v) AS least, max(v) AS most FROM a GROUP BY g",
    "having": "SELECT g, count(*) AS n FROM a GROUP BY g HAVING count(*) > 1",
    "one": "SELECT count(*) AS n, max(v) AS most FROM a",
    "distinct": "SELECT DISTINCT v % 3 AS r FROM a",
    "expression": "SELECT (g::numeric + 0.0) / 2.0 AS half, count(*) AS n FROM a GROUP BY 1",
    "joined rows": "SELECT a.id, a.v, b.w FROM a JOIN b ON b.g = a.g",
    "joined groups": "SELECT b.w, count(*) AS n, sum(a.v) AS total FROM a JOIN b ON b.g = a.g GROUP BY b.w",
    "joined extremes": "SELECT b.w, max(a.v) AS most FROM a JOIN b ON b.g = a.g GROUP BY b.w",
    "pairs": "SELECT x.g, count(*) AS n FROM a x JOIN a y ON y.g = x.g AND x.id < y.id GROUP BY x.g",
    "left": "SELECT a.id, b.w FROM a LEFT JOIN b ON b.g = a.g",
    "only": "SELECT g, count(*) AS n FROM a WHERE EXISTS (SELECT FROM b WHERE b.g = a.g) GROUP BY g",
    "without": "SELECT b.g, b.w FROM b WHERE NOT EXISTS (SELECT FROM a WHERE a.g = b.g AND a.v > 3)",
    "inner groups": "SELECT n, count(*) AS groups FROM (SELECT g, count(*) AS n FROM a GROUP BY g) q GROUP BY n",
    "first": "SELECT * FROM (SELECT a.*, row_number() OVER (PARTITION BY g ORDER BY v, id) AS place FROM a) q"
    " WHERE place = 1",
    "union": "SELECT g FROM a UNION ALL SELECT g FROM b",
}
ROUNDS = 6


def writes(draw: random.Random) -> str:
    k, g, v = draw.randint(1, 9), draw.randint(0, 3), draw.randint(0, 6)
    return draw.choice(
        (
            f"INSERT INTO a VALUES ({k}, {g}, {v}) ON CONFLICT (id) DO UPDATE SET v = {v}",
            f"INSERT INTO a SELECT {k} + 10 + n, {g}, n FROM generate_series(1, 2) n ON CONFLICT DO NOTHING",
            f"UPDATE a SET v = v + 1 WHERE id = {k}",
            f"UPDATE a SET g = {g} WHERE id = {k}",
            f"DELETE FROM a WHERE id = {k}",
            f"DELETE FROM a WHERE g = {g} AND v > 3",
            f"INSERT INTO b VALUES ({g}, {v})",
            f"UPDATE b SET w = {v} WHERE g = {g}",
            f"DELETE FROM b WHERE ctid = (SELECT max(ctid) FROM b WHERE g = {g})",
            f"DELETE FROM b WHERE ctid = (SELECT min(ctid) FROM b WHERE g = {g})",
            f"WITH gone AS (DELETE FROM a WHERE id = {k} RETURNING g) INSERT INTO b SELECT g, {v} FROM gone",
        )
    )


def compared(queries: dict[str, str]) -> Any:
    def check(connection: psycopg.Connection[Any]) -> None:
        for name, query in queries.items():
            asked = f"SELECT * FROM ({query}) q"
            stored = f'SELECT {", ".join(_columns(connection, query))} FROM "{name}"'
            found = connection.execute(
                (
                    f"(SELECT 'missing', q::text FROM ({asked} EXCEPT ALL {stored}) q)"
                    f" UNION ALL (SELECT 'extra', q::text FROM ({stored} EXCEPT ALL {asked}) q)"
                ).encode()
            ).fetchall()
            assert not found, f"{name} differs from its query: {found}"

    return check


def _columns(connection: psycopg.Connection[Any], query: str) -> list[str]:
    return [c.name for c in connection.execute(f"SELECT * FROM ({query}) q LIMIT 0".encode()).description or ()]


@pytest.fixture
def watch(db: Database) -> Iterator[psycopg.Connection[Any]]:
    with db.superuser() as admin:
        admin.execute(f"ALTER DATABASE \"{db.name}\" SET deadlock_timeout = '30ms'".encode())
    with db.connect() as opened:
        yield opened


@contextmanager
def hand(db: Database, watch: psycopg.Connection[Any], queries: dict[str, str], number: int) -> Iterator[Hand]:
    sessions = [Session(db.connect(autocommit=False)) for _ in range(number)]
    try:
        yield Hand(sessions, watch, compared(queries))
    finally:
        for session in sessions:
            session.close()


def prepare(db: Database, watch: psycopg.Connection[Any], queries: dict[str, str]) -> None:
    for statement in TABLES:
        watch.execute(statement.encode())
    watch.execute("ANALYZE a, b")
    with trickle.connect(db.url) as client:
        for name, query in queries.items():
            made = client.create_stream_table(f'"{name}"', query, refresh_mode="IMMEDIATE")
            assert made.program_state == "compiled", made.program_reason


def play(opened: Hand, draw: random.Random, steps: int) -> None:
    for _ in range(steps):
        number = draw.randrange(len(opened.sessions))
        if draw.random() < 0.3:
            opened.end(number, draw.choice(("COMMIT", "COMMIT", "ROLLBACK")))
        else:
            opened.write(number, writes(draw))
    opened.finish()


@pytest.mark.parametrize("name", QUERIES)
def test_every_session_sees_the_answer_to_what_it_sees(db: Database, watch: psycopg.Connection[Any], name: str) -> None:
    queries = {name: QUERIES[name]}
    prepare(db, watch, queries)
    waits = 0
    for seed in range(ROUNDS):
        with hand(db, watch, queries, 2 + seed % 2) as opened:
            play(opened, random.Random(f"{name} {seed}"), 40)
            waits += opened.waits
    assert waits > 0, "nobody ever waited: nothing was put to the test"


def test_all_of_them_at_once(db: Database, watch: psycopg.Connection[Any]) -> None:
    prepare(db, watch, QUERIES)
    with hand(db, watch, QUERIES, 3) as opened:
        play(opened, random.Random(5), 60)


@pytest.mark.parametrize("name", ["groups", "extremes", "joined groups", "pairs", "having", "bag"])
def test_without_its_locks_the_same_play_goes_wrong(db: Database, watch: psycopg.Connection[Any], name: str) -> None:
    queries = {name: QUERIES[name]}
    prepare(db, watch, queries)
    _unlock(watch)
    with pytest.raises((AssertionError, psycopg.errors.DataCorrupted)):
        for seed in range(10 * ROUNDS):
            with hand(db, watch, queries, 3) as opened:
                play(opened, random.Random(f"{name} {seed}"), 40)


def _unlock(watch: psycopg.Connection[Any]) -> None:
    found = watch.execute(
        "SELECT pg_get_functiondef(p.oid) FROM pg_proc p JOIN pgtrickle.pgt_stream_tables s"
        " ON p.proname = 'immediate_' || s.pgt_id"
    ).fetchall()
    for (text,) in found:
        unlocked = re.sub(r"PERFORM pg_advisory_xact_lock(_shared)?\(", "PERFORM length(format('%s %s', ", text)
        unlocked = unlocked.replace("length(format('%s %s', 1953655660, ", "length(format('%s %s', 1, ")
        unlocked = re.sub(r"(PERFORM length\(format\([^;]*\));", r"\1);", unlocked)
        assert unlocked != text
        watch.execute(unlocked.encode())
