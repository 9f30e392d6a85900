"""Webhooks that are sent, to real HTTP servers that answer well, badly, late or not at all.

They would catch: a message that counts as delivered without a 2xx, one that overtakes an earlier one of its key, a
batch that fails for one of its messages, an answer taken for another kind, a request to where none may go.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from support import certificates
from support.outgoing import outgoing
from support.receiver import Answer, Receiver, Seen, dead_end, fine, receiver

from trickle.errors import ConfigurationError
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.message import Outgoing
from trickle.relay.signatures import Scheme, Verifier, keys
from trickle.relay.sinks.webhook import CONNECTOR, WebhookOptions, WebhookSink
from trickle.relay.webhook_answer import failure_of
from trickle.relay.webhook_request import requests, url_of

LOCAL: dict[str, Any] = {"allow_http": True, "allow_networks": ("127.0.0.0/8",)}


async def send(url: str, messages: Sequence[Outgoing], **options: Any) -> Mapping[int, Failure]:
    sink = WebhookSink(WebhookOptions(url=url, **{**LOCAL, **options}))
    await sink.open()
    try:
        return await sink.send(messages)
    finally:
        await sink.close()


def delivered(
    messages: Sequence[Outgoing], answer: Answer = fine, path: str = "", **options: Any
) -> tuple[Receiver, Mapping[int, Failure]]:
    """What a receiver has heard, and what the sink says of it."""

    async def run() -> tuple[Receiver, Mapping[int, Failure]]:
        async with receiver(answer) as server:
            return server, await send(server.url + path, messages, **options)

    return asyncio.run(run())


def refused(url: str, **options: Any) -> Failure:
    with pytest.raises(ConnectorError) as caught:
        asyncio.run(send(url, [outgoing(1)], **options))
    return caught.value.failure


def test_a_message_arrives_as_it_is() -> None:
    message = outgoing(
        1, key="k", body=b'{ "a":1.0 }', headers={"X-Tenant": "t7", "Host": "elsewhere", "webhook-id": "forged"}
    )
    server, failures = delivered([message], path="/in?x=1", headers={"X-Fixed": "f"}, bearer_token="token of mine")
    (request,) = server.seen
    assert failures == {}
    assert (request.path, request.body) == ("/in?x=1", b'{ "a":1.0 }')
    wanted = {
        "Content-Type": "application/json",
        "webhook-id": "event-1",
        "Idempotency-Key": "event-1",
        "X-Tenant": "t7",
        "X-Fixed": "f",
        "Trickle-Key": "k",
        "Authorization": "Bearer token of mine",
    }
    assert wanted.items() <= request.headers.items()
    assert request.headers["Host"].startswith("127.0.0.1")
    assert "webhook-signature" not in request.headers


def test_the_receiver_can_check_the_signature_with_either_secret() -> None:
    old, new = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    server, _ = delivered([outgoing(1)], signing_secret=f"{new} {old}")
    (request,) = server.seen
    headers = {name.lower(): value for name, value in request.headers.items()}
    for secret in (old, new):
        verifier = Verifier(Scheme.STANDARD, keys(Scheme.STANDARD, secret))
        assert verifier.fault(headers, request.body, time.time()) is None


def test_basic_authentication_and_method() -> None:
    server, _ = delivered([outgoing(1)], username="u", password="p", method="PUT")
    assert server.seen[0].headers["Authorization"] == "Basic dTpw"


def test_addresses_are_paths_below_the_url() -> None:
    messages = [outgoing(1, address="orders/created"), outgoing(2, address="/ä?b#c/"), outgoing(3, address="../admin")]
    server, failures = delivered(messages, path="/in/")
    assert [request.path for request in server.seen] == ["/in/orders/created", "/in/%C3%A4%3Fb%23c"]
    assert failures[2].kind is FailureKind.ENCODING


@pytest.mark.parametrize("address", ["..", "a/../b", "a//b", "/", "./a"])
def test_an_address_never_leads_out_of_the_url(address: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        url_of("https://host/in", address)


@given(st.text(min_size=1))
def test_whatever_the_address_the_host_stays(address: str) -> None:
    try:
        url = url_of("https://host/in", address)
    except ValueError:
        return
    assert url.startswith("https://host/in/") and url.isascii() and "?" not in url and "#" not in url


@pytest.mark.parametrize(
    "message",
    [
        outgoing(1, headers={"X-Split": "a\r\nX-Forged: 1"}),
        outgoing(1, headers={"X Blank": "a"}),
        outgoing(1, headers={"": "a"}),
        outgoing(1, content_type="text/plain\nX: 1"),
        outgoing(1)._replace(event_id="a\nb"),
    ],
)
def test_what_http_cannot_say_is_the_messages_own_failure(message: Outgoing) -> None:
    server, failures = delivered([message, outgoing(2)])
    assert failures[0].kind is FailureKind.ENCODING and len(failures) == 1
    assert server.event_ids == ["event-2"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (202, None),
        (204, None),
        (301, FailureKind.DESTINATION),
        (308, FailureKind.DESTINATION),
        (400, FailureKind.REJECTED),
        (401, FailureKind.AUTHENTICATION),
        (403, FailureKind.AUTHORIZATION),
        (404, FailureKind.DESTINATION),
        (408, FailureKind.UNAVAILABLE),
        (409, FailureKind.REJECTED),
        (410, FailureKind.DESTINATION),
        (413, FailureKind.TOO_LARGE),
        (422, FailureKind.REJECTED),
        (429, FailureKind.THROTTLED),
        (500, FailureKind.UNAVAILABLE),
        (502, FailureKind.UNAVAILABLE),
        (503, FailureKind.UNAVAILABLE),
        (504, FailureKind.UNAVAILABLE),
    ],
)
def test_what_an_answer_means(status: int, kind: FailureKind | None) -> None:
    failure = failure_of(status, None, lambda: datetime.now(UTC))
    assert (failure and failure.kind) == kind


def test_when_to_come_again() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    date = format_datetime(now + timedelta(seconds=90), usegmt=True)
    told = {"17": 17.0, date: 90.0, "99999999": 3600.0, format_datetime(now - timedelta(days=1)): 0.0}
    for text, seconds in told.items():
        assert failure_of(503, text, lambda: now) == Failure(FailureKind.THROTTLED, "the answer is 503", seconds)
    for text in ("", "soon", "-5", "١٢"):
        assert failure_of(503, text, lambda: now) == Failure(FailureKind.UNAVAILABLE, "the answer is 503")
    assert failure_of(400, "17", lambda: now) == Failure(FailureKind.REJECTED, "the answer is 400")


def test_a_redirection_is_not_followed() -> None:
    async def run() -> None:
        async with (
            receiver() as elsewhere,
            receiver(lambda _: web.Response(status=307, headers={"Location": elsewhere.url})) as door,
        ):
            failures = await send(door.url, [outgoing(1)])
            assert failures[0].kind is FailureKind.DESTINATION and not elsewhere.seen

    asyncio.run(run())


def test_one_that_is_refused_does_not_hold_the_others() -> None:
    def answer(seen: Seen) -> web.Response:
        return web.Response(status=422 if seen.event_id == "event-2" else 200)

    server, failures = delivered([outgoing(n, key="k") for n in range(4)], answer)
    assert {index: failure.kind for index, failure in failures.items()} == {2: FailureKind.REJECTED}
    assert server.event_ids == [f"event-{n}" for n in range(4)]


def test_a_key_waits_for_its_message_that_has_to_be_tried_again() -> None:
    def answer(seen: Seen) -> web.Response:
        return web.Response(status=500 if seen.event_id == "event-1" else 200)

    messages = [outgoing(n, key="ab"[n % 2]) for n in range(6)] + [outgoing(6)]
    server, failures = delivered(messages, answer)
    assert sorted(failures) == [1, 3, 5]
    assert {failure.kind for failure in failures.values()} == {FailureKind.UNAVAILABLE}
    assert sorted(server.event_ids) == ["event-0", "event-1", "event-2", "event-4", "event-6"]


def test_requests_run_at_once_but_those_of_a_key_one_after_another() -> None:
    last: dict[str, int] = {}
    busy: set[str] = set()

    async def answer(seen: Seen) -> web.Response:
        n = json.loads(seen.body)["n"]
        key = str(n % 3)
        assert key not in busy and last.get(key, -1) < n
        busy.add(key)
        await asyncio.sleep(0.01)
        busy.discard(key)
        last[key] = n
        return web.Response()

    server, failures = delivered([outgoing(n, key=str(n % 3)) for n in range(30)], answer)
    assert failures == {} and server.most_at_once == 3
    server, failures = delivered([outgoing(n) for n in range(30)], max_concurrency=2)
    assert failures == {} and server.most_at_once <= 2 and len(server.seen) == 30


def test_a_receiver_that_wants_a_pause_gets_it() -> None:
    heard = 0

    def answer(_: Seen) -> web.Response:
        nonlocal heard
        heard += 1
        return web.Response(status=200 if heard < 3 else 429, headers={"Retry-After": "7"})

    server, failures = delivered([outgoing(n) for n in range(50)], answer, max_concurrency=1)
    assert len(server.seen) == 3 and sorted(failures) == list(range(2, 50))
    assert set(failures.values()) == {Failure(FailureKind.THROTTLED, "the answer is 429", 7.0)}


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, FailureKind.AUTHENTICATION), (403, FailureKind.AUTHORIZATION), (429, FailureKind.THROTTLED)],
)
def test_what_every_message_would_be_told_is_told_once(status: int, kind: FailureKind) -> None:
    async def run() -> None:
        async with receiver(lambda _: web.Response(status=status, headers={"Retry-After": "3"})) as server:
            with pytest.raises(ConnectorError) as caught:
                await send(server.url, [outgoing(n) for n in range(9)], max_concurrency=1)
            assert caught.value.failure.kind is kind and len(server.seen) == 1

    asyncio.run(run())


def test_batches_are_arrays() -> None:
    server, failures = delivered([outgoing(n) for n in range(5)], batch_messages=2)
    assert failures == {}
    bodies = sorted((json.loads(request.body) for request in server.seen), key=str)
    assert bodies == [[{"n": 0}, {"n": 1}], [{"n": 2}, {"n": 3}], [{"n": 4}]]
    assert {request.headers["Content-Type"] for request in server.seen} == {"application/json"}
    again, _ = delivered([outgoing(n) for n in range(5)], batch_messages=2)
    assert sorted(again.event_ids) == sorted(server.event_ids)


def test_batches_of_cloudevents_say_so() -> None:
    server, _ = delivered([outgoing(1, content_type="application/cloudevents+json")], batch_messages=2)
    assert server.seen[0].headers["Content-Type"] == "application/cloudevents-batch+json"


def test_a_batch_is_halved_until_the_poison_stands_alone() -> None:
    def answer(seen: Seen) -> web.Response:
        return web.Response(status=400 if {"n": 5} in json.loads(seen.body) else 200)

    messages = [outgoing(n, key="k") for n in range(16)]
    messages[9] = outgoing(9, key="k", content_type="text/plain")
    server, failures = delivered(messages, answer, batch_messages=16)
    assert {i: failure.kind for i, failure in failures.items()} == {5: FailureKind.REJECTED, 9: FailureKind.ENCODING}
    accepted = [
        item["n"] for request in server.seen if {"n": 5} not in (items := json.loads(request.body)) for item in items
    ]
    assert accepted == [n for n in range(16) if n not in (5, 9)]


@given(
    st.lists(st.tuples(st.sampled_from([None, "a", "b", "c"]), st.sampled_from(["", "x", "y"]), st.integers(0, 40))),
    st.integers(1, 4),
)
def test_requests_hold_every_message_once_and_every_key_in_order(
    drawn: list[tuple[str | None, str, int]], most: int
) -> None:
    messages = [outgoing(n, key=key, address=where, body=b"x" * size) for n, (key, where, size) in enumerate(drawn)]
    made = list(requests(messages, range(len(messages)), most, 100))
    order = [index for request in made for index in request.indexes]
    assert sorted(order) == list(range(len(messages)))
    for key in "abc":
        assert (of_key := [i for i in order if messages[i].key == key]) == sorted(of_key)
    for request in made:
        assert {messages[i].address for i in request.indexes} == {request.address}
        assert len(request.indexes) <= most
        assert len(request.indexes) == 1 or sum(len(messages[i].body) for i in request.indexes) <= 100


def test_a_slow_receiver_is_a_timeout_of_its_message() -> None:
    async def answer(seen: Seen) -> web.Response:
        if seen.event_id == "event-1":
            await asyncio.sleep(30)
        return web.Response()

    server, failures = delivered([outgoing(n, key="k") for n in range(3)], answer, timeout_seconds=0.5)
    assert {i: failure.kind for i, failure in failures.items()} == dict.fromkeys((1, 2), FailureKind.TIMEOUT)
    assert server.event_ids == ["event-0", "event-1"]


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert refused(url).kind is FailureKind.UNAVAILABLE


def test_a_peer_that_dies_or_babbles() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.transport.abort()

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    async def stop_in_the_middle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        writer.close()

    async def run() -> None:
        for talk in (hang_up, babble):
            async with dead_end(talk) as url:
                failures = await send(url, [outgoing(1)])
                assert failures[0].kind is FailureKind.UNAVAILABLE
        async with dead_end(stop_in_the_middle) as url:
            assert await send(url, [outgoing(1)]) == {}

    asyncio.run(run())


def test_an_answer_without_end_does_not_hold_the_message() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with_end = time.monotonic() + 30
        while time.monotonic() < with_end and not writer.is_closing():
            writer.write(b"5\r\nhello\r\n")
            await asyncio.sleep(0.05)

    async def run() -> None:
        async with dead_end(drip) as url:
            started = time.monotonic()
            assert await send(url, [outgoing(1)], timeout_seconds=1) == {}
            assert time.monotonic() - started < 10

    asyncio.run(run())


def test_who_is_not_allowed_is_not_connected_to() -> None:
    async def run() -> None:
        async with receiver() as server:
            port = server.url.rpartition(":")[2]
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "127.1"):
                with pytest.raises(ConnectorError) as caught:
                    await send(f"http://{host}:{port}", [outgoing(1)], allow_networks=())
                assert caught.value.failure.kind is FailureKind.DESTINATION
            assert server.seen == []
            assert await send(server.url, [outgoing(1)], allow_networks=(), ssrf_protection=False) == {}

    asyncio.run(run())


def test_a_name_that_means_another_address_a_moment_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was public when it was looked at first, and is loopback when the connection is made."""
    real, meanings = socket.getaddrinfo, ["1.1.1.1"]

    def changing(host: Any, *about: Any, **more: Any) -> Any:
        if host == "rebinding.example":
            host = meanings.pop() if meanings else "127.0.0.1"
        return real(host, *about, **more)

    async def run() -> None:
        async with receiver() as server:
            port = server.url.rpartition(":")[2]
            monkeypatch.setattr(socket, "getaddrinfo", changing)
            sink = WebhookSink(WebhookOptions(url=f"http://rebinding.example:{port}", allow_http=True))
            await sink.open()
            with pytest.raises(ConnectorError) as caught:
                await sink.send([outgoing(1)])
            await sink.close()
            assert caught.value.failure.kind is FailureKind.DESTINATION
            assert server.seen == [] and not meanings

    asyncio.run(run())


