"""Streams of Redis as a destination and as an origin, on real servers."""

from __future__ import annotations

import asyncio
import itertools
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from support import self_signed
from support.brokers import Broker, free_port
from support.delivery import assert_complete, error_of, kinds, nothing_comes, outgoing, send_all, take
from support.loops import in_loop

from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.sinks.redis import RedisSink, RedisSinkOptions
from trickle.relay.sources.redis import RedisSource, RedisSourceOptions

_numbers = itertools.count()


def url_of(broker: Broker) -> str:
    return f"redis://127.0.0.1:{broker.port}/0"


def new_stream() -> str:
    return f"stream:{next(_numbers)}"


@asynccontextmanager
async def client_of(broker: Broker) -> AsyncIterator[Redis]:
    client = Redis.from_url(url_of(broker), protocol=2)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def sink_of(broker: Broker, **options: Any) -> AsyncIterator[RedisSink]:
    sink = RedisSink(RedisSinkOptions(url=url_of(broker), **options))
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


@asynccontextmanager
async def source_of(broker: Broker, stream: str, **options: Any) -> AsyncIterator[RedisSource]:
    source = RedisSource(RedisSourceOptions(url=url_of(broker), stream=stream, **{"group": "g", **options}))
    await source.open()
    try:
        yield source
    finally:
        await source.close()


async def ids(client: Redis, stream: str) -> list[str]:
    return [fields[b"event_id"].decode() for _, fields in await client.xrange(stream)]


@in_loop
async def test_what_is_sent_arrives_with_its_id_and_headers_in_order(redis: Broker) -> None:
    async with client_of(redis) as client, sink_of(redis) as sink:
        stream = new_stream()
        messages = [outgoing(n, key="ä", address=stream, headers={"a b": "ü\r\n"}) for n in range(300)]
        assert not await sink.send(messages)
        assert not await sink.send([])
        entries = await client.xrange(stream)
        assert [fields[b"payload"] for _, fields in entries] == [message.body for message in messages]
        assert entries[3][1] == {
            b"event_id": b"event-3",
            b"key": "ä".encode(),
            b"content_type": b"application/json",
            b"header:a b": "ü\r\n".encode(),
            b"payload": b'{"n": 3}',
        }


@in_loop
async def test_calls_under_way_together_arrive_in_their_order(redis: Broker) -> None:
    async with client_of(redis) as client:
        stream = new_stream()
        async with sink_of(redis, stream=stream) as sink:
            batches = [[outgoing(n, body=b"x" * 10_000) for n in range(s, s + 100)] for s in range(0, 1000, 100)]
            assert all(not failures for failures in await asyncio.gather(*map(sink.send, batches)))
        assert await ids(client, stream) == [f"event-{n}" for n in range(1000)]


@pytest.mark.parametrize("dedup_seconds", [0, 60])
@in_loop
async def test_one_poison_does_not_stop_the_others(redis: Broker, dedup_seconds: int) -> None:
    async with client_of(redis) as client, sink_of(redis, dedup_seconds=dedup_seconds) as sink:
        stream, other = new_stream(), new_stream()
        await client.set(other, "no stream")
        messages = [
            outgoing(0, address=stream),
            outgoing(1, address=other),
            outgoing(2),
            outgoing(3, address=stream),
        ]
        failures = await sink.send(messages)
        assert kinds(failures) == {1: "invalid_destination", 2: "invalid_destination"}
        assert await ids(client, stream) == ["event-0", "event-3"]


@pytest.mark.parametrize("dedup_seconds", [0, 60])
@in_loop
async def test_a_batch_that_comes_again_is_recognised_if_asked_for(redis: Broker, dedup_seconds: int) -> None:
    async with client_of(redis) as client:
        for stream in (new_stream(), f"{{tag}}{new_stream()}"):
            messages = [outgoing(n, address=stream) for n in range(10)]
            for _ in range(2):
                async with sink_of(redis, dedup_seconds=dedup_seconds) as sink:
                    assert not await sink.send(messages)
            assert len(await ids(client, stream)) == (10 if dedup_seconds else 20)
            for key in await client.keys(f"trickle:*{stream}*"):
                assert 0 < await client.ttl(key) <= 60


