"""RabbitMQ: durable queues behind one exchange; published with confirms, persistent."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.relay.kinds.kind import Acknowledge, Kind, Message, Options, Reach, Send, Take
from benchmarks.serving import free_port

_EXCHANGE, _KEPT = "bench", "bench.kept"
_START_SECONDS = 90.0
# The node and its port mapper are one process group, which ends with the shell's input.
_RUN = """
epmd >/dev/null 2>&1 </dev/null &
{ "$0"; kill -9 0; } </dev/null &
cat >/dev/null
kill -9 0
"""


@contextmanager
def serve(_: Path) -> Iterator[Reach]:
    """In a folder of its own, for it runs as the account that the package made for it."""
    with tempfile.TemporaryDirectory(prefix="trickle-rabbitmq-") as made, _node(Path(made)) as port:
        channel = _channel(f"amqp://guest:guest@127.0.0.1:{port}/")
        channel.exchange_declare(_EXCHANGE, "fanout", durable=True)
        # What stays is what a destination costs; its length is bounded, since nobody reads it.
        channel.queue_declare(_KEPT, durable=True, arguments={"x-max-length": 10_000})
        channel.queue_bind(_KEPT, _EXCHANGE)
        channel.connection.close()
        yield {"port": port}


@contextmanager
def _node(folder: Path) -> Iterator[int]:
    port = free_port()
    own = ["setpriv", "--reuid=rabbitmq", "--regid=rabbitmq", "--clear-groups"] if os.geteuid() == 0 else []
    if own:
        shutil.chown(folder, "rabbitmq", "rabbitmq")
    (folder / "plugins").write_text("[].", encoding="ascii")
    process = subprocess.Popen(
        [*own, "sh", "-c", _RUN, _binary()],
        env={
            **os.environ,
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"bench{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _await_greeting(port, process)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _binary() -> str:
    for place in ("/usr/lib/rabbitmq/bin/rabbitmq-server", shutil.which("rabbitmq-server")):
        if place and os.access(place, os.X_OK):
            return place
    raise FileNotFoundError("rabbitmq-server")


def _await_greeting(port: int, process: subprocess.Popen[bytes]) -> None:
    """Its port is open before it talks."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as probe:
                probe.sendall(b"AMQP\x00\x00\x09\x01")
                if probe.recv(1):
                    return
        except OSError:
            pass
        time.sleep(0.2)
    raise ValueError("rabbitmq-server does not answer")


def _url(reach: Reach) -> str:
    return f"amqp://guest:guest@127.0.0.1:{reach['port']}/"


def _channel(url: str) -> Any:
    import pika

    return pika.BlockingConnection(pika.URLParameters(url)).channel()


def _reached(reach: Reach) -> Options:
    password = "${env:BENCH_RABBITMQ_PASSWORD}"
    address = f"amqp://127.0.0.1:{reach['port']}/"
    return {"type": "rabbitmq", "url": address, "username": "guest", "password": password}


def sink(reach: Reach, _: int) -> Options:
    return {**_reached(reach), "exchange": _EXCHANGE, "routing_key": "any"}


async def sender(reach: Reach) -> Send:
    """The blocking client confirms message by message; this one has many under way."""
    import pika
    from pika.adapters.asyncio_connection import AsyncioConnection

    ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    waiting: dict[int, asyncio.Future[None]] = {}
    sent = 0

    def confirmed(frame: Any) -> None:
        last = frame.method.delivery_tag
        for number in [number for number in waiting if number <= last] if frame.method.multiple else [last]:
            waiting.pop(number).set_result(None)

    def opened(connection: Any) -> None:
        connection.channel(on_open_callback=confirming)

    def confirming(channel: Any) -> None:
        channel.confirm_delivery(confirmed, lambda _: ready.set_result(channel))

    AsyncioConnection(pika.URLParameters(_url(reach)), on_open_callback=opened)
    channel = await ready
    persistent = pika.spec.PERSISTENT_DELIVERY_MODE

    async def send(batch: Sequence[Message]) -> None:
        nonlocal sent
        for event_id, body in batch:
            sent += 1
            waiting[sent] = asyncio.get_running_loop().create_future()
            properties = pika.BasicProperties(message_id=event_id, delivery_mode=persistent)
            channel.basic_publish(_EXCHANGE, "any", body, properties)
        await asyncio.gather(*waiting.values())

    return send


def heard(reach: Reach, _: str) -> Options:
    return sink(reach, 0)


def source(reach: Reach, token: str) -> Options:
    return {**_reached(reach), "queue": token}


async def taker(reach: Reach, token: str) -> Take:
    channel = _channel(_url(reach))
    channel.basic_qos(prefetch_count=1000)
    coming = channel.consume(token)

    async def take(limit: int) -> tuple[Sequence[Message], Acknowledge]:
        found = [next(coming)]
        while len(found) < limit and channel.get_waiting_message_count():
            found.append(next(coming))

        async def acknowledge() -> None:
            channel.basic_ack(found[-1][0].delivery_tag, multiple=True)

        return [(properties.message_id, body) for _, properties, body in found], acknowledge

    return take


async def prepare(reach: Reach, tokens: Sequence[str]) -> None:
    """Their queues; those of who was there before are deleted when the last of them is done."""
    channel = _channel(_url(reach))
    for token in tokens:
        channel.queue_declare(token, durable=True, arguments={"x-expires": 60_000})
        channel.queue_bind(token, _EXCHANGE)
    channel.connection.close()


KIND = Kind(
    name="rabbitmq",
    serve=serve,
    sink=sink,
    sender=sender,
    heard=heard,
    source=source,
    taker=taker,
    prepare=prepare,
)
