"""MQTT 5 with quality of service 1, on a mosquitto that keeps everything in memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.relay.kinds.kind import Acknowledge, Kind, Message, Options, Reach, Send, Take
from benchmarks.serving import await_port, free_port, serving

_TOPIC = "bench"
_ID = "Trickle-Event-Id"
_CONFIGURATION = """
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_inflight_messages 0
persistence false
"""


@contextmanager
def serve(folder: Path) -> Iterator[Reach]:
    port = free_port()
    settings = folder / "mosquitto.conf"
    own = "user root\n" if os.geteuid() == 0 else ""
    settings.write_text(own + _CONFIGURATION.format(port=port), encoding="utf-8")
    binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    with serving([binary, "-c", str(settings)], folder) as server:
        await_port(port, server)
        yield {"port": port}


def sink(reach: Reach, _: int) -> Options:
    return {"type": "mqtt", "url": f"mqtt://127.0.0.1:{reach['port']}", "topic": _TOPIC}


def _client(reach: Reach, name: str, hear: Callable[[Any], None] | None = None, topic: str = "") -> Any:
    """A client whose session the broker keeps for an hour, at work in a thread of its own."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    ready = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
    client.max_inflight_messages_set(1000)
    client.on_subscribe = lambda *_: ready.set()
    client.on_connect = lambda *_: client.subscribe(topic, qos=1) if topic else ready.set()
    client.on_message = lambda _, __, message: hear(message) if hear else None
    lasting = Properties(PacketTypes.CONNECT)
    lasting.SessionExpiryInterval = 3600
    lasting.ReceiveMaximum = 1000
    client.connect("127.0.0.1", reach["port"], clean_start=False, properties=lasting)
    client.loop_start()
    if not ready.wait(10):
        raise ValueError("mosquitto does not answer")
    return client


def _sender(reach: Reach, topic: str) -> Send:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    client = _client(reach, f"sender-{topic}")

    def publish(batch: Sequence[Message]) -> None:
        under_way = []
        for event_id, body in batch:
            carried = Properties(PacketTypes.PUBLISH)
            carried.UserProperty = [(_ID, event_id)]
            under_way.append(client.publish(topic, body, qos=1, properties=carried))
        for one in under_way:
            one.wait_for_publish(30)

    async def send(batch: Sequence[Message]) -> None:
        await asyncio.to_thread(publish, batch)

    return send


async def sender(reach: Reach) -> Send:
    return _sender(reach, _TOPIC)


def heard(reach: Reach, token: str) -> Options:
    return sink(reach, 0) | {"topic": _topic_of(token)}


def _topic_of(token: str) -> str:
    return token.partition("-")[0]


def source(reach: Reach, token: str) -> Options:
    reached = {"type": "mqtt", "url": f"mqtt://127.0.0.1:{reach['port']}"}
    return {**reached, "topics": [_topic_of(token)], "client_id": token}


async def taker(reach: Reach, token: str) -> Take:
    arrived: queue.Queue[Any] = queue.Queue()
    client = _client(reach, token, arrived.put, _topic_of(token))

    def some(limit: int) -> list[Any]:
        found: list[Any] = []
        with contextlib.suppress(queue.Empty):
            found.append(arrived.get(timeout=1))
            while len(found) < limit:
                found.append(arrived.get_nowait())
        return found

    async def take(limit: int) -> tuple[Sequence[Message], Acknowledge]:
        found = await asyncio.to_thread(some, limit)

        async def acknowledge() -> None:
            for message in found:
                client.ack(message.mid, message.qos)

        return [(dict(one.properties.UserProperty)[_ID], one.payload) for one in found], acknowledge

    return take


async def feeder(reach: Reach, tokens: Sequence[str]) -> Send:
    return _sender(reach, _topic_of(tokens[0]))


async def prepare(reach: Reach, tokens: Sequence[str]) -> None:
    """The broker keeps nothing for whom it has never seen."""
    for token in tokens:
        client = _client(reach, token, topic=_topic_of(token))
        client.disconnect()
        client.loop_stop()


KIND = Kind(
    name="mqtt",
    serve=serve,
    sink=sink,
    sender=sender,
    heard=heard,
    source=source,
    taker=taker,
    feeder=feeder,
    prepare=prepare,
)