@in_loop
async def test_scripts_that_were_flushed_come_back(redis: Broker) -> None:
    async with client_of(redis) as client:
        stream = new_stream()
        async with sink_of(redis, stream=stream, dedup_seconds=60) as sink:
            await client.script_flush()
            with pytest.raises(ConnectorError) as caught:
                await sink.send([outgoing(1)])
            assert caught.value.failure.kind is FailureKind.UNAVAILABLE
        async with sink_of(redis, stream=stream, dedup_seconds=60) as sink:
            assert not await sink.send([outgoing(1)])


@in_loop
async def test_a_stream_is_cut(redis: Broker) -> None:
    async with client_of(redis) as client:
        stream = new_stream()
        async with sink_of(redis, stream=stream, maxlen=10) as sink:
            await sink.send([outgoing(n) for n in range(1000)])
        assert 10 <= await client.xlen(stream) < 500


@pytest.mark.parametrize("dedup_seconds", [0, 60])
@in_loop
async def test_a_server_out_of_memory_has_taken_nothing(start_redis: Callable[..., Broker], dedup_seconds: int) -> None:
    broker = start_redis("--maxmemory-policy", "noeviction")
    async with client_of(broker) as client, sink_of(broker, stream="s", dedup_seconds=dedup_seconds) as sink:
        await client.config_set("maxmemory", 1)
        with pytest.raises(ConnectorError) as caught:
            await sink.send([outgoing(n) for n in range(10)])
        assert caught.value.failure.kind is FailureKind.THROTTLED
        await client.config_set("maxmemory", 0)
        assert await client.xlen("s") == 0
        assert not await sink.send([outgoing(1)])


@in_loop
async def test_who_may_what(start_redis: Callable[..., Broker]) -> None:
    broker = start_redis("--requirepass", "right")
    url = url_of(broker)
    async with Redis.from_url(url, password="right", protocol=2) as client:
        await client.execute_command("ACL", "SETUSER", "writer", "on", ">w", "~open*", "+@all")
        for options in ({"password": "SECRET"}, {}, {"username": "nobody", "password": "SECRET"}):
            error = await error_of(RedisSink(RedisSinkOptions(url=url, **options)))
            assert error.failure.kind is FailureKind.AUTHENTICATION
            assert "SECRET" not in str(error)
        inside = await error_of(RedisSink(RedisSinkOptions(url=f"redis://:SECRET@127.0.0.1:{broker.port}")))
        assert "SECRET" not in str(inside)
        async with sink_of(broker, username="writer", password="w") as sink:
            messages = [outgoing(1, address="open1"), outgoing(2, address="shut"), outgoing(3, address="open1")]
            assert kinds(await sink.send(messages)) == {1: "authorization"}
        assert await ids(client, "open1") == ["event-1", "event-3"]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"url": "redis://127.0.0.1:{free}"}, FailureKind.UNAVAILABLE),
        ({"url": "redis://nowhere.invalid"}, FailureKind.UNAVAILABLE),
        ({"url": "http://127.0.0.1"}, FailureKind.DESTINATION),
        ({"url": "redis://127.0.0.1:{port}/99999"}, FailureKind.DESTINATION),
        ({"url": "rediss://127.0.0.1:{port}", "tls_ca_cert": "/nowhere"}, FailureKind.TLS),
        ({"url": "redis://127.0.0.1:{port}", "tls_ca_cert": "/nowhere"}, FailureKind.TLS),
    ],
)
@in_loop
async def test_what_cannot_be_reached_says_why(redis: Broker, options: dict[str, Any], kind: FailureKind) -> None:
    url = options["url"].format(free=free_port(), port=redis.port)
    error = await error_of(RedisSink(RedisSinkOptions(**{**options, "url": url, "connect_timeout_seconds": 1.0})))
    assert error.failure.kind is kind, error


@in_loop
async def test_a_certificate_that_nobody_signed_is_not_trusted(tmp_path: Path) -> None:
    made = self_signed.make(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)
    async with await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        error = await error_of(RedisSink(RedisSinkOptions(url=f"rediss://127.0.0.1:{port}")))
        assert error.failure.kind is FailureKind.TLS, error


@in_loop
async def test_replicas_that_are_not_there_are_waited_for_only_so_long(redis: Broker) -> None:
    async with sink_of(redis, stream=new_stream(), replicas=1, timeout_seconds=0.4) as sink:
        with pytest.raises(ConnectorError, match="only 0 replicas") as caught:
            await sink.send([outgoing(1)])
        assert caught.value.failure.kind is FailureKind.TIMEOUT


