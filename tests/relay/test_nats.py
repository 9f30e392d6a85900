"""JetStream as a destination and as an origin, on real servers."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, StreamConfig
from support import self_signed
from support.brokers import Broker, free_port
from support.delivery import assert_complete, error_of, kinds, nothing_comes, outgoing, send_all, take
from support.loops import in_loop

from trickle.relay.brokers.nats_consumer import NatsSourceOptions
from trickle.relay.brokers.nats_deliveries import place_of
from trickle.relay.brokers.nats_headers import read_header, write_header
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.sinks.nats import NatsSink, NatsSinkOptions
from trickle.relay.sources.nats import NatsSource

_numbers = itertools.count()


@asynccontextmanager
async def client_of(broker: Broker, **arguments: Any) -> AsyncIterator[Client]:
    client = Client()
    await client.connect(f"nats://127.0.0.1:{broker.port}", **arguments)
    try:
        yield client
    finally:
        await client.close()


async def make_stream(client: Client, **settings: Any) -> str:
    """A stream of this test's own, on all subjects below its name."""
    name = f"S{next(_numbers)}"
    await client.jetstream().add_stream(StreamConfig(name=name, subjects=[f"{name}.>"], **settings))
    return name


async def stored(client: Client, stream: str) -> list[Any]:
    """All messages of a stream, as they are."""
    context = client.jetstream()
    state = (await context.stream_info(stream)).state
    return [await context.get_msg(stream, seq) for seq in range(state.first_seq, state.last_seq + 1)]


@asynccontextmanager
async def sink_of(broker: Broker, **options: Any) -> AsyncIterator[NatsSink]:
    sink = NatsSink(NatsSinkOptions(url=f"nats://127.0.0.1:{broker.port}", **options))
    await sink.open()
    try:
        yield sink
    finally:
        await sink.close()


@asynccontextmanager
async def source_of(broker: Broker, **options: Any) -> AsyncIterator[NatsSource]:
    source = NatsSource(NatsSourceOptions(url=f"nats://127.0.0.1:{broker.port}", **options))
    await source.open()
    try:
        yield source
    finally:
        await source.close()


@in_loop
async def test_what_is_sent_arrives_with_its_id_and_headers_in_order(nats: Broker) -> None:
    async with client_of(nats) as client, sink_of(nats) as sink:
        stream = await make_stream(client)
        headers = {"traceparent": "00-ab", "Grund": "für 100 %", "content-type": "text/plain"}
        messages = [outgoing(n, key="ä\r\nb", address=f"{stream}.a", headers=headers) for n in range(200)]
        assert not await sink.send(messages)
        assert not await sink.send([])
        found = await stored(client, stream)
        assert [message.data for message in found] == [message.body for message in messages]
        assert found[7].headers == {
            "Nats-Msg-Id": "event-7",
            "Content-Type": "application/json",
            "Trickle-Key": "%C3%A4%0D%0Ab",
            "traceparent": "00-ab",
            "Grund": "f%C3%BCr%20100%20%25",
        }


@in_loop
async def test_calls_under_way_together_arrive_in_their_order(nats: Broker) -> None:
    async with client_of(nats) as client, sink_of(nats) as sink:
        stream = await make_stream(client)
        body = b"x" * 20_000  # so much that the client has to wait for the server in between
        batches = [
            [outgoing(n, address=f"{stream}.a", body=body) for n in range(s, s + 100)] for s in range(0, 1000, 100)
        ]
        assert all(not failures for failures in await asyncio.gather(*map(sink.send, batches)))
        found = await stored(client, stream)
        assert [message.headers["Nats-Msg-Id"] for message in found] == [f"event-{n}" for n in range(1000)]


