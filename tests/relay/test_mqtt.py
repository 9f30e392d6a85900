"""MQTT as destination and as origin, with a real broker that refuses, dies and comes back.

They would catch: a message that counts as delivered without the broker's word, one that is acknowledged before it is in
the inbox, an order that is lost, a broker that hangs up for one message of a batch.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.frozen import freeze
from support.mqtt import PASSWORD, USER, Mosquitto
from support.outgoing import outgoing

from trickle.errors import ConfigurationError
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.message import Incoming, Outgoing
from trickle.relay.sinks import mqtt as sinks
from trickle.relay.sinks.mqtt import MqttSink
from trickle.relay.sources import mqtt as sources
from trickle.relay.sources.mqtt import MqttSource


@asynccontextmanager
async def sink(url: str, **options: Any) -> AsyncIterator[MqttSink]:
    made = MqttSink(sinks.MqttOptions(url=url, **{"topic": "t", **options}))
    try:
        await made.open()
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def source(url: str, **options: Any) -> AsyncIterator[MqttSource]:
    made = MqttSource(sources.MqttOptions(url=url, **{"topics": ("#",), "client_id": "inbox", **options}))
    try:
        await made.open()
        yield made
    finally:
        await made.close()


async def take(origin: MqttSource, count: int) -> list[Incoming]:
    taken: list[Incoming] = []
    while len(taken) < count:
        more = await origin.receive(count - len(taken), 15)
        assert more, f"{len(taken)} of {count} arrived"
        taken.extend(more)
    return taken


def ids(messages: Sequence[Incoming]) -> list[str]:
    return [message.event_id for message in messages]


def names(numbers: Sequence[int] | range) -> list[str]:
    return [f"event-{n}" for n in numbers]


def refused(url: str, **options: Any) -> Failure:
    async def run() -> None:
        async with sink(url, connect_timeout_seconds=5, **options):
            pass

    started = time.monotonic()
    with pytest.raises(ConnectorError) as caught:
        asyncio.run(run())
    assert time.monotonic() - started < 15
    return caught.value.failure


def test_a_message_arrives_with_all_that_belongs_to_it(mosquitto: Mosquitto) -> None:
    async def run() -> None:
        async with source(mosquitto.url) as there, sink(mosquitto.url, username=USER, password=PASSWORD) as here:
            about = {"ce-type": "made", "ä": "ö", "trickle-event-id": "forged"}
            messages = [
                outgoing(1, key="k", headers=about),
                outgoing(2, address="a/b", body=b"\xff", content_type="x/y"),
            ]
            assert await here.send(messages) == {}
            one, two = await take(there, 2)
            assert one[:6] == ("event-1", "made", "mqtt:t", "k", b'{"n": 1}', "application/json")
            assert one.headers == {"ce-type": "made", "ä": "ö"}
            assert two[:6] == ("event-2", None, "mqtt:a/b", None, b"\xff", "x/y")
            await there.acknowledge([one, two])

    asyncio.run(run())


@pytest.mark.parametrize("qos", [1, 2])
def test_many_calls_at_once_arrive_in_order(mosquitto: Mosquitto, qos: int) -> None:
    async def run() -> None:
        async with source(mosquitto.url) as there, sink(mosquitto.url, qos=qos) as here:
            calls = [here.send([outgoing(100 * call + n) for n in range(100)]) for call in range(8)]
            outcomes, seen = await asyncio.gather(asyncio.gather(*calls), take(there, 800))
            assert outcomes == [{}] * 8
            assert ids(seen) == names(range(800))

    asyncio.run(run())


def test_one_that_is_refused_does_not_hold_the_others(mosquitto: Mosquitto) -> None:
    async def run() -> Mapping[int, Failure]:
        async with sink(mosquitto.url) as here, source(mosquitto.url) as there:
            failures = await here.send(
                [
                    outgoing(0),
                    outgoing(1, address="a/+/b"),
                    outgoing(2, body=b"x" * 200_000),
                    outgoing(3),
                    outgoing(4, headers={"long": "x" * 70_000}),
                    outgoing(5, headers={"nul": "\0"}),
                    outgoing(6, address="x" * 70_000),
                    outgoing(7),
                ]
            )
            assert ids(await take(there, 3)) == names([0, 3, 7])
            return failures

    kinds = {index: failure.kind for index, failure in asyncio.run(run()).items()}
    assert kinds == {
        1: FailureKind.ENCODING,
        2: FailureKind.TOO_LARGE,
        4: FailureKind.ENCODING,
        5: FailureKind.ENCODING,
        6: FailureKind.ENCODING,
    }


def test_a_broker_that_refuses_and_hangs_up_has_refused(mosquitto: Mosquitto) -> None:
    """Some releases do; what came behind has to be sent again."""

    async def run() -> None:
        async with sink(mosquitto.url) as here:
            failures = await here.send([outgoing(0), outgoing(1, address="closed/x"), outgoing(2)])
            assert failures[1].kind is FailureKind.AUTHORIZATION and 0 not in failures
            assert 2 not in failures or failures[2].kind is FailureKind.UNAVAILABLE

    asyncio.run(run())


def test_a_message_without_topic_is_said(mosquitto: Mosquitto) -> None:
    async def run() -> None:
        async with sink(mosquitto.url, topic="") as here:
            failures = await here.send([outgoing(1)])
            assert failures[0].kind is FailureKind.ENCODING

    asyncio.run(run())


def test_who_is_not_known_or_not_there_is_said_at_once(mosquitto: Mosquitto) -> None:
    failure = refused(mosquitto.url, username=USER, password="secret, and wrong")
    assert failure.kind is FailureKind.AUTHENTICATION and "secret" not in failure.reason
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert refused(f"mqtt://127.0.0.1:{port}").kind is FailureKind.UNAVAILABLE
    assert refused("mqtt://no-such-host.invalid").kind is FailureKind.UNAVAILABLE


def test_tls(mosquitto: Mosquitto, tmp_path: Path) -> None:
    trusted = {"tls_ca_cert": str(mosquitto.certificates.authority)}

    async def run() -> None:
        async with source(mosquitto.tls_url, **trusted) as there, sink(mosquitto.tls_url, **trusted) as here:
            assert await here.send([outgoing(n) for n in range(50)]) == {}
            await there.acknowledge(await take(there, 50))

    asyncio.run(run())
    assert refused(mosquitto.tls_url).kind is FailureKind.TLS
    assert refused(mosquitto.tls_url, tls_ca_cert=str(tmp_path / "none")).kind is FailureKind.TLS


@pytest.mark.parametrize("url", ["localhost:1883", "http://localhost", "mqtt://u:p@localhost", "mqtt://localhost:x"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(ConfigurationError, match="mqtt: the url"):
        MqttSink(sinks.MqttOptions(url=url))


def test_a_peer_that_takes_the_call_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"mqtt://127.0.0.1:{mute.getsockname()[1]}"

        async def run() -> FailureKind:
            with pytest.raises(ConnectorError) as caught:
                async with sink(url, connect_timeout_seconds=0.3):
                    pass
            return caught.value.failure.kind

        assert asyncio.run(run()) is FailureKind.UNAVAILABLE


def test_a_broker_that_freezes_is_not_waited_for_for_ever(mosquitto: Mosquitto) -> None:
    async def run() -> None:
        async with sink(mosquitto.url, timeout_seconds=0.3) as here:
            freeze(mosquitto.pid)
            try:
                with pytest.raises(ConnectorError) as caught:
                    await here.send([outgoing(1)])
                assert caught.value.failure.kind is FailureKind.TIMEOUT
                with pytest.raises(ConnectorError):
                    await here.send([outgoing(2)])
                started = time.monotonic()
                await here.close()
                assert time.monotonic() - started < 10
            finally:
                os.kill(mosquitto.pid, signal.SIGCONT)

    before = threading.active_count()
    asyncio.run(run())
    assert threading.active_count() <= before + 1  # the loop's own worker


def test_a_broker_that_is_killed_loses_nothing_that_counts(mosquitto: Mosquitto) -> None:
    """What has no answer is sent again, to the broker as it comes back; who de-duplicates has all in order."""

    async def deliver(messages: Sequence[Outgoing]) -> None:
        while True:
            try:
                async with sink(mosquitto.url) as here:
                    for start in range(0, len(messages), 50):
                        assert await here.send(messages[start : start + 50]) == {}
                return
            except ConnectorError as error:
                assert error.failure.kind is FailureKind.UNAVAILABLE
                await asyncio.sleep(0.05)

    async def gather(count: int) -> list[str]:
        seen: list[str] = []
        while len(set(seen)) < count:
            try:
                async with source(mosquitto.url) as there:
                    while len(set(seen)) < count:
                        taken = await there.receive(50, 1)
                        seen += ids(taken)
                        await there.acknowledge(taken)
            except ConnectorError:
                await asyncio.sleep(0.05)
        return list(dict.fromkeys(seen))

    async def run() -> None:
        mosquitto.keep_sessions()
        await asyncio.to_thread(mosquitto.stop)
        await asyncio.to_thread(mosquitto.start)
        async with source(mosquitto.url):
            pass  # the session is there before anything is published
        gathering = asyncio.create_task(gather(400))
        delivering = asyncio.create_task(deliver([outgoing(n) for n in range(400)]))
        await asyncio.sleep(0.1)
        await asyncio.to_thread(mosquitto.stop)
        await asyncio.to_thread(mosquitto.start)
        await delivering
        assert await asyncio.wait_for(gathering, 60) == names(range(400))

    asyncio.run(run())


def test_a_killed_broker_is_an_error_of_all_that_is_under_way(mosquitto: Mosquitto) -> None:
    async def run() -> None:
        async with sink(mosquitto.url) as here, source(mosquitto.url) as there:
            freeze(mosquitto.pid)
            calls = [asyncio.create_task(here.send([outgoing(n)])) for n in range(3)]
            waiting = asyncio.create_task(there.receive(1, 30))
            await asyncio.sleep(0.05)
            mosquitto.kill()
            for outcome in await asyncio.gather(*calls, waiting, return_exceptions=True):
                assert isinstance(outcome, ConnectorError) and outcome.failure.kind is FailureKind.UNAVAILABLE
            with pytest.raises(ConnectorError):
                await there.acknowledge([])
        mosquitto.start()

    asyncio.run(run())


# The other way.


def test_what_is_not_acknowledged_comes_again(mosquitto: Mosquitto) -> None:
    async def run() -> None:
        async with source(mosquitto.url) as there, sink(mosquitto.url) as here:
            await here.send([outgoing(n) for n in range(6)])
            taken = await take(there, 6)
            await there.acknowledge([taken[0], taken[1], taken[4]])
            await there.acknowledge([taken[1]])
        async with source(mosquitto.url) as there:
            taken = await take(there, 4)
            assert ids(taken) == names([2, 3, 4, 5])
            await there.release(taken[1:3])
            assert ids(await take(there, 2)) == names([3, 4])
            await there.acknowledge([taken[0], taken[3], *taken[1:3]])
        async with source(mosquitto.url) as there:
            assert await there.receive(10, 0.2) == []

    asyncio.run(run())


def test_the_broker_keeps_what_comes_while_nobody_is_there(mosquitto: Mosquitto) -> None:
    async def run() -> None:
        async with source(mosquitto.url):
            pass
        async with sink(mosquitto.url) as here:
            await here.send([outgoing(n) for n in range(300)])
        await asyncio.to_thread(mosquitto.stop)
        await asyncio.to_thread(mosquitto.start)
        async with source(mosquitto.url, max_unacknowledged=20) as there:
            seen: list[str] = []
            while len(seen) < 300:
                taken = await there.receive(100, 15)
                assert taken
                seen += ids(taken)
                await there.acknowledge(taken)
            assert seen == names(range(300))

    asyncio.run(run())


def plain(publish: Callable[[Any], None], url: str) -> None:
    """Somebody who publishes without knowing anything of Trickle."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", int(url.rpartition(":")[2]))
    client.loop_start()
    publish(client)
    client.disconnect()
    client.loop_stop()


def test_messages_without_id(mosquitto: Mosquitto) -> None:
    def publish(client: Any) -> None:
        for _ in range(2):
            client.publish("s/1", b"on", qos=1).wait_for_publish(10)

    async def run() -> None:
        async with (
            source(mosquitto.url) as one,
            source(mosquitto.url, client_id="b", equal_messages_are_one=True) as two,
        ):
            await asyncio.to_thread(plain, publish, mosquitto.url)
            assert len(set(ids(await take(one, 2)))) == 2
            assert len(set(ids(await take(two, 2)))) == 1

    asyncio.run(run())


def test_a_subscription_that_is_refused_is_said(mosquitto: Mosquitto) -> None:
    async def run(**options: Any) -> FailureKind:
        with pytest.raises(ConnectorError) as caught:
            async with source(mosquitto.url, **options):
                pass
        return caught.value.failure.kind

    assert asyncio.run(run(topics=("a/#/b",))) is FailureKind.DESTINATION
    with pytest.raises(ConfigurationError):
        MqttSource(sources.MqttOptions(url=mosquitto.url, topics=(), client_id="x"))