@in_loop
async def test_the_disk_is_waited_for(redis: Broker) -> None:
    async with client_of(redis) as client:
        if not any(await client.execute_command("COMMAND", "INFO", "WAITAOF")):
            pytest.skip("this server is older than WAITAOF")
        await client.config_set("appendfsync", "everysec")
        stream = new_stream()
        async with sink_of(redis, stream=stream, fsync=True) as sink:
            assert not await sink.send([outgoing(1)])
        assert await ids(client, stream) == ["event-1"]


@in_loop
async def test_a_server_that_stands_still_is_given_up(redis: Broker) -> None:
    async with client_of(redis) as client, sink_of(redis, stream=new_stream(), timeout_seconds=0.3) as sink:
        await client.execute_command("CLIENT", "PAUSE", 2000)
        with pytest.raises(ConnectorError) as caught:
            await sink.send([outgoing(1)])
        assert caught.value.failure.kind is FailureKind.TIMEOUT
        with pytest.raises(ConnectorError, match="not connected"):
            await sink.send([outgoing(1)])


@in_loop
async def test_a_server_that_reads_nothing_is_given_up(start_redis: Callable[..., Broker]) -> None:
    broker = start_redis()
    async with (
        source_of(broker, "s", timeout_seconds=0.5) as source,
        sink_of(broker, stream="s", timeout_seconds=0.5) as sink,
    ):
        broker.pause()
        async with asyncio.timeout(10):
            sending = [sink.send([outgoing(n, body=b"x" * 100_000) for n in range(200)]) for _ in range(3)]
            answers = await asyncio.gather(*sending, return_exceptions=True)
            assert all(isinstance(answer, ConnectorError) and answer.failure.kind.passes for answer in answers)
            with pytest.raises(ConnectorError) as caught:
                await source.receive(1, 0.1)
            assert caught.value.failure.kind is FailureKind.TIMEOUT
            await sink.close()
            await source.close()


@pytest.mark.parametrize("dedup_seconds", [0, 600])
@in_loop
async def test_a_killed_server_loses_nothing(start_redis: Callable[..., Broker], dedup_seconds: int) -> None:
    broker = start_redis()
    options = RedisSinkOptions(url=url_of(broker), stream="s", dedup_seconds=dedup_seconds, timeout_seconds=5)
    messages = [outgoing(n, key=f"k{n % 7}", body=b"x" * 2000) for n in range(4000)]

    def kill(answered: int) -> None:
        if answered in (10, 50):
            broker.kill()
            broker.start()

    assert await send_all(lambda: RedisSink(options), messages, on_answer=kill) >= 3
    async with client_of(broker) as client:
        found = [(f[b"event_id"].decode(), f[b"key"].decode()) for _, f in await client.xrange("s")]
    assert_complete(found, messages)
    if dedup_seconds:
        assert len(found) == len(messages)


@in_loop
async def test_a_source_takes_what_a_sink_sent(redis: Broker) -> None:
    stream = new_stream()
    headers = {"Trickle-Event-Type": "order.paid", "Grund": "für 100 %"}
    messages = [outgoing(n, key=f"kä{n % 3}", headers=headers) for n in range(1200)]
    async with sink_of(redis, stream=stream) as sink:
        await sink.send(messages)
    async with source_of(redis, stream) as source:
        taken = await take(source, 1200)
        assert [message.event_id for message in taken] == [message.event_id for message in messages]
        assert [message.key for message in taken] == [message.key for message in messages]
        first = taken[0]
        assert (first.payload, first.content_type) == (messages[0].body, "application/json")
        assert (first.event_type, first.source, first.headers) == ("order.paid", f"redis:{stream}", headers)
        await source.acknowledge(taken)
        await source.acknowledge(taken)
        await source.release(taken)
        await nothing_comes(source)
    async with source_of(redis, stream) as source:
        await nothing_comes(source)


@in_loop
async def test_what_is_not_acknowledged_comes_again(redis: Broker) -> None:
    stream = new_stream()
    async with sink_of(redis, stream=stream) as sink:
        await sink.send([outgoing(n) for n in range(30)])
    async with source_of(redis, stream) as source:
        taken = await take(source, 10)
        await source.acknowledge(taken[:5])
        await source.release(taken[5:7])
        await source.release(taken[5:7])
        again = await take(source, 22)
        assert [m.event_id for m in again] == [f"event-{n}" for n in (5, 6, *range(10, 30))]
    async with source_of(redis, stream) as source:
        taken = await take(source, 25, limit=10)
        assert [m.event_id for m in taken] == [f"event-{n}" for n in range(5, 30)]
        await source.acknowledge(taken)
        await nothing_comes(source)