@in_loop
async def test_one_poison_does_not_stop_the_others(nats: Broker) -> None:
    async with client_of(nats) as client, sink_of(nats, subject="nowhere.default") as sink:
        stream = await make_stream(client, max_msg_size=5000)
        good = f"{stream}.a"
        messages = [
            outgoing(0, address=good),
            outgoing(1, address=good, body=b"x" * 2_000_000),
            outgoing(2, address=f"{stream}.with space"),
            outgoing(3, address="nowhere.at.all"),
            outgoing(4),
            outgoing(5, address=good, headers={"no: name": "x"}),
            outgoing(6, address=good, headers={"Nats-Expected-Last-Sequence": "77"}),
            outgoing(7, address=good, body=b"x" * 6000),
            outgoing(8, address=f"{stream}.*"),
            outgoing(9, address=good),
        ]
        failures = await sink.send(messages)
        assert kinds(failures) == {
            1: "message_too_large",
            2: "encoding",
            3: "invalid_destination",
            4: "invalid_destination",
            5: "encoding",
            6: "protocol_rejection",
            7: "message_too_large",
            8: "encoding",
        }
        assert "nowhere.at.all" in failures[3].reason
        assert [message.headers["Nats-Msg-Id"] for message in await stored(client, stream)] == ["event-0", "event-9"]


@in_loop
async def test_a_message_just_at_the_limit_arrives(nats: Broker) -> None:
    """Headers count for the server's limit, and what exceeds it costs the connection."""
    async with client_of(nats) as client, sink_of(nats) as sink:
        stream = await make_stream(client)
        sizes = range(client.max_payload - 120, client.max_payload, 4)
        failures = await sink.send([outgoing(n, address=f"{stream}.a", body=b"x" * n) for n in sizes])
        found = await stored(client, stream)
        assert 0 < len(found) == len(sizes) - len(failures)
        assert set(kinds(failures).values()) == {"message_too_large"}
        assert not await sink.send([outgoing(1, address=f"{stream}.a")])


@in_loop
async def test_a_batch_that_comes_again_is_recognised(nats: Broker) -> None:
    async with client_of(nats) as client:
        stream = await make_stream(client)
        messages = [outgoing(n, address=f"{stream}.a") for n in range(10)]
        for _ in range(2):
            async with sink_of(nats) as sink:
                assert not await sink.send(messages)
        assert len(await stored(client, stream)) == 10


@in_loop
async def test_another_stream_than_the_expected_is_a_wrong_destination(nats: Broker) -> None:
    async with client_of(nats) as client, sink_of(nats, stream="ANOTHER") as sink:
        stream = await make_stream(client)
        assert kinds(await sink.send([outgoing(1, address=f"{stream}.a")])) == {0: "invalid_destination"}


@in_loop
async def test_a_full_stream_throttles(nats: Broker) -> None:
    async with client_of(nats) as client, sink_of(nats) as sink:
        stream = await make_stream(client, max_msgs=2, discard="new")
        failures = await sink.send([outgoing(n, address=f"{stream}.a") for n in range(3)])
        assert kinds(failures) == {2: "throttled"}


@in_loop
async def test_what_answers_and_is_no_stream_is_a_wrong_destination(nats: Broker) -> None:
    async with client_of(nats) as client, sink_of(nats) as sink:

        async def answer(message: Any) -> None:
            await message.respond(b"thank you")

        await client.subscribe("service.here", cb=answer)
        await client.flush()
        assert kinds(await sink.send([outgoing(1, address="service.here")])) == {0: "invalid_destination"}


@in_loop
async def test_a_stream_without_a_leader_is_away_and_not_missing(start_nats: Callable[..., Broker]) -> None:
    """A server without JetStream, and a client that knows of a stream: so a cluster answers that is choosing."""
    broker = start_nats(jetstream=False)
    async with client_of(broker) as client, sink_of(broker) as sink:

        async def answer(message: Any) -> None:
            known = ["S"] if b"S.known" in message.data else None
            await message.respond(json.dumps({"streams": known}).encode())

        await client.subscribe("$JS.API.STREAM.NAMES", cb=answer)
        await client.flush()
        messages = [outgoing(1, address="S.known"), outgoing(2, address="S.unknown"), outgoing(3, address="S.known")]
        assert kinds(await sink.send(messages)) == {0: "unavailable", 1: "invalid_destination", 2: "unavailable"}


@in_loop
async def test_no_answer_is_a_timeout(nats: Broker) -> None:
    async with client_of(nats) as client, sink_of(nats, timeout_seconds=0.3) as sink:
        stream = await make_stream(client, no_ack=True)
        with pytest.raises(ConnectorError, match=r"no acknowledgement within 0\.3 s") as caught:
            await sink.send([outgoing(1, address=f"{stream}.a")])
        assert caught.value.failure.kind is FailureKind.TIMEOUT


