"""Where messages of the kill tests go to, and from there into an inbox: real servers that can be killed.

    outbox ──▶ sink ──▶ broker ──▶ source ──▶ inbox
                          └── `arrivals`: everything that the broker holds, in the order of arrival

An end without `source` is read by the test alone; one without `arrivals` by the inbox alone. What cannot be killed
without losing what it has confirmed (the mock of Kafka, which has no disk; the store of objects, which is this process)
is not killed, and mosquitto, which writes its sessions down when it ends, is ended properly.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from support.brokers import Broker, free_port
from support.s3 import ACCESS, BUCKET, SECRET
from support.waiting import until

from chaos.relay_load import Told, told

QUICKLY: dict[str, Any] = {"timeout_seconds": 5.0, "connect_timeout_seconds": 5.0}
NAME = "kills"
OUTBOX, INBOX, DIRECT_INBOX = "kills", "kills_inbox", "kills_direct"


class Killable(Protocol):
    """A server of the tests."""

    def kill(self) -> None: ...

    def start(self) -> None: ...


class Pausable(Protocol):
    """A server that can be stopped in its tracks."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


@dataclass
class End:
    """A destination and, perhaps, the origin behind it."""

    sink: dict[str, Any]
    source: dict[str, Any] | None = None
    intake: dict[str, Any] = field(default_factory=dict)  # options of the pipeline from the source
    # Each list is in the order of arrival; between two of them there is no order.
    arrivals: Callable[[], Sequence[Sequence[Told]]] | None = None
    killable: Killable | None = None
    pausable: Pausable | None = None
    ports: Sequence[int] = ()  # that the pausable listens on
    sink_inbox: str | None = None  # of the same database
    starts_slowly: bool = False  # so that it is killed in the long runs only
    has_one_holder: bool = False  # a port or a lock of this host: one that is frozen keeps it from all others
    recognises: bool = False  # what comes again is not there twice
    environment: Mapping[str, str] = field(default_factory=dict)  # of the relays


Make = Callable[[pytest.FixtureRequest, Path], End]


def nats(request: pytest.FixtureRequest, _: Path) -> End:
    from nats.aio.client import Client

    broker: Broker = request.getfixturevalue("start_nats")()
    url = f"nats://127.0.0.1:{broker.port}"

    async def make_stream() -> None:
        client = Client()
        await client.connect(url)
        await client.jetstream().add_stream(name=NAME, subjects=[f"{NAME}.>"])
        await client.close()

    async def stored() -> list[Told]:
        client = Client()
        await client.connect(url)
        stream = client.jetstream()
        state = (await stream.stream_info(NAME)).state
        messages = [await stream.get_msg(NAME, seq) for seq in range(state.first_seq, state.last_seq + 1)]
        await client.close()
        return [told((message.headers or {})["Nats-Msg-Id"], message.data or b"") for message in messages]

    asyncio.run(make_stream())
    return End(
        sink={"type": "nats", "url": url, "subject": f"{NAME}.{{key}}", **QUICKLY},
        source={"type": "nats", "url": url, "stream": NAME, "consumer": NAME, "ack_wait_seconds": 2.0, **QUICKLY},
        arrivals=lambda: [asyncio.run(stored())],
        killable=broker,
        pausable=broker,
        ports=(broker.port,),
        recognises=True,
    )


def redis(request: pytest.FixtureRequest, _: Path) -> End:
    from redis import Redis

    broker: Broker = request.getfixturevalue("start_redis")()
    url = f"redis://127.0.0.1:{broker.port}"

    def stored() -> list[list[Told]]:
        with Redis.from_url(url) as client:
            entries: Any = client.xrange(NAME)
        return [[told(entry[b"event_id"].decode(), entry[b"payload"]) for _, entry in entries]]

    return End(
        sink={"type": "redis", "url": url, "stream": NAME, "dedup_seconds": 3600, **QUICKLY},
        source={"type": "redis", "url": url, "stream": NAME, "group": NAME, **QUICKLY},
        arrivals=stored,
        killable=broker,
        pausable=broker,
        ports=(broker.port,),
        recognises=True,
    )