def test_tls(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)

    async def run() -> None:
        async with receiver(tls=made.server_context()) as server:
            assert await send(server.url, [outgoing(1)], tls_ca_cert=str(made.authority), allow_http=False) == {}
            with pytest.raises(ConnectorError) as caught:
                await send(server.url, [outgoing(1)], allow_http=False)
            assert caught.value.failure.kind is FailureKind.TLS
            with pytest.raises(ConnectorError) as caught:
                await send(server.url, [outgoing(1)], tls_ca_cert=str(tmp_path / "none.pem"))
            assert caught.value.failure.kind is FailureKind.TLS

    asyncio.run(run())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "http://example.com"}, "not https"),
        ({"url": "ftp://example.com"}, "https://"),
        ({"url": "example.com/in"}, "https://"),
        ({"url": "https://user:pass@example.com"}, "username"),
        ({"url": "https://example.com", "bearer_token": "t", "username": "u"}, "both"),
        ({"url": "https://example.com", "allow_networks": ("intranet",)}, "allow_networks"),
        ({"url": "https://example.com", "signing_secret": "whsec_?"}, "base64"),
    ],
)
def test_a_wrong_configuration_is_said(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        CONNECTOR.make(WebhookOptions(**options))
    assert "pass@" not in str(caught.value)


def test_a_closed_sink_delivers_nothing() -> None:
    async def run() -> None:
        sink = WebhookSink(WebhookOptions(url="https://example.com"))
        await sink.close()
        with pytest.raises(ConnectorError):
            await sink.send([outgoing(1)])
        await sink.close()

    asyncio.run(run())