_USERS = """authorization { users = [
  {user: "boss", password: "p"},
  {user: "writer", password: "w", permissions: {publish: ["Sx.open.>"], subscribe: ["_INBOX.>"]}},
  {user: "mute", password: "m", permissions: {publish: {deny: ["$JS.ACK.>"]}}},
  {user: "dumb", password: "d", permissions: {publish: {deny: ["$JS.API.CONSUMER.MSG.NEXT.>"]}}},
  {user: "deaf", password: "d", permissions: {subscribe: ["none"]}},
] }"""


@in_loop
async def test_who_may_what(start_nats: Callable[..., Broker]) -> None:
    broker = start_nats(_USERS)
    async with client_of(broker, user="boss", password="p") as client:
        await client.jetstream().add_stream(name="Sx", subjects=["Sx.>"])
        async with sink_of(broker, user="writer", password="w") as sink:
            messages = [
                outgoing(1, address="Sx.open.a"),
                outgoing(2, address="Sx.Closed"),
                outgoing(3, address="Sx.open.a"),
            ]
            assert kinds(await sink.send(messages)) == {1: "authorization"}
        url = f"nats://127.0.0.1:{broker.port}"
        wrong = await error_of(NatsSink(NatsSinkOptions(url=url, user="boss", password="SECRET")))
        assert wrong.failure.kind is FailureKind.AUTHENTICATION
        inside = await error_of(NatsSink(NatsSinkOptions(url=f"nats://boss:SECRET@127.0.0.1:{broker.port}")))
        assert inside.failure.kind is FailureKind.AUTHENTICATION
        assert "SECRET" not in str(wrong) + str(inside)
        deaf = await error_of(NatsSink(NatsSinkOptions(url=url, user="deaf", password="d")))
        assert deaf.failure.kind is FailureKind.AUTHORIZATION
        source = NatsSourceOptions(url=url, user="writer", password="w", stream="Sx", consumer="c", timeout_seconds=0.5)
        assert (await error_of(NatsSource(source))).failure.kind is FailureKind.AUTHORIZATION


@in_loop
async def test_a_source_that_may_not_ask_or_answer_says_so(start_nats: Callable[..., Broker]) -> None:
    broker = start_nats(_USERS)
    async with client_of(broker, user="boss", password="p") as client:
        stream = await make_stream(client)
        await client.jetstream().publish(f"{stream}.a", b"x")
        async with source_of(broker, stream=stream, consumer="c", user="mute", password="m") as source:
            taken = await take(source, 1)
            for answer in (source.acknowledge, source.release):
                with pytest.raises(ConnectorError, match="permissions violation") as caught:
                    await answer(taken)
                assert caught.value.failure.kind is FailureKind.AUTHORIZATION
        async with source_of(broker, stream=stream, consumer="c", user="dumb", password="d") as source:
            with pytest.raises(ConnectorError) as caught:
                await source.receive(1, 2)
            assert caught.value.failure.kind is FailureKind.AUTHORIZATION


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"url": "nats://127.0.0.1:{free}"}, FailureKind.UNAVAILABLE),
        ({"url": "nats://127.0.0.1:{free},127.0.0.1:{free}"}, FailureKind.UNAVAILABLE),
        ({"url": "nats://nowhere.invalid:4222"}, FailureKind.UNAVAILABLE),
        ({"url": " , "}, FailureKind.DESTINATION),
        ({"url": "nats://127.0.0.1:{port}", "tls_enabled": True, "tls_ca_cert": "/nowhere"}, FailureKind.TLS),
        ({"url": "nats://127.0.0.1:{port}", "tls_enabled": True, "password": "p"}, FailureKind.TLS),
        ({"url": "tls://127.0.0.1:{port}"}, FailureKind.TLS),
        ({"url": "nats://127.0.0.1:{port}", "credentials": "/nowhere"}, FailureKind.AUTHENTICATION),
        ({"url": "nats://127.0.0.1:{port}", "nkey": "SUSECRET"}, FailureKind.AUTHENTICATION),
    ],
)
@in_loop
async def test_what_cannot_be_reached_says_why(nats: Broker, options: dict[str, Any], kind: FailureKind) -> None:
    url = options["url"].format(free=free_port(), port=nats.port)
    error = await error_of(NatsSink(NatsSinkOptions(**{**options, "url": url})))
    assert error.failure.kind is kind
    assert "SUSECRET" not in str(error)