def rabbitmq(request: pytest.FixtureRequest, _: Path) -> End:
    import pika

    node = request.getfixturevalue("rabbitmq")
    name = f"{NAME}.{os.urandom(4).hex()}"  # the node is that of all tests
    parameters = pika.URLParameters(node.url)

    def channel() -> Any:
        return pika.BlockingConnection(parameters).channel()

    def kept() -> list[list[Told]]:
        reading = channel()
        found = []
        for method, properties, body in reading.consume(f"{name}.kept", inactivity_timeout=2.0, auto_ack=True):
            if method is None:
                break
            found.append(told(properties.message_id, body))
        reading.connection.close()
        return [found]

    made = channel()
    made.exchange_declare(name, "fanout", durable=True)
    for queue in (f"{name}.taken", f"{name}.kept"):
        made.queue_declare(queue, durable=True)
        made.queue_bind(queue, name)
    made.connection.close()
    reached = {
        "type": "rabbitmq",
        "url": f"amqp://127.0.0.1:{node.port}/",
        "username": "guest",
        "password": "${env:TRICKLE_TEST_PASSWORD}",
        "heartbeat_seconds": 5,
        **QUICKLY,
    }
    return End(
        sink={**reached, "exchange": name, "routing_key": "any"},
        source={**reached, "queue": f"{name}.taken"},
        arrivals=kept,
        killable=node,
        pausable=node,
        ports=(node.port,),
        starts_slowly=True,
        environment={"TRICKLE_TEST_PASSWORD": "guest"},
    )


def kafka(request: pytest.FixtureRequest, _: Path) -> End:
    from confluent_kafka import Consumer, TopicPartition

    cluster = request.getfixturevalue("start_kafka")()

    def stored() -> list[list[Told]]:
        consumer = Consumer({"bootstrap.servers": cluster.brokers, "group.id": "reader", "enable.auto.commit": False})
        found = []
        for partition in consumer.list_topics(NAME, timeout=20).topics[NAME].partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(NAME, partition), timeout=20)
            consumer.assign([TopicPartition(NAME, partition, low)])
            records: list[Any] = []
            while len(records) < high - low:
                records += consumer.consume(min(500, high - low - len(records)), timeout=1.0)
            found.append([told(dict(one.headers())["Trickle-Event-Id"].decode(), one.value()) for one in records])
        consumer.close()
        return found

    reached = {"type": "kafka", "brokers": cluster.brokers, "topic": NAME, **QUICKLY}
    return End(
        sink=reached,
        source={**reached, "group_id": NAME, "session_timeout_seconds": 6.0},
        arrivals=stored,
        pausable=cluster,
        ports=[int(broker.rpartition(":")[2]) for broker in cluster.brokers.split(",")],
    )


def kafka_sink(request: pytest.FixtureRequest, folder: Path) -> End:
    return replace(kafka(request, folder), source=None)


@dataclass
class _EndedProperly:
    """A mosquitto that is killed would forget what it has not yet written down."""

    broker: Any

    def kill(self) -> None:
        self.broker.stop()

    def start(self) -> None:
        self.broker.start()


def mqtt(request: pytest.FixtureRequest, _: Path) -> End:
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    broker = request.getfixturevalue("mosquitto")
    broker.stop()
    broker.keep_sessions()
    broker.start()
    heard: list[Told] = []
    subscribed: list[bool] = []

    def hear(_: Any, __: Any, message: MQTTMessage) -> None:
        carried = dict(getattr(message.properties, "UserProperty", ()))
        heard.append(told(carried["Trickle-Event-Id"], message.payload))

    def connect(name: str = "reader") -> Client:
        """A session, which the broker keeps while nobody reads."""
        client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5)
        client.on_message = hear
        client.on_subscribe = lambda *_: subscribed.append(True)
        lasting = Properties(PacketTypes.CONNECT)
        lasting.SessionExpiryInterval = 3600
        client.connect("127.0.0.1", broker.port, clean_start=False, properties=lasting)
        client.loop_start()
        return client

    def leave(client: Client) -> None:
        client.disconnect()
        client.loop_stop()

    def arrivals() -> list[list[Told]]:
        client = connect()
        last = time.monotonic()
        known = 0
        # They come without a pause; two seconds without any mean that there are no more.
        while time.monotonic() < last + 2.0:
            if len(heard) > known:
                known, last = len(heard), time.monotonic()
            time.sleep(0.05)
        leave(client)
        return [list(heard)]

    # The broker keeps nothing for whom it has never seen, so both sessions are there before the first message.
    for name in ("reader", "relay"):
        first = connect(name)
        subscribed.clear()
        first.subscribe(f"{NAME}/#", qos=1)
        until(lambda: bool(subscribed), what=f"the {name} has subscribed")
        leave(first)
    reached = {"type": "mqtt", "url": broker.url, "connect_timeout_seconds": 5.0, "keepalive_seconds": 5}
    return End(
        sink={**reached, "topic": f"{NAME}/{{key}}", "timeout_seconds": 5.0},
        source={**reached, "topics": [f"{NAME}/#"], "client_id": "relay"},
        arrivals=arrivals,
        killable=_EndedProperly(broker),
    )


