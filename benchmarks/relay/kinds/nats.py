"""NATS JetStream: acknowledged when it is written, as every stream on disk does; not synced for each message."""

from __future__ import annotations

import asyncio
import shutil
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.relay.kinds.kind import Acknowledge, Kind, Message, Options, Reach, Send, Take
from benchmarks.serving import await_port, free_port, serving

_STREAM, _SUBJECT = "bench", "bench.messages"


@contextmanager
def serve(folder: Path) -> Iterator[Reach]:
    port = free_port()
    binary = shutil.which("nats-server", path=sysconfig.get_path("scripts")) or "nats-server"
    with serving([binary, "-js", "-sd", str(folder), "-a", "127.0.0.1", "-p", str(port)], folder) as server:
        await_port(port, server)
        url = f"nats://127.0.0.1:{port}"
        asyncio.run(_make_stream(url))
        yield {"url": url}


async def _make_stream(url: str) -> None:
    import nats as client

    connection = await client.connect(url)
    await connection.jetstream().add_stream(name=_STREAM, subjects=["bench.>"])
    await connection.close()


def sink(reach: Reach, _: int) -> Options:
    return {"type": "nats", "url": reach["url"], "subject": _SUBJECT}


async def sender(reach: Reach) -> Send:
    import nats as client

    stream = (await client.connect(reach["url"])).jetstream()

    async def send(batch: Sequence[Message]) -> None:
        futures = [
            await stream.publish_async(_SUBJECT, body, headers={"Nats-Msg-Id": event_id}) for event_id, body in batch
        ]
        await asyncio.gather(*futures)

    return send


def heard(reach: Reach, _: str) -> Options:
    return sink(reach, 0)


def source(reach: Reach, token: str) -> Options:
    return {"type": "nats", "url": reach["url"], "stream": _STREAM, "consumer": token}


async def taker(reach: Reach, token: str) -> Take:
    import nats as client

    connection = await client.connect(reach["url"])
    consumer = await connection.jetstream().pull_subscribe(_SUBJECT, durable=token, stream=_STREAM)

    async def take(limit: int) -> tuple[Sequence[Message], Acknowledge]:
        found = await consumer.fetch(limit, timeout=30)

        async def acknowledge() -> None:
            for message in found:
                await message.ack()
            await connection.flush()

        return [((message.headers or {})["Nats-Msg-Id"], message.data) for message in found], acknowledge

    return take


async def prepare(reach: Reach, _: Sequence[str]) -> None:
    """Made anew: what it remembers of ids would take the messages for known ones."""
    import nats as client

    connection = await client.connect(reach["url"])
    await connection.jetstream().delete_stream(_STREAM)
    await connection.jetstream().add_stream(name=_STREAM, subjects=["bench.>"])
    await connection.close()


KIND = Kind(
    name="nats",
    serve=serve,
    sink=sink,
    sender=sender,
    heard=heard,
    source=source,
    taker=taker,
    prepare=prepare,
)