@in_loop
async def test_a_certificate_has_to_be_trusted(start_nats: Callable[..., Broker], tmp_path: Path) -> None:
    made = self_signed.make(tmp_path)
    broker = start_nats(f'tls {{ cert_file: "{made.certificate}", key_file: "{made.key}" }}')
    url = f"nats://127.0.0.1:{broker.port}"
    assert (await error_of(NatsSink(NatsSinkOptions(url=url)))).failure.kind is FailureKind.TLS
    async with sink_of(broker, tls_ca_cert=str(made.certificate), subject="none") as sink:
        assert kinds(await sink.send([outgoing(1)])) == {0: "invalid_destination"}


@in_loop
async def test_one_server_of_two_is_enough(nats: Broker) -> None:
    async with client_of(nats) as client:
        stream = await make_stream(client)
        options = NatsSinkOptions(url=f"127.0.0.1:{free_port()}, 127.0.0.1:{nats.port}", subject=f"{stream}.a")
        for _ in range(4):  # they are tried in any order
            sink = NatsSink(options)
            await sink.open()
            assert not await sink.send([outgoing(1)])
            await sink.close()
            await sink.close()


@in_loop
async def test_a_silent_server_is_given_up(nats: Broker) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        options = NatsSinkOptions(url=f"nats://127.0.0.1:{port}", connect_timeout_seconds=0.3)
        assert (await error_of(NatsSink(options))).failure.kind is FailureKind.TIMEOUT


@in_loop
async def test_a_killed_server_loses_nothing(start_nats: Callable[..., Broker]) -> None:
    broker = start_nats()
    async with client_of(broker) as client:
        await client.jetstream().add_stream(name="S", subjects=["S.>"])
    options = NatsSinkOptions(url=f"nats://127.0.0.1:{broker.port}", subject="S.a", timeout_seconds=5)
    messages = [outgoing(n, key=f"k{n % 7}", body=b"x" * 3000) for n in range(4000)]

    def kill(answered: int) -> None:
        if answered in (10, 50):
            broker.kill()
            broker.start()

    assert await send_all(lambda: NatsSink(options), messages, on_answer=kill) >= 3
    async with client_of(broker) as client:
        total = (await client.jetstream().stream_info("S")).state.messages
    async with source_of(broker, stream="S", consumer="c") as source:
        assert_complete([(m.event_id, m.key) for m in await take(source, total)], messages)


@in_loop
async def test_sending_after_the_server_died_fails_at_once(start_nats: Callable[..., Broker]) -> None:
    broker = start_nats()
    async with sink_of(broker, subject="S.a") as sink, source_of_new_stream(broker) as source:
        broker.kill()
        async with asyncio.timeout(5):
            with pytest.raises(ConnectorError) as caught:
                await sink.send([outgoing(1)])
            assert caught.value.failure.kind is FailureKind.UNAVAILABLE
            with pytest.raises(ConnectorError) as caught:
                await source.receive(1, 20)
            assert caught.value.failure.kind is FailureKind.UNAVAILABLE
            with pytest.raises(ConnectorError):
                await source.receive(1, 20)


@asynccontextmanager
async def source_of_new_stream(broker: Broker, **options: Any) -> AsyncIterator[NatsSource]:
    async with client_of(broker) as client:
        stream = await make_stream(client)
    async with source_of(broker, stream=stream, consumer="c", **options) as source:
        yield source


@in_loop
async def test_a_server_that_stands_still_is_given_up(start_nats: Callable[..., Broker]) -> None:
    """Even when it reads nothing any more, and the client waits to write."""
    broker = start_nats()
    async with (
        source_of_new_stream(broker, timeout_seconds=0.5) as source,
        sink_of(broker, subject="S.a", timeout_seconds=0.5) as sink,
    ):
        await nothing_comes(source)
        broker.pause()
        async with asyncio.timeout(15):
            sending = [sink.send([outgoing(n, body=b"x" * 100_000) for n in range(200)]) for _ in range(3)]
            for answer in await asyncio.gather(*sending, return_exceptions=True):
                assert isinstance(answer, ConnectorError)
                assert answer.failure.kind is FailureKind.TIMEOUT
            await asyncio.sleep(1)  # so late it looks whether others have come, and is not answered
            with pytest.raises(ConnectorError) as caught:
                await source.receive(10, 0.3)
            assert caught.value.failure.kind is FailureKind.TIMEOUT
            await sink.close()
            await source.close()