_RECEIVE = """
import http.server, os, sys
kept = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        os.write(kept, self.headers["webhook-id"].encode() + b" " + body + b"\\n")
        self.send_response(204)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
_LOCAL: dict[str, Any] = {"type": "webhook", "allow_http": True, "allow_networks": ["127.0.0.0/8"], **QUICKLY}


def webhook_sink(request: pytest.FixtureRequest, folder: Path) -> End:
    port, kept = free_port(), folder / "received"
    receiver = Broker([sys.executable, "-c", _RECEIVE, str(port), str(kept)], port, folder)
    request.addfinalizer(receiver.kill)
    receiver.start()

    def received() -> list[list[Told]]:
        return [[told(*line.split(" ", 1)) for line in kept.read_text(encoding="utf-8").splitlines()]]

    return End(
        sink={**_LOCAL, "url": f"http://127.0.0.1:{port}/"},
        arrivals=received,
        killable=receiver,
        pausable=receiver,
        ports=(port,),
    )


def webhook_source(_: pytest.FixtureRequest, __: Path) -> End:
    """From one relay to whichever listens."""
    port = free_port()
    return End(
        sink={**_LOCAL, "url": f"http://127.0.0.1:{port}/"},
        source={"type": "webhook", "port": port, "signature_scheme": "none", "retry_after_seconds": 1},
        has_one_holder=True,
    )


def postgres(_: pytest.FixtureRequest, __: Path) -> End:
    """Straight into an inbox, and the outbox read as a source into another."""
    return End(
        sink={"type": "postgres", "inbox": DIRECT_INBOX},
        source={"type": "postgres", "outbox": OUTBOX, "group": "kills reader", "poll_seconds": 0.05},
        sink_inbox=DIRECT_INBOX,
    )


def s3(request: pytest.FixtureRequest, _: Path) -> End:
    store = request.getfixturevalue("store")

    def stored() -> list[list[Told]]:
        return [_enveloped(body.decode()) for body in store.objects().values()]

    return End(
        sink={
            "type": "s3",
            "bucket": BUCKET,
            "endpoint_url": store.url,
            "access_key_id": ACCESS,
            "secret_access_key": "${env:TRICKLE_TEST_PASSWORD}",
            "gzip": False,
            "layout": "envelope",
            **QUICKLY,
        },
        arrivals=stored,
        environment={"TRICKLE_TEST_PASSWORD": SECRET},
    )


def file(_: pytest.FixtureRequest, folder: Path) -> End:
    path = folder / "messages.jsonl"
    path.touch()
    return End(
        sink={"type": "file", "path": str(path), "layout": "envelope"},
        source={"type": "file", "path": str(path), "id_field": "event_id", "poll_seconds": 0.05},
        intake={"transform": {"payload": "payload"}, "mapping": {"key": "key"}},
        has_one_holder=True,
        arrivals=lambda: [_enveloped(path.read_text(encoding="utf-8"))],
    )


def _enveloped(text: str) -> list[Told]:
    lines = [json.loads(line) for line in text.splitlines()]
    return [told(line["event_id"], line["payload"]) for line in lines]


ENDS: dict[str, Make] = {
    "nats": nats,
    "redis": redis,
    "rabbitmq": rabbitmq,
    "kafka": kafka,
    "kafka sink": kafka_sink,
    "mqtt": mqtt,
    "webhook sink": webhook_sink,
    "webhook source": webhook_source,
    "s3": s3,
    "file": file,
    "postgres": postgres,
}
# A group of Kafka takes ten seconds to notice that a member is dead.
ONLY_LONG = frozenset({"kafka"})
