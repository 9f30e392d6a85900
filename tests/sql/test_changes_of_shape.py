"""What becomes of a stream table when its sources change their shape: it follows, or says what to do.

Lies it would catch: a program that goes on as if nothing had happened and is wrong, in silence.
Oracle: the defining query, evaluated anew after every step, and a second round of writes after each repair.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from support.databases import Database

import trickle
from trickle import Client
from trickle.errors import TrickleError

from .conftest import Connection, one

SETUP = (
    "CREATE TYPE mood AS ENUM ('low', 'high')",
    "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
    "CREATE TYPE pair AS (a int, b text)",
    "CREATE SCHEMA other",
    "CREATE TABLE t (id int PRIMARY KEY, g int, v numeric(8,2), note text, m mood, p positive, c pair, spare int,"
    " twice int GENERATED ALWAYS AS (g * 2) STORED)",
    "CREATE FUNCTION twisted(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 10'",
    "CREATE VIEW seen AS SELECT id, g, v FROM t WHERE g > 0",
    "INSERT INTO t SELECT i, i % 5, i / 3.0, 'n' || i % 4, 'low', i, ROW(i, 'x')::pair, i"
    " FROM generate_series(1, 60) i",
)
QUERIES = {
    "rows": "SELECT id, g, v, note, twice FROM t WHERE g <> 3",
    "groups": "SELECT g, count(*) AS n, sum(v) AS total, max(note) AS top FROM t GROUP BY g",
    "types": "SELECT id, m, p, c, (c).b AS b FROM t",
    "view": "SELECT g, sum(v) AS total FROM seen GROUP BY g",
    "function": "SELECT id, twisted(g) AS x FROM t",
    "self-join": "SELECT a.id, b.note FROM t a JOIN t b ON b.id = a.id + 1 AND b.g = a.twice",
}
SHAPES = {
    "a column is added": "ALTER TABLE t ADD COLUMN more int DEFAULT 7",
    "an unread column is dropped": "ALTER TABLE t DROP COLUMN spare",
    "a read column is dropped": "ALTER TABLE t DROP COLUMN note",
    "columns change names": "ALTER TABLE t RENAME g TO h; ALTER TABLE t RENAME spare TO g;"
    " ALTER TABLE t RENAME h TO spare; ALTER TABLE t RENAME note TO h; ALTER TABLE t RENAME h TO note",
    "a column is renamed": "ALTER TABLE t RENAME note TO remark",
    "an unread type is changed": "ALTER TABLE t ALTER spare TYPE text",
    "a read type is changed": "ALTER TABLE t ALTER v TYPE numeric(12,4)",
    "the table is renamed": "ALTER TABLE t RENAME TO renamed; CREATE VIEW t AS SELECT * FROM renamed",
    "the table is moved": "ALTER TABLE t SET SCHEMA other; CREATE VIEW t AS SELECT * FROM other.t",
    "the key is dropped": "ALTER TABLE t DROP CONSTRAINT t_pkey",
    "the key is another": "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD UNIQUE (spare)",
    "NOT NULL goes": "ALTER TABLE t DROP CONSTRAINT t_pkey, ALTER id DROP NOT NULL; INSERT INTO t"
    " (id, g) VALUES (NULL, 1), (NULL, 1)",
    "the table is rewritten": "VACUUM FULL t",
    "it is truncated": "TRUNCATE t",
    "it is truncated and filled": "TRUNCATE t; INSERT INTO t (id, g, v, note) VALUES (1, 1, 1, 'a'), (2, 2, 2, 'b')",
    "an enum gets a value": "ALTER TYPE mood ADD VALUE 'middle' BEFORE 'high'",
    "an enum value is renamed": "ALTER TYPE mood RENAME VALUE 'low' TO 'deep'",
    "a domain is altered": "ALTER DOMAIN positive DROP CONSTRAINT positive_check",
    "a composite gets an attribute": "ALTER TYPE pair ADD ATTRIBUTE d int",
    "a composite attribute is renamed": "ALTER TYPE pair RENAME ATTRIBUTE b TO bb",
    "a view is replaced": "CREATE OR REPLACE VIEW seen AS SELECT id, g, (v * 2)::numeric(8,2) AS v FROM t WHERE g > 1",
    "a function is replaced": "CREATE OR REPLACE FUNCTION twisted(int) RETURNS int LANGUAGE sql IMMUTABLE AS"
    " 'SELECT $1 * 11'",
    "a generated column is computed no more": "ALTER TABLE t ALTER twice DROP EXPRESSION;"
    " UPDATE t SET twice = 5 WHERE id <"
    " 20",
    "a default and a check": "ALTER TABLE t ALTER v SET DEFAULT 3, ADD CHECK (g < 1000)",
    "unlogged": "ALTER TABLE t SET UNLOGGED",
    "row security": "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    "forced row security": "ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY",
    "an inheritance child": "CREATE TABLE child () INHERITS (t); INSERT INTO child (id, g, v, note) VALUES"
    " (900, 1, 4, 'c')",
    "a rule": "CREATE RULE nothing AS ON DELETE TO t WHERE old.id = 2 DO INSTEAD NOTHING",
    "dropped and made again": "ALTER TABLE t RENAME TO gone; CREATE TABLE t AS TABLE gone",
}  # fmt: skip


@pytest.fixture
def client(db: Database) -> Iterator[Client]:
    with trickle.connect(db.url) as opened:
        yield opened


def write(connection: Connection, turn: int) -> None:
    """Write what can be written in whatever shape the table is now."""
    for statement in (
        f"UPDATE t SET g = g + 1 WHERE id % 7 = {turn}",
        f"DELETE FROM t WHERE id % 11 = {turn}",
        f"INSERT INTO t (id, g, v) SELECT i, i % 6, i FROM generate_series(100 * {turn}, 100 * {turn} + 9) i",
    ):
        try:
            connection.execute(statement.encode())
        except psycopg.Error:
            # A table made anew, or a view with columns that compute themselves, refuses some of these.
            continue


def is_told(client: Client, name: str) -> bool:
    """Refresh. True when the refresh said what is wrong and what to do; else the stream table is right."""
    try:
        client.refresh_stream_table(name)
    except TrickleError as error:
        assert error.hint, f"{error} does not say what to do"
        return True
    assert client.verify(name).equal
    return False


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_it_follows_or_says_what_to_do(client: Client, conn: Connection, shape: str) -> None:
    for statement in SETUP:
        conn.execute(statement.encode())
    for number, query in enumerate(QUERIES.values()):
        client.create_stream_table(f"s{number}", query, refresh_mode="DIFFERENTIAL")
    write(conn, 1)
    # The stored query keeps what it reads from being taken away.
    with suppress(psycopg.errors.DependentObjectsStillExist, psycopg.errors.FeatureNotSupported):
        for statement in shape.split("; "):
            conn.execute(statement.encode())
    for turn in (2, 3):
        write(conn, turn)
        for number in range(len(QUERIES)):
            name = f"s{number}"
            if is_told(client, name):
                row = "FROM pgtrickle.pgt_stream_tables WHERE pgt_name = %s"
                resume = f"SELECT pgtrickle.resume_stream_table(pgt_name) {row} AND status = 'ERROR'"
                conn.execute(resume.encode(), (name,))
                client.alter_stream_table(name, query=one(conn, f"SELECT defining_query {row}", name))
                assert client.verify(name).equal
    for number in range(len(QUERIES)):
        client.alter_stream_table(f"s{number}", tier="hot")
    write(conn, 4)
    for number in range(len(QUERIES)):
        assert not is_told(client, f"s{number}")


def test_sixty_columns_with_odd_names(client: Client, conn: Connection) -> None:
    names = [f'"C {i} ""quoted"", ü"' for i in range(60)]
    conn.execute(f"CREATE TABLE wide (id int PRIMARY KEY, {', '.join(f'{n} int' for n in names)})".encode())
    filled = ", ".join(f"i + {number}" for number in range(60))
    conn.execute(f"INSERT INTO wide SELECT i, {filled} FROM generate_series(1, 40) i".encode())
    client.create_stream_table("w", "SELECT * FROM wide", refresh_mode="DIFFERENTIAL")
    client.create_stream_table("few", f"SELECT id, {names[59]} AS last FROM wide", refresh_mode="DIFFERENTIAL")
    for number, step in enumerate(
        (
            f"UPDATE wide SET {names[3]} = 0, {names[59]} = 9 WHERE id < 9",
            f'ALTER TABLE wide RENAME {names[7]} TO "renamed """',
            f"ALTER TABLE wide ALTER {names[59]} TYPE bigint",
            'ALTER TABLE wide ADD "drop table wide; --" int',
        )
    ):
        with suppress(psycopg.errors.FeatureNotSupported):
            conn.execute(step.encode())
        conn.execute(f"DELETE FROM wide WHERE id = {20 + number}".encode())
        for name in ("w", "few"):
            assert not is_told(client, name)