@in_loop
async def test_a_cancelled_send_ends(start_nats: Callable[..., Broker]) -> None:
    broker = start_nats()
    async with client_of(broker) as client, sink_of(broker) as sink:
        stream = await make_stream(client, no_ack=True)
        sending = asyncio.create_task(sink.send([outgoing(n, address=f"{stream}.a") for n in range(1000)]))
        await asyncio.sleep(0.01)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


@in_loop
async def test_a_source_takes_what_a_sink_sent(nats: Broker) -> None:
    async with client_of(nats) as client, sink_of(nats) as sink:
        stream = await make_stream(client)
        headers = {"Trickle-Event-Type": "order.paid", "Grund": "für 100 %41"}
        messages = [outgoing(n, key=f"kä{n % 3}", address=f"{stream}.a", headers=headers) for n in range(1200)]
        await sink.send(messages)
        async with source_of(nats, subject=f"{stream}.>", consumer="c") as source:
            taken = await take(source, 1200)
            assert [message.event_id for message in taken] == [message.event_id for message in messages]
            assert [message.key for message in taken] == [message.key for message in messages]
            first = taken[0]
            assert first.payload == messages[0].body
            assert (first.event_type, first.content_type) == ("order.paid", "application/json")
            assert (first.source, first.headers) == (f"nats:{stream}.a", headers)
            await source.acknowledge(taken)
            await source.acknowledge(taken)
            await source.release(taken)
            await nothing_comes(source)
        async with source_of(nats, stream=stream, consumer="c") as source:
            await nothing_comes(source)


@in_loop
async def test_what_is_not_acknowledged_comes_again(nats: Broker) -> None:
    async with client_of(nats) as client, sink_of(nats) as sink:
        stream = await make_stream(client)
        await sink.send([outgoing(n, address=f"{stream}.a") for n in range(30)])
        async with source_of(nats, stream=stream, consumer="c") as source:
            taken = await take(source, 10)
            await source.acknowledge(taken[:5])
            await source.release(taken[5:7])
            again = await take(source, 22)
            assert {m.event_id for m in again} == {f"event-{n}" for n in (5, 6, *range(10, 30))}
        async with source_of(nats, stream=stream, consumer="c") as source:
            assert {m.event_id for m in await take(source, 25)} == {f"event-{n}" for n in range(5, 30)}


@in_loop
async def test_what_a_killed_source_held_comes_again(nats: Broker) -> None:
    async with client_of(nats) as client, sink_of(nats) as sink:
        stream = await make_stream(client)
        await sink.send([outgoing(n, address=f"{stream}.a") for n in range(3)])
        dead = NatsSource(
            NatsSourceOptions(
                url=f"nats://127.0.0.1:{nats.port}", stream=stream, consumer="c", ack_wait_seconds=1.0, start="all"
            )
        )
        await dead.open()
        assert len(await take(dead, 3)) == 3
        async with source_of(nats, stream=stream, consumer="c") as source:
            await take(source, 3)
        await dead.close()


@in_loop
async def test_nothing_overtakes_what_others_had_in_hand(nats: Broker) -> None:
    """One took ten, another five more, and the first five again when its time was up; nobody answered."""
    async with client_of(nats) as client, sink_of(nats) as sink:
        stream = await make_stream(client)
        await sink.send([outgoing(n, address=f"{stream}.a") for n in range(30)])
        dead = await client.jetstream().pull_subscribe(
            f"{stream}.>", durable="c", stream=stream, config=ConsumerConfig(ack_wait=2.0)
        )
        assert len(await dead.fetch(10, timeout=5)) == 10
        await asyncio.sleep(1)
        assert len(await dead.fetch(5, timeout=5)) == 5
        await asyncio.sleep(1.2)
        again = await dead.fetch(5, timeout=5)
        assert [place_of(message.reply)[1] for message in again] == [1, 2, 3, 4, 5]
        async with source_of(nats, stream=stream, consumer="c") as source:
            await nothing_comes(source, 0.5)
            found: dict[str, None] = {}  # what was held back for longer than the ack wait comes twice
            async with asyncio.timeout(20):
                while len(found) < 40:
                    taken = await source.receive(15, 1)
                    found |= dict.fromkeys(message.event_id for message in taken)
                    await source.acknowledge(taken)
                    if len(found) == 30:
                        await sink.send([outgoing(n, address=f"{stream}.a") for n in range(30, 40)])
            assert list(found) == [f"event-{n}" for n in range(40)]