@in_loop
async def test_what_a_dead_consumer_left_is_claimed(redis: Broker) -> None:
    stream = new_stream()
    async with sink_of(redis, stream=stream) as sink:
        await sink.send([outgoing(n) for n in range(3)])
    dead = RedisSource(RedisSourceOptions(url=url_of(redis), stream=stream, group="g", consumer="dead"))
    await dead.open()
    assert len(await take(dead, 3)) == 3
    async with source_of(redis, stream, consumer="alive", claim_after_seconds=0.5) as source:
        claimed = await take(source, 3)
        assert [message.event_id for message in claimed] == ["event-0", "event-1", "event-2"]
        await source.acknowledge(claimed)
    await dead.close()


@in_loop
async def test_what_a_closed_consumer_left_is_claimed_at_once(redis: Broker) -> None:
    stream = new_stream()
    async with sink_of(redis, stream=stream) as sink:
        await sink.send([outgoing(n) for n in range(3)])
    async with source_of(redis, stream, consumer="first") as source:
        await take(source, 3)
    async with source_of(redis, stream, consumer="second", claim_after_seconds=60.0) as source:
        await take(source, 3, seconds=5)


@in_loop
async def test_what_is_in_hand_is_not_claimed_from_oneself(redis: Broker) -> None:
    stream = new_stream()
    async with sink_of(redis, stream=stream) as sink:
        await sink.send([outgoing(1)])
        async with source_of(redis, stream, claim_after_seconds=0.05) as source:
            await take(source, 1)
            for _ in range(5):
                await nothing_comes(source, 0.05)
            await sink.send([outgoing(2)])
            assert [message.event_id for message in await take(source, 1)] == ["event-2"]


@in_loop
async def test_messages_of_strangers_are_known_by_their_place(redis: Broker) -> None:
    stream = new_stream()
    async with client_of(redis) as client:
        number = await client.xadd(stream, {"colour": "rot", "raw": b"\xff"})
        await client.xadd(stream, {"id": "7", "body": b"\x00\xff", "who": "anna"})
        async with source_of(redis, stream) as source:
            first, second = await take(source, 2)
            assert first.event_id == f"{stream}:{number.decode()}"
            assert json.loads(first.payload) == {"colour": "rot", "raw": "\\xff"}
            assert first.content_type == "application/json"
        names = {"id_field": "id", "payload_field": "body", "key_field": "who"}
        async with source_of(redis, stream, **names) as source:
            _, second = await take(source, 2)
            assert (second.event_id, second.key, second.payload) == ("7", "anna", b"\x00\xff")


@in_loop
async def test_entries_that_were_deleted_meanwhile_are_forgotten(redis: Broker) -> None:
    stream = new_stream()
    async with client_of(redis) as client, sink_of(redis, stream=stream) as sink:
        await sink.send([outgoing(n) for n in range(5)])
        async with source_of(redis, stream) as source:
            await take(source, 5)
        await client.xtrim(stream, maxlen=1, approximate=False)
        async with source_of(redis, stream) as source:
            taken = await take(source, 1)
            assert [message.event_id for message in taken] == ["event-4"]
            await source.acknowledge(taken)
        assert (await client.xpending(stream, "g"))["pending"] == 0


@in_loop
async def test_a_key_that_is_no_stream_is_a_wrong_origin(redis: Broker) -> None:
    async with client_of(redis) as client:
        await client.set("text", "x")
    error = await error_of(RedisSource(RedisSourceOptions(url=url_of(redis), stream="text", group="g")))
    assert error.failure.kind is FailureKind.DESTINATION


@in_loop
async def test_a_source_whose_server_dies_says_so_at_once(start_redis: Callable[..., Broker]) -> None:
    broker = start_redis()
    async with source_of(broker, "s") as source:
        waiting = asyncio.create_task(source.receive(10, 20))
        await asyncio.sleep(0.1)
        broker.kill()
        async with asyncio.timeout(5):
            with pytest.raises(ConnectorError) as caught:
                await waiting
            assert caught.value.failure.kind is FailureKind.UNAVAILABLE
            with pytest.raises(ConnectorError):
                await source.receive(10, 20)