def test_partitions_come_go_and_trade_rows(client: Client, conn: Connection) -> None:
    for statement in (
        "CREATE TABLE t (id int, g int, v int, PRIMARY KEY (id, g)) PARTITION BY LIST (g)",
        "CREATE TABLE ones PARTITION OF t FOR VALUES IN (1)",
        "CREATE TABLE twos PARTITION OF t FOR VALUES IN (2)",
        "CREATE TABLE threes (v int, gone int, g int NOT NULL, id int NOT NULL)",
        "ALTER TABLE threes DROP COLUMN gone",
        "INSERT INTO t SELECT i, i % 2 + 1, i FROM generate_series(1, 40) i",
        "INSERT INTO threes (id, g, v) SELECT i, 3, i FROM generate_series(1, 9) i",
    ):
        conn.execute(statement.encode())
    queries = ("SELECT id, g, v FROM t", "SELECT g, sum(v) AS v, count(*) AS n FROM t GROUP BY g",
               "SELECT a.id, b.g FROM t a JOIN t b ON a.id = b.id AND a.g <> b.g")  # fmt: skip
    for number, query in enumerate(queries):
        client.create_stream_table(f"s{number}", query, refresh_mode="DIFFERENTIAL")
    for step in (
        "ALTER TABLE t ATTACH PARTITION threes FOR VALUES IN (3)",
        "UPDATE t SET g = 3 WHERE g = 1 AND id < 10 AND id NOT IN (SELECT id FROM threes)",
        "UPDATE t SET g = 2 WHERE g = 3",
        "INSERT INTO threes (id, g, v) VALUES (77, 3, 7)",
        "ALTER TABLE t DETACH PARTITION twos",
        "INSERT INTO twos (id, g, v) VALUES (78, 2, 8)",
        "TRUNCATE ones",
        "ALTER TABLE t ATTACH PARTITION twos FOR VALUES IN (2, 1)",
        "DROP TABLE ones",
        "ALTER TABLE t ATTACH PARTITION twos FOR VALUES IN (2, 1)",
        "DELETE FROM twos WHERE id % 3 = 0",
        "MERGE INTO t USING (VALUES (77), (500)) s(id) ON t.id = s.id"
        " WHEN MATCHED THEN UPDATE SET g = 2 WHEN NOT MATCHED THEN INSERT VALUES (s.id, 3, 5)",
        "ALTER TABLE t RENAME v TO w",
        "UPDATE t SET w = w + 1",
    ):
        try:
            conn.execute(step.encode())
        except (psycopg.errors.InvalidObjectDefinition, psycopg.errors.UniqueViolation):
            continue
        for number in range(len(queries)):
            assert not is_told(client, f"s{number}"), step
