"""Kafka as a destination and as an origin, on librdkafka's mock of a cluster: real clients, a real protocol.

The mock has no users, no disk and every topic, so what those would say is told to the functions that judge it.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from support import certificates
from support.brokers import free_port
from support.delivery import error_of, kinds, nothing_comes, outgoing, take
from support.kafka_cluster import Cluster
from support.loops import in_loop

from trickle.relay.brokers.kafka import kind_of, may_be_topic
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.positions import Position
from trickle.relay.sinks.kafka import KafkaSink, KafkaSinkOptions
from trickle.relay.sources.kafka import KafkaSource, KafkaSourceOptions

_numbers = itertools.count()


def new_topic() -> str:
    return f"topic.{next(_numbers)}"


def stored(cluster: Cluster, topic: str) -> list[Message]:
    """All records of a topic, partition by partition."""
    consumer = Consumer({"bootstrap.servers": cluster.brokers, "group.id": "none", "enable.auto.commit": False})
    found: list[Message] = []
    for partition in consumer.list_topics(topic, timeout=20).topics[topic].partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=20)
        consumer.assign([TopicPartition(topic, partition, low)])
        read = 0
        while read < high - low:
            records = consumer.consume(min(500, high - low - read), timeout=1.0)
            found += records
            read += len(records)
    consumer.close()
    assert not any(record.error() for record in found)
    return found


def committed(cluster: Cluster, topic: str) -> int:
    """How many records of a topic the group of `source_of` has done with."""
    consumer = Consumer({"bootstrap.servers": cluster.brokers, "group.id": f"group of {topic}"})
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    offsets = consumer.committed([TopicPartition(topic, number) for number in partitions], timeout=20)
    consumer.close()
    return sum(max(0, partition.offset) for partition in offsets)


def id_of(record: Message) -> str:
    return dict(record.headers())["Trickle-Event-Id"].decode()


@asynccontextmanager
async def sink_of(cluster: Cluster, **options: Any) -> AsyncIterator[KafkaSink]:
    sink = KafkaSink(KafkaSinkOptions(brokers=cluster.brokers, **options))
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


@asynccontextmanager
async def source_of(cluster: Cluster, topic: str, **options: Any) -> AsyncIterator[KafkaSource]:
    chosen = {"group_id": f"group of {topic}", "session_timeout_seconds": 6.0, **options}
    source = KafkaSource(KafkaSourceOptions(brokers=cluster.brokers, topic=topic, **chosen))
    await source.open()
    try:
        yield source
    finally:
        await source.close()


@in_loop
async def test_what_is_sent_arrives_with_its_id_and_headers_in_order(kafka: Cluster) -> None:
    topic = new_topic()
    async with sink_of(kafka, linger_ms=1) as sink:
        messages = [outgoing(n, key=f"kä{n % 5}", address=topic, headers={"a b": "ü\r\n"}) for n in range(500)]
        assert not await sink.send(messages)
        assert not await sink.send([])
        assert not await sink.send([outgoing(500, address=topic)])
    found = await asyncio.to_thread(stored, kafka, topic)
    assert {id_of(record) for record in found} == {f"event-{n}" for n in range(501)}
    for key in range(5):
        of_key = [record for record in found if record.key() == f"kä{key}".encode()]
        assert [id_of(record) for record in of_key] == [f"event-{n}" for n in range(key, 500, 5)]
        assert len({record.partition() for record in of_key}) == 1
    first = next(record for record in found if id_of(record) == "event-3")
    assert first.value() == b'{"n": 3}'
    assert dict(first.headers()) == {
        "Trickle-Event-Id": b"event-3",
        "Content-Type": b"application/json",
        "Trickle-Key": "kä3".encode(),
        "a b": "ü\r\n".encode(),
    }
    assert next(record for record in found if id_of(record) == "event-500").key() == b"event-500"


@in_loop
async def test_a_tombstone_has_no_value_and_an_empty_message_has_one(kafka: Cluster) -> None:
    topic = new_topic()
    messages = [
        outgoing(0, key="k", body=b""),
        outgoing(1, key="k", body=b"")._replace(content_type=""),
        outgoing(2, key="k", body=b"x")._replace(content_type=""),
    ]
    async with sink_of(kafka, topic=topic, linger_ms=1) as sink:
        assert not await sink.send(messages)
    found = await asyncio.to_thread(stored, kafka, topic)
    assert [record.value() for record in found] == [b"", None, b"x"]
    assert {record.key() for record in found} == {b"k"}


@in_loop
async def test_calls_under_way_together_arrive_in_their_order(kafka: Cluster) -> None:
    topic = new_topic()
    async with sink_of(kafka, topic=topic) as sink:
        batches = [[outgoing(n, key="one", body=b"x" * 2000) for n in range(s, s + 100)] for s in range(0, 1000, 100)]
        assert all(not failures for failures in await asyncio.gather(*map(sink.send, batches)))
    found = await asyncio.to_thread(stored, kafka, topic)
    assert [id_of(record) for record in found] == [f"event-{n}" for n in range(1000)]


@in_loop
async def test_one_poison_does_not_stop_the_others(kafka: Cluster) -> None:
    topic = new_topic()
    async with sink_of(kafka, max_message_bytes=100_000) as sink:
        messages = [
            outgoing(0, key="k", address=topic),
            outgoing(1, key="k", address=topic, body=b"x" * 200_000),
            outgoing(2, key="k", address="no topic"),
            outgoing(3, key="k"),
            outgoing(4, key="k", address=topic),
        ]
        expected = {1: "message_too_large", 2: "encoding", 3: "invalid_destination"}
        assert kinds(await sink.send(messages)) == expected
        assert kinds(await sink.send(messages[1:3])) == {0: "message_too_large", 1: "encoding"}
    assert [id_of(record) for record in await asyncio.to_thread(stored, kafka, topic)] == ["event-0", "event-4"]


@in_loop
async def test_brokers_that_die_are_an_error_and_nothing_overtakes(start_kafka: Callable[[], Cluster]) -> None:
    cluster = start_kafka()
    async with sink_of(cluster, topic="t", timeout_seconds=5.0) as sink:
        assert not await sink.send([outgoing(0)])
        cluster.kill()
        sending = [sink.send([outgoing(n, key="k")]) for n in range(3)]
        async with asyncio.timeout(40):
            answers = await asyncio.gather(*sending, return_exceptions=True)
            assert all(isinstance(answer, ConnectorError) for answer in answers)
            assert all(answer.failure.kind.passes for answer in answers if isinstance(answer, ConnectorError))
            # Given up is given up: it must not send behind what it has lost.
            with pytest.raises(ConnectorError):
                await sink.send([outgoing(9, key="k")])
    other = start_kafka()
    async with sink_of(other, topic="t") as sink:
        assert not await sink.send([outgoing(n, key="k") for n in range(3)])


@in_loop
async def test_brokers_that_stand_still_are_given_up(start_kafka: Callable[[], Cluster]) -> None:
    cluster = start_kafka()
    async with sink_of(cluster, topic="t") as patient:
        assert not await patient.send([outgoing(0)])
    async with (
        sink_of(cluster, topic="t", timeout_seconds=1.0) as sink,
        source_of(cluster, "t", timeout_seconds=1.0) as source,
    ):
        await take(source, 1)
        cluster.pause()
        async with asyncio.timeout(20):
            with pytest.raises(ConnectorError) as caught:
                await sink.send([outgoing(n) for n in range(100)])
            assert caught.value.failure.kind.passes
            await sink.close()
            await source.close()


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"brokers": "127.0.0.1:{free}"}, FailureKind.UNAVAILABLE),
        ({"brokers": "nowhere.invalid:9092"}, FailureKind.UNAVAILABLE),
        ({"brokers": "{brokers}", "tls_enabled": True, "tls_ca_cert": "/nowhere"}, FailureKind.DESTINATION),
    ],
)
@in_loop
async def test_what_cannot_be_reached_says_why(kafka: Cluster, options: dict[str, Any], kind: FailureKind) -> None:
    brokers = options["brokers"].format(free=free_port(), brokers=kafka.brokers)
    chosen = {**options, "brokers": brokers, "connect_timeout_seconds": 1.5}
    error = await error_of(KafkaSink(KafkaSinkOptions(**chosen)))
    assert error.failure.kind is kind, error
    error = await error_of(KafkaSource(KafkaSourceOptions(topic="t", group_id="g", **chosen)))
    assert error.failure.kind is kind, error


@in_loop
async def test_a_certificate_that_nobody_signed_is_not_trusted(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)
    async with await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0, ssl=context) as server:
        options = {"brokers": f"127.0.0.1:{server.sockets[0].getsockname()[1]}", "tls_enabled": True}
        error = await error_of(KafkaSink(KafkaSinkOptions(**options)))
        assert error.failure.kind is FailureKind.TLS, error
        error = await error_of(KafkaSource(KafkaSourceOptions(topic="t", group_id="g", **options)))
        assert error.failure.kind is FailureKind.TLS, error


@in_loop
async def test_a_topic_that_is_not_there_is_a_wrong_origin(kafka: Cluster) -> None:
    error = await error_of(KafkaSource(KafkaSourceOptions(brokers=kafka.brokers, topic=new_topic(), group_id="g")))
    assert error.failure.kind is FailureKind.DESTINATION, error


@in_loop
async def test_a_wrong_password_says_so(kafka: Cluster) -> None:
    """The mock knows no users, and says so where a broker would refuse one."""
    options = {"sasl_mechanism": "PLAIN", "sasl_username": "u", "sasl_password": "SECRET"}
    error = await error_of(KafkaSink(KafkaSinkOptions(brokers=kafka.brokers, connect_timeout_seconds=3.0, **options)))
    assert "SECRET" not in str(error)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, FailureKind.TOO_LARGE),
        (KafkaError.INVALID_RECORD, FailureKind.REJECTED),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, FailureKind.DESTINATION),
        (KafkaError._UNKNOWN_TOPIC, FailureKind.DESTINATION),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, FailureKind.AUTHORIZATION),
        (KafkaError.SASL_AUTHENTICATION_FAILED, FailureKind.AUTHENTICATION),
        (KafkaError._AUTHENTICATION, FailureKind.AUTHENTICATION),
        (KafkaError._SSL, FailureKind.TLS),
        (KafkaError._MSG_TIMED_OUT, FailureKind.TIMEOUT),
        (KafkaError.NOT_ENOUGH_REPLICAS, FailureKind.UNAVAILABLE),
        (KafkaError._ALL_BROKERS_DOWN, FailureKind.UNAVAILABLE),
        (KafkaError.THROTTLING_QUOTA_EXCEEDED, FailureKind.THROTTLED),
        (KafkaError.UNKNOWN, FailureKind.UNAVAILABLE),
    ],
)
def test_what_brokers_say_is_judged(code: int, kind: FailureKind) -> None:
    assert kind_of(KafkaError(code)) is kind


@pytest.mark.parametrize(
    ("name", "may"), [("a.b_c-D9", True), ("", False), ("..", False), ("a b", False), ("ä", False)]
)
def test_names_of_topics(name: str, may: bool) -> None:
    assert may_be_topic(name) is may


def test_a_position_is_committed_up_to_what_is_in_hand() -> None:
    position = Position()
    assert position.to_commit() is None
    for offset in (3, 4, 7, 8):  # offsets may have gaps
        position.take(offset)
    position.acknowledge(4)
    assert position.to_commit() == 3
    position.committed(3)
    assert position.to_commit() is None
    position.acknowledge(3)
    position.acknowledge(3)
    assert position.to_commit() == 7
    position.acknowledge(99)
    position.acknowledge(8)
    position.acknowledge(7)
    assert position.to_commit() == 9


@in_loop
async def test_a_source_takes_what_a_sink_sent(kafka: Cluster) -> None:
    topic = new_topic()
    headers = {"Trickle-Event-Type": "order.paid", "Grund": "für 100 %"}
    messages = [outgoing(n, key=f"kä{n % 3}", headers=headers) for n in range(1200)]
    async with sink_of(kafka, topic=topic) as sink:
        await sink.send(messages)
        await sink.send([outgoing(1200)])
    async with source_of(kafka, topic) as source:
        taken = await take(source, 1201)
        for key in ("kä0", "kä1", "kä2"):
            expected = [message.event_id for message in messages if message.key == key]
            assert [message.event_id for message in taken if message.key == key] == expected
        first = next(message for message in taken if message.event_id == "event-0")
        assert (first.payload, first.content_type) == (messages[0].body, "application/json")
        assert (first.event_type, first.source, first.headers) == ("order.paid", f"kafka:{topic}", headers)
        assert next(message for message in taken if message.event_id == "event-1200").key is None
        await source.acknowledge(taken[:700])
        await source.acknowledge(taken[700:])
        await source.acknowledge(taken)
        await source.release(taken)
        await nothing_comes(source)
    assert await asyncio.to_thread(committed, kafka, topic) == 1201


@pytest.mark.slow
@in_loop
async def test_what_is_not_acknowledged_comes_again(kafka: Cluster) -> None:
    topic = new_topic()
    async with sink_of(kafka, topic=topic) as sink:
        await sink.send([outgoing(n, key="one") for n in range(30)])
    async with source_of(kafka, topic) as source:
        taken = await take(source, 10)
        await source.acknowledge([*taken[:5], *taken[7:]])
        await source.release(taken[5:7])
        await source.release(taken[5:7])
        again = await take(source, 22)
        assert [m.event_id for m in again] == [f"event-{n}" for n in (5, 6, *range(10, 30))]
    async with source_of(kafka, topic) as source:
        assert [m.event_id for m in await take(source, 25)] == [f"event-{n}" for n in range(5, 30)]


@pytest.mark.slow
@in_loop
async def test_a_partition_that_moves_is_given_again_there(kafka: Cluster) -> None:
    topic = new_topic()
    async with sink_of(kafka, topic=topic) as sink:
        await sink.send([outgoing(n) for n in range(200)])
    async with source_of(kafka, topic) as first:
        taken = await take(first, 200)
        await first.acknowledge(taken[:10])
        async with source_of(kafka, topic) as second:
            moved: list[Any] = []

            async def keep_first_alive() -> None:
                while not moved:
                    assert all(message.event_id for message in await first.receive(100, 0.2))

            alive = asyncio.create_task(keep_first_alive())
            async with asyncio.timeout(40):
                while not moved:
                    moved += await second.receive(500, 0.5)
            await alive
            partitions = {message.token.partition for message in moved}
            assert partitions < {message.token.partition for message in taken}
            # What the first still holds of them it may acknowledge; that does nothing.
            await first.acknowledge(taken)
            await second.acknowledge(moved)


@in_loop
async def test_messages_of_strangers_are_known_by_their_place(kafka: Cluster) -> None:
    topic = new_topic()

    def produce() -> None:
        producer = Producer({"bootstrap.servers": kafka.brokers})
        producer.produce(topic, b"\x00\xff", b"customer 7", partition=0, headers=[("n", None), ("raw", b"\xff")])
        producer.produce(topic, None, None, partition=0)
        producer.flush(20)

    await asyncio.to_thread(produce)
    async with source_of(kafka, topic) as source:
        first, second = await take(source, 2)
        assert (first.event_id, first.key, first.payload) == (f"{topic}-0-0", "customer 7", b"\x00\xff")
        assert first.headers == {"n": "", "raw": "\\xff"}
        assert first.content_type == "application/octet-stream"
        assert (second.event_id, second.key, second.payload) == (f"{topic}-0-1", None, b"")


@in_loop
async def test_a_source_whose_brokers_die_says_so(start_kafka: Callable[[], Cluster]) -> None:
    cluster = start_kafka()
    async with sink_of(cluster, topic="t") as sink:
        await sink.send([outgoing(1)])
    async with source_of(cluster, "t") as source:
        await nothing_comes(source)
        cluster.kill()
        with pytest.raises(ConnectorError) as caught:
            for _ in range(20):
                await source.receive(10, 0.5)
        assert caught.value.failure.kind is FailureKind.UNAVAILABLE
