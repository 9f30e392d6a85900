"""Kafka, as librdkafka's own mock of a cluster in a process of its own: the protocol is real, the disk is not.

The mock cannot delete a topic, so each filling goes to one of its own, which its readers are called after. And it lets
a fetch that finds nothing wait for half a second whatever comes meanwhile, which shows in what is paced.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.relay.kinds.kind import Acknowledge, Kind, Message, Options, Reach, Send, Take

_TOPIC = "bench"
_CLUSTER = """
import sys
from confluent_kafka import Producer
made = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock"})
print(",".join(f"{b.host}:{b.port}" for b in made.list_topics(timeout=20).brokers.values()), flush=True)
sys.stdin.read()
"""


@contextmanager
def serve(_: Path) -> Iterator[Reach]:
    process = subprocess.Popen(
        [sys.executable, "-c", _CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield {"brokers": process.stdout.readline().strip()}
    finally:
        process.kill()
        process.wait()


def sink(reach: Reach, _: int) -> Options:
    return {"type": "kafka", "brokers": reach["brokers"], "topic": _TOPIC}


async def sender(reach: Reach) -> Send:
    return _sender(reach, _TOPIC)


def _sender(reach: Reach, topic: str) -> Send:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": reach["brokers"], "enable.idempotence": True, "linger.ms": 5})

    def report(error: Any, _: Any) -> None:
        if error is not None:
            raise ValueError(str(error))

    def flush(batch: Sequence[Message]) -> None:
        for event_id, body in batch:
            headers = {"Trickle-Event-Id": event_id, "content_type": "application/json"}
            producer.produce(topic, body, key=event_id, headers=headers, on_delivery=report)
        producer.flush(30)

    async def send(batch: Sequence[Message]) -> None:
        await asyncio.to_thread(flush, batch)

    return send


def heard(reach: Reach, token: str) -> Options:
    return sink(reach, 0) | {"topic": _topic_of(token)}


def _topic_of(token: str) -> str:
    return token.partition("-")[0]


def source(reach: Reach, token: str) -> Options:
    return {"type": "kafka", "brokers": reach["brokers"], "topic": _topic_of(token), "group_id": token}


async def taker(reach: Reach, token: str) -> Take:
    from confluent_kafka import Consumer

    consumer = Consumer(
        {
            "bootstrap.servers": reach["brokers"],
            "group.id": token,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([_topic_of(token)])

    async def take(limit: int) -> tuple[Sequence[Message], Acknowledge]:
        found = await asyncio.to_thread(consumer.consume, 1, 1.0)
        found += consumer.consume(limit - 1, 0.0)

        async def acknowledge() -> None:
            if found:
                await asyncio.to_thread(consumer.commit, asynchronous=False)

        ids = [dict(one.headers() or ())["Trickle-Event-Id"].decode() for one in found]
        return list(zip(ids, (one.value() or b"" for one in found), strict=True)), acknowledge

    return take


async def feeder(reach: Reach, tokens: Sequence[str]) -> Send:
    return _sender(reach, _topic_of(tokens[0]))


async def prepare(reach: Reach, tokens: Sequence[str]) -> None:
    """A topic is made when somebody asks for it."""
    from confluent_kafka import Producer

    Producer({"bootstrap.servers": reach["brokers"]}).list_topics(_topic_of(tokens[0]), timeout=20)


KIND = Kind(
    name="kafka",
    serve=serve,
    sink=sink,
    sender=sender,
    heard=heard,
    source=source,
    taker=taker,
    feeder=feeder,
    prepare=prepare,
)