@in_loop
async def test_what_others_hold_on_to_is_not_waited_for_for_ever(nats: Broker) -> None:
    async with client_of(nats) as client, sink_of(nats) as sink:
        stream = await make_stream(client)
        await sink.send([outgoing(n, address=f"{stream}.a") for n in range(10)])
        busy = await client.jetstream().pull_subscribe(
            f"{stream}.>", durable="c", stream=stream, config=ConsumerConfig(ack_wait=1.0)
        )
        (message,) = await busy.fetch(1, timeout=5)

        async def work_on() -> None:
            while True:
                await message.in_progress()
                await asyncio.sleep(0.2)

        working = asyncio.create_task(work_on())
        for ordered in (True, False):
            async with source_of(nats, stream=stream, consumer="c", ordered=ordered) as source:
                received = await source.receive(10, 0.5)
                assert bool(received) is not ordered
                taken = [*received, *await take(source, 9 - len(received))]
                assert sorted(one.event_id for one in taken) == [f"event-{n}" for n in range(1, 10)]
        working.cancel()


@in_loop
async def test_messages_of_strangers_are_known_by_their_place(nats: Broker) -> None:
    async with client_of(nats) as client:
        stream = await make_stream(client)
        context = client.jetstream()
        await context.publish(f"{stream}.a", b"\x00\xff")
        await context.publish(f"{stream}.b", b"x", headers={"Status": "503", "Ort": "Köln"})
        async with source_of(nats, stream=stream, consumer="c", subject=f"{stream}.>") as source:
            first, second = await take(source, 2)
            assert (first.event_id, first.key, first.payload) == (f"{stream}:1", None, b"\x00\xff")
            assert first.content_type == "application/octet-stream"
            assert (second.event_id, second.headers) == (f"{stream}:2", {"Status": "503", "Ort": "Köln"})


@in_loop
async def test_a_consumer_that_cannot_be_used_says_why(nats: Broker) -> None:
    async with client_of(nats) as client:
        stream = await make_stream(client)
        await client.jetstream().add_consumer(stream, durable_name="all", ack_policy="all")
        await client.jetstream().add_consumer(stream, durable_name="push", ack_policy="explicit", deliver_subject="x")
        url = f"nats://127.0.0.1:{nats.port}"
        for named in (
            {"stream": "NONE", "consumer": "c"},
            {"subject": "none.at.all", "consumer": "c"},
            {"consumer": "c"},
            {"stream": stream, "consumer": "all"},
            {"stream": stream, "consumer": "push"},
            {"stream": stream, "consumer": "not.possible"},
        ):
            error = await error_of(NatsSource(NatsSourceOptions(url=url, **named)))
            assert error.failure.kind is FailureKind.DESTINATION, named


@in_loop
async def test_a_consumer_deleted_under_a_source_is_an_error(nats: Broker) -> None:
    async with client_of(nats) as client:
        stream = await make_stream(client)
        async with source_of(nats, stream=stream, consumer="c") as source:
            await nothing_comes(source, 0.05)
            await client.jetstream().delete_consumer(stream, "c")
            with pytest.raises(ConnectorError) as caught:
                for _ in range(3):
                    await source.receive(1, 5)
            assert caught.value.failure.kind is FailureKind.UNAVAILABLE


@pytest.mark.parametrize("value", ["", "plain", "100%", "100%41", " x", "a\r\nNats-Msg-Id: b", "ü 🐘", "%", "a b"])
def test_a_header_comes_back_as_it_was(value: str) -> None:
    written = write_header(value)
    assert written.isascii()
    assert written.isprintable()
    assert written == written.strip()
    assert read_header(written) == value
