"""PostgreSQL at both ends: into an inbox of the same database, and from an outbox of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from benchmarks.relay.kinds.kind import Acknowledge, Kind, Message, Options, Reach, Send, Take

SINK_INBOX, ORIGIN = "bench_sink", "bench_origin"


@contextmanager
def serve(_: Path) -> Iterator[Reach]:
    yield {}


def sink(_: Reach, number: int) -> Options:
    return {"type": "postgres", "inbox": f"{SINK_INBOX}_{number}"}


async def sender(reach: Reach) -> Send:
    connection = await psycopg.AsyncConnection.connect(reach["database"], autocommit=True)
    return inserting(connection, f"{SINK_INBOX}_0")


def inserting(connection: psycopg.AsyncConnection, inbox: str) -> Send:
    """What a bare loop stores messages with."""
    statement = sql.SQL(
        "INSERT INTO {} (event_id, payload) SELECT * FROM unnest(%s::text[], %s::jsonb[]) ON CONFLICT DO NOTHING"
    ).format(sql.Identifier("pgtrickle", inbox))

    async def send(batch: Sequence[Message]) -> None:
        await connection.execute(statement, ([event_id for event_id, _ in batch], [body.decode() for _, body in batch]))

    return send


def source(_: Reach, token: str) -> Options:
    return {"type": "postgres", "outbox": ORIGIN, "group": token, "poll_seconds": 0.01}


async def taker(reach: Reach, token: str) -> Take:
    connection = await psycopg.AsyncConnection.connect(reach["database"], autocommit=True)
    await connection.execute("CREATE TABLE IF NOT EXISTS pgtrickle.bench_read (token text PRIMARY KEY, id bigint)")
    await connection.execute("INSERT INTO pgtrickle.bench_read VALUES (%s, 0)", (token,))
    cursor = connection.cursor(binary=True)
    last = 0

    async def take(limit: int) -> tuple[Sequence[Message], Acknowledge]:
        nonlocal last
        await cursor.execute(reading(ORIGIN), (last, limit))
        rows = await cursor.fetchall()
        last = rows[-1][0] if rows else last

        async def acknowledge() -> None:
            await connection.execute("UPDATE pgtrickle.bench_read SET id = %s WHERE token = %s", (last, token))

        return [(event_id, body) for _, event_id, body in rows], acknowledge

    return take


def reading(outbox: str) -> sql.Composed:
    """What a bare loop reads an outbox with: after which id, and how many."""
    return sql.SQL(
        "SELECT id, pgt_id::text, convert_to(payload::text, 'UTF8') FROM {} WHERE id > %s ORDER BY id LIMIT %s"
    ).format(sql.Identifier("pgtrickle", f"outbox_{outbox}"))


async def feeder(reach: Reach, _: Sequence[str]) -> Send:
    connection = await psycopg.AsyncConnection.connect(reach["database"], autocommit=True)

    async def send(batch: Sequence[Message]) -> None:
        await connection.execute(
            "INSERT INTO pgtrickle.outbox_bench_origin (payload, content_type, inserted_count)"
            " SELECT payload, 'application/json', 1 FROM unnest(%s::jsonb[]) AS payload",
            ([body.decode() for _, body in batch],),
        )

    return send


async def prepare(reach: Reach, _: Sequence[str]) -> None:
    async with await psycopg.AsyncConnection.connect(reach["database"], autocommit=True) as connection:
        await connection.execute("SELECT pgtrickle.drop_outbox(%s, true)", (ORIGIN,))
        await connection.execute("SELECT pgtrickle.create_outbox(%s)", (ORIGIN,))


KIND = Kind(
    name="postgres",
    serve=serve,
    sink=sink,
    sender=sender,
    source=source,
    taker=taker,
    feeder=feeder,
    prepare=prepare,
)
