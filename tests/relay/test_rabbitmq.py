"""RabbitMQ as a destination and as an origin, on a real node."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker
from support.brokers import free_port
from support.delivery import assert_complete, error_of, kinds, nothing_comes, outgoing, send_all, take
from support.loops import in_loop
from support.rabbitmq_server import Rabbitmq

from trickle.relay.brokers.rabbitmq import kind_of
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.sinks.rabbitmq import RabbitmqSink, RabbitmqSinkOptions
from trickle.relay.sources.rabbitmq import RabbitmqSource, RabbitmqSourceOptions

_numbers = itertools.count()


@contextmanager
def channel_of(node: Rabbitmq) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(node.url))
    try:
        yield connection.channel()
    finally:
        connection.close()


def make_queue(node: Rabbitmq, **arguments: Any) -> str:
    name = f"queue.{next(_numbers)}"
    with channel_of(node) as channel:
        channel.queue_declare(name, durable=True, arguments={key.replace("_", "-"): v for key, v in arguments.items()})
    return name


def drain(node: Rabbitmq, queue: str) -> list[tuple[Any, pika.BasicProperties, bytes]]:
    """Take everything out."""
    found = []
    with channel_of(node) as channel:
        while True:
            method, properties, body = channel.basic_get(queue, auto_ack=True)
            if method is None:
                return found
            found.append((method, properties, body))


@asynccontextmanager
async def sink_of(node: Rabbitmq, **options: Any) -> AsyncIterator[RabbitmqSink]:
    sink = RabbitmqSink(RabbitmqSinkOptions(url=node.url, **options))
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


@asynccontextmanager
async def source_of(node: Rabbitmq, queue: str, **options: Any) -> AsyncIterator[RabbitmqSource]:
    source = RabbitmqSource(RabbitmqSourceOptions(url=node.url, queue=queue, **options))
    await source.open()
    try:
        yield source
    finally:
        await source.close()


async def until_nobody_consumes(node: Rabbitmq, queue: str) -> None:
    """A quorum queue counts a consumer for a moment after it has gone."""
    async with asyncio.timeout(15):
        with channel_of(node) as channel:
            while channel.queue_declare(queue, passive=True).method.consumer_count:
                await asyncio.sleep(0.05)


@in_loop
async def test_what_is_sent_arrives_with_its_id_and_headers_in_order(rabbitmq: Rabbitmq) -> None:
    queue = make_queue(rabbitmq)
    async with sink_of(rabbitmq) as sink:
        messages = [outgoing(n, key="ä", address=queue, headers={"a b": "ü\r\n"}) for n in range(300)]
        assert not await sink.send(messages)
        assert not await sink.send([])
    found = drain(rabbitmq, queue)
    assert [body for _, _, body in found] == [message.body for message in messages]
    properties = found[3][1]
    assert (properties.message_id, properties.content_type, properties.delivery_mode) == (
        "event-3",
        "application/json",
        2,
    )
    assert properties.headers == {"a b": "ü\r\n", "Trickle-Key": "ä"}
    assert properties.timestamp == int(messages[3].created_at.timestamp())


@in_loop
async def test_calls_under_way_together_arrive_in_their_order(rabbitmq: Rabbitmq) -> None:
    queue = make_queue(rabbitmq)
    async with sink_of(rabbitmq, routing_key=queue) as sink:
        batches = [[outgoing(n, body=b"x" * 10_000) for n in range(s, s + 100)] for s in range(0, 1000, 100)]
        assert all(not failures for failures in await asyncio.gather(*map(sink.send, batches)))
    assert [p.message_id for _, p, _ in drain(rabbitmq, queue)] == [f"event-{n}" for n in range(1000)]


@in_loop
async def test_one_poison_does_not_stop_the_others(rabbitmq: Rabbitmq) -> None:
    queue = make_queue(rabbitmq)
    async with sink_of(rabbitmq, max_message_bytes=100_000) as sink:
        messages = [
            outgoing(0, address=queue),
            outgoing(1, address="no such queue"),
            outgoing(2, address=queue, body=b"x" * 200_000),
            outgoing(3, address="x" * 300),
            outgoing(4, address=queue, headers={"x" * 300: "y"}),
            outgoing(5, address=queue, headers={"x": "y" * 200_000}),
            outgoing(6),
            outgoing(7, address=queue),
        ]
        assert kinds(await sink.send(messages)) == {
            1: "invalid_destination",
            2: "message_too_large",
            3: "encoding",
            4: "encoding",
            5: "message_too_large",
            6: "invalid_destination",
        }
        assert kinds(await sink.send(messages[:2])) == {1: "invalid_destination"}
    assert [p.message_id for _, p, _ in drain(rabbitmq, queue)] == ["event-0", "event-7", "event-0"]


@in_loop
async def test_headers_as_large_as_allowed_arrive(rabbitmq: Rabbitmq) -> None:
    queue = make_queue(rabbitmq)
    async with sink_of(rabbitmq, routing_key=queue) as sink:
        assert not await sink.send([outgoing(1, headers={f"h{n}": "y" * 900 for n in range(110)})])
    assert len(drain(rabbitmq, queue)[0][1].headers) == 110


@in_loop
async def test_a_full_queue_throttles(rabbitmq: Rabbitmq) -> None:
    queue = make_queue(rabbitmq, x_max_length=2, x_overflow="reject-publish")
    async with sink_of(rabbitmq, routing_key=queue) as sink:
        failures = await sink.send([outgoing(n) for n in range(200)])
        assert set(kinds(failures).values()) == {"throttled"}
        assert 0 not in failures
        drain(rabbitmq, queue)
        assert not await sink.send([outgoing(300)])


@in_loop
async def test_an_exchange_is_made_and_routes(rabbitmq: Rabbitmq) -> None:
    exchange, queue = f"exchange.{next(_numbers)}", make_queue(rabbitmq)
    options = {"exchange": exchange, "exchange_type": "topic", "routing_key": "orders.default"}
    async with sink_of(rabbitmq, **options) as sink:
        with channel_of(rabbitmq) as channel:
            channel.queue_bind(queue, exchange, "orders.*")
        messages = [outgoing(0), outgoing(1, address="orders.paid"), outgoing(2, address="users.new")]
        assert kinds(await sink.send(messages)) == {2: "invalid_destination"}
    async with sink_of(rabbitmq, exchange=exchange, routing_key="orders.x") as sink:
        assert not await sink.send([outgoing(3)])
    assert [p.message_id for _, p, _ in drain(rabbitmq, queue)] == ["event-0", "event-1", "event-3"]
    with channel_of(rabbitmq) as channel:
        channel.exchange_delete(exchange)


@in_loop
async def test_an_exchange_deleted_under_a_sink_is_an_error(rabbitmq: Rabbitmq) -> None:
    exchange = f"exchange.{next(_numbers)}"
    async with sink_of(rabbitmq, exchange=exchange, exchange_type="fanout") as sink:
        with channel_of(rabbitmq) as channel:
            channel.exchange_delete(exchange)
        with pytest.raises(ConnectorError) as caught:
            await sink.send([outgoing(1)])
        assert caught.value.failure.kind is FailureKind.DESTINATION
        with pytest.raises(ConnectorError):
            await sink.send([outgoing(1)])


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"url": "amqp://127.0.0.1:{free}"}, FailureKind.UNAVAILABLE),
        ({"url": "amqp://nowhere.invalid"}, FailureKind.UNAVAILABLE),
        ({"url": "nonsense://"}, FailureKind.DESTINATION),
        ({"url": "amqp://guest:SECRET@127.0.0.1:{port}"}, FailureKind.AUTHENTICATION),
        ({"url": "amqp://127.0.0.1:{port}", "username": "nobody", "password": "SECRET"}, FailureKind.AUTHENTICATION),
        ({"url": "amqp://127.0.0.1:{port}/nowhere"}, FailureKind.DESTINATION),
        ({"url": "amqp://127.0.0.1:{port}", "exchange": "nowhere"}, FailureKind.DESTINATION),
        (
            {"url": "amqp://127.0.0.1:{port}", "exchange": "amq.topic", "exchange_type": "fanout"},
            FailureKind.DESTINATION,
        ),
        ({"url": "amqps://127.0.0.1:{port}", "tls_ca_cert": "/nowhere"}, FailureKind.TLS),
        ({"url": "amqps://127.0.0.1:{port}"}, FailureKind.TLS),
        ({"url": "amqp://127.0.0.1:{port}", "tls_ca_cert": "/nowhere"}, FailureKind.TLS),
    ],
)
@in_loop
async def test_what_cannot_be_reached_says_why(rabbitmq: Rabbitmq, options: dict[str, Any], kind: FailureKind) -> None:
    url = options["url"].format(free=free_port(), port=rabbitmq.port)
    error = await error_of(RabbitmqSink(RabbitmqSinkOptions(**{**options, "url": url})))
    assert error.failure.kind is kind, error
    assert "SECRET" not in str(error)


@pytest.mark.parametrize(
    ("code", "text", "kind"),
    [
        (406, "PRECONDITION_FAILED - message size 9 is larger than configured max size 8", FailureKind.TOO_LARGE),
        (406, "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q'", FailureKind.DESTINATION),
        (406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out", FailureKind.UNAVAILABLE),
        (404, "NOT_FOUND - no queue 'q' in vhost '/'", FailureKind.DESTINATION),
        (403, "ACCESS_REFUSED - access to queue 'q' refused", FailureKind.AUTHORIZATION),
        (403, "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", FailureKind.UNAVAILABLE),
        (405, "RESOURCE_LOCKED - cannot obtain exclusive access", FailureKind.UNAVAILABLE),
        (541, "INTERNAL_ERROR", FailureKind.UNAVAILABLE),
    ],
)
def test_what_a_broker_says_when_it_closes_is_judged(code: int, text: str, kind: FailureKind) -> None:
    assert kind_of(ChannelClosedByBroker(code, text)) is kind
    assert kind_of(ConnectionClosedByBroker(code, text)) is kind


@in_loop
async def test_a_silent_server_is_given_up() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        options = RabbitmqSinkOptions(url=f"amqp://127.0.0.1:{port}", connect_timeout_seconds=0.3)
        assert (await error_of(RabbitmqSink(options))).failure.kind is FailureKind.TIMEOUT


@in_loop
async def test_a_node_that_stands_still_is_given_up(rabbitmq: Rabbitmq) -> None:
    queue = make_queue(rabbitmq)
    async with sink_of(rabbitmq, routing_key=queue, timeout_seconds=0.5) as sink, source_of(rabbitmq, queue) as source:
        with rabbitmq.paused():
            async with asyncio.timeout(10):
                with pytest.raises(ConnectorError) as caught:
                    await sink.send([outgoing(n, body=b"x" * 100_000) for n in range(200)])
                assert caught.value.failure.kind is FailureKind.TIMEOUT
                await nothing_comes(source)
                await sink.close()
                await source.close()


@in_loop
async def test_a_source_takes_what_a_sink_sent(rabbitmq: Rabbitmq) -> None:
    queue = make_queue(rabbitmq)
    headers = {"Trickle-Event-Type": "order.paid", "Grund": "für 100 %"}
    messages = [outgoing(n, key=f"kä{n % 3}", headers=headers) for n in range(1200)]
    async with sink_of(rabbitmq, routing_key=queue) as sink:
        await sink.send(messages)
    async with source_of(rabbitmq, queue, prefetch=2000) as source:
        taken = await take(source, 1200)
        assert [message.event_id for message in taken] == [message.event_id for message in messages]
        assert [message.key for message in taken] == [message.key for message in messages]
        first = taken[0]
        assert (first.payload, first.content_type) == (messages[0].body, "application/json")
        assert (first.event_type, first.source, first.headers) == ("order.paid", f"rabbitmq:{queue}", headers)
        await source.acknowledge(taken)
        await source.acknowledge(taken)
        await source.release(taken)
        await nothing_comes(source)
    async with source_of(rabbitmq, queue) as source:
        await nothing_comes(source)


@in_loop
async def test_what_is_not_acknowledged_comes_again(rabbitmq: Rabbitmq) -> None:
    queue = make_queue(rabbitmq)
    async with sink_of(rabbitmq, routing_key=queue) as sink:
        await sink.send([outgoing(n) for n in range(30)])
    async with source_of(rabbitmq, queue, prefetch=10) as source:
        taken = await take(source, 10)
        await nothing_comes(source, 0.1)
        await source.acknowledge(taken[:5])
        await source.release(taken[5:7])
        again = await take(source, 7)
        assert {m.event_id for m in again} == {f"event-{n}" for n in (5, 6, *range(10, 15))}
    async with source_of(rabbitmq, queue) as source:
        taken = await take(source, 25)
        assert [m.event_id for m in taken] == [f"event-{n}" for n in range(5, 30)]


@pytest.mark.parametrize("kind", ["classic", "quorum"])
@in_loop
async def test_nothing_overtakes_what_another_consumer_had_in_hand(rabbitmq: Rabbitmq, kind: str) -> None:
    queue = make_queue(rabbitmq, x_queue_type=kind)
    async with sink_of(rabbitmq, routing_key=queue) as sink:
        await sink.send([outgoing(n) for n in range(30)])
    async with source_of(rabbitmq, queue, prefetch=10) as first:
        await take(first, 10)
        error = await error_of(RabbitmqSource(RabbitmqSourceOptions(url=rabbitmq.url, queue=queue)))
        assert error.failure.kind is FailureKind.UNAVAILABLE, error
        assert "exclusive" in str(error)
    await until_nobody_consumes(rabbitmq, queue)
    async with source_of(rabbitmq, queue) as successor:
        assert [message.event_id for message in await take(successor, 30)] == [f"event-{n}" for n in range(30)]


@in_loop
async def test_consumers_share_a_queue_where_they_may(rabbitmq: Rabbitmq) -> None:
    queue = make_queue(rabbitmq)
    async with (
        sink_of(rabbitmq, routing_key=queue) as sink,
        source_of(rabbitmq, queue, prefetch=10, exclusive=False) as one,
        source_of(rabbitmq, queue, prefetch=10, exclusive=False) as other,
    ):
        await sink.send([outgoing(n) for n in range(20)])
        taken = [*await take(one, 10), *await take(other, 10)]
        assert {message.event_id for message in taken} == {f"event-{n}" for n in range(20)}


@in_loop
async def test_messages_of_strangers(rabbitmq: Rabbitmq) -> None:
    queue = make_queue(rabbitmq)
    with channel_of(rabbitmq) as channel:
        for headers in ({"n": 1, "t": True, "deep": {"a": [1]}}, {"Trickle-Event-Id": "mine"}, None):
            channel.basic_publish("", queue, b"\x00\xff", pika.BasicProperties(headers=headers))
    found = []
    for choice in ("unique", "hash", "hash"):
        async with source_of(rabbitmq, queue, without_id=choice) as source:
            found.append(await take(source, 3))
    for taken in found:
        assert taken[0].payload == b"\x00\xff"
        assert taken[0].content_type == "application/octet-stream"
        assert taken[0].headers["n"] == "1"
        assert taken[1].event_id == "mine"
    unique, first, second = ([message.event_id for message in taken] for taken in found)
    assert first == second
    assert first[0] == first[2] != unique[0] != unique[2]


@in_loop
async def test_a_queue_that_is_not_there(rabbitmq: Rabbitmq) -> None:
    options = RabbitmqSourceOptions(url=rabbitmq.url, queue="nowhere")
    assert (await error_of(RabbitmqSource(options))).failure.kind is FailureKind.DESTINATION
    name = f"queue.{next(_numbers)}"
    async with source_of(rabbitmq, name, declare=True) as source, sink_of(rabbitmq, routing_key=name) as sink:
        await sink.send([outgoing(1)])
        await take(source, 1)
        with channel_of(rabbitmq) as channel:
            channel.queue_delete(name)
        with pytest.raises(ConnectorError, match="is gone"):
            await source.receive(1, 10)


@in_loop
async def test_who_may_what(rabbitmq: Rabbitmq) -> None:
    queue = make_queue(rabbitmq)
    await asyncio.to_thread(rabbitmq.ask, "add_user", "reader", "r")
    await asyncio.to_thread(rabbitmq.ask, "set_permissions", "reader", "^$", "^$", ".*")
    user = {"username": "reader", "password": "r"}
    async with sink_of(rabbitmq, exchange="amq.topic", **user) as sink:
        with pytest.raises(ConnectorError) as caught:
            await sink.send([outgoing(1, address=queue)])
        assert caught.value.failure.kind is FailureKind.AUTHORIZATION
    async with source_of(rabbitmq, queue, **user) as source:
        await nothing_comes(source, 0.1)


@pytest.mark.slow
@in_loop
async def test_a_killed_node_loses_nothing(rabbitmq: Rabbitmq) -> None:
    queue = make_queue(rabbitmq)
    rabbitmq.ask("eval", "mnesia:sync_log().")  # a queue that it has just confirmed it keeps in memory for two seconds
    options = RabbitmqSinkOptions(url=rabbitmq.url, routing_key=queue, timeout_seconds=20)
    messages = [outgoing(n, key=f"k{n % 7}", body=b"x" * 2000) for n in range(3000)]
    async with source_of(rabbitmq, queue) as watching:

        def kill(answered: int) -> None:
            if answered == 10:
                rabbitmq.kill()
                rabbitmq.start()

        async with asyncio.timeout(150):
            assert await send_all(lambda: RabbitmqSink(options), messages, on_answer=kill) >= 2
        with pytest.raises(ConnectorError) as caught:
            for _ in range(10):
                await watching.receive(1000, 1)
        assert caught.value.failure.kind is FailureKind.UNAVAILABLE
    found = [(properties.message_id, properties.headers["Trickle-Key"]) for _, properties, _ in drain(rabbitmq, queue)]
    assert_complete(found, messages)
