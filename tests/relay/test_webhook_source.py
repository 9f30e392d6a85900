"""Webhooks that are received: who is believed, what is answered and when.

They would catch: a 200 before the message is in the inbox, a request that is never answered, a forged or oversize one
that gets through, a sender that is told something is its fault when it is ours.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support import certificates

from trickle.errors import ConfigurationError
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.message import Incoming
from trickle.relay.signatures import Scheme, keys, sign
from trickle.relay.sources.webhook import CONNECTOR, WebhookOptions, WebhookSource, event_id, fault_of

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
JSON = {"Content-Type": "application/json"}
Answer = tuple[int, str, dict[str, str]]


class Sender:
    """Somebody who sends, and what it is told."""

    def __init__(self, source: WebhookSource, session: aiohttp.ClientSession, url: str) -> None:
        self.source = source
        self.session = session
        self.url = url

    def post(self, body: bytes = b"{}", path: str = "/", **headers: str) -> asyncio.Task[Answer]:
        return asyncio.create_task(
            self._post(body, path, {name.replace("_", "-"): text for name, text in headers.items()})
        )

    async def _post(self, body: bytes, path: str, headers: dict[str, str]) -> Answer:
        async with self.session.post(self.url + path, data=body, headers={**JSON, **headers}) as answer:
            return answer.status, await answer.text(), dict(answer.headers)

    async def take(self, count: int = 1) -> list[Incoming]:
        taken: list[Incoming] = []
        while len(taken) < count:
            more = await self.source.receive(count - len(taken), 10)
            assert more, "nothing arrived"
            taken.extend(more)
        return taken


@asynccontextmanager
async def listening(**options: Any) -> AsyncIterator[Sender]:
    tls = "tls_cert" in options
    source = WebhookSource(WebhookOptions(**{"port": 0, "signature_scheme": "none", **options}))
    await source.open()
    connector = aiohttp.TCPConnector(limit=0, ssl=False)
    try:
        async with aiohttp.ClientSession(connector=connector, skip_auto_headers=["Content-Type"]) as session:
            yield Sender(source, session, f"http{'s' if tls else ''}://127.0.0.1:{source.port}")
    finally:
        await source.close()


def told(*bodies: bytes, **options: Any) -> list[Answer]:
    """What is answered to requests that never reach anybody."""

    async def run() -> list[Answer]:
        async with listening(**options) as sender:
            return [await sender.post(body) for body in bodies]

    return asyncio.run(run())


def test_the_answer_waits_for_the_inbox() -> None:
    async def run() -> None:
        async with listening(path="/in") as sender:
            sent = sender.post(b'{"a": 1}', "/in", Idempotency_Key="id-1", Trickle_Key="t7", Ce_Type="made", Cookie="c")
            (message,) = await sender.take()
            assert not sent.done()
            assert message[:6] == ("id-1", "made", "webhook:/in", "t7", b'{"a": 1}', "application/json")
            assert message.headers["host"].startswith("127") and "cookie" not in message.headers
            await sender.source.acknowledge([message])
            assert (await sent)[0] == 200
            await sender.source.acknowledge([message])
            await sender.source.release([message])

    asyncio.run(run())


def test_what_is_released_is_to_be_sent_again() -> None:
    async def run() -> None:
        async with listening() as sender:
            sent = sender.post()
            await sender.source.release(await sender.take())
            status, text, headers = await sent
            assert (status, headers["Retry-After"]) == (503, "5")
            assert text == "it cannot be taken now; send it again later\n"
            again = sender.post()
            (message,) = await sender.take()
            await sender.source.acknowledge([message])
            assert (await again)[0] == 200

    asyncio.run(run())


def test_what_nobody_takes_in_time_is_not_taken_later() -> None:
    async def run() -> None:
        async with listening(answer_seconds=0.2) as sender:
            status, text, _ = await sender.post()
            assert (status, text) == (503, "it took too long; send it again later\n")
            assert await sender.source.receive(10, 0.01) == []

    asyncio.run(run())


def test_with_too_many_in_hand_new_ones_come_later() -> None:
    async def run() -> None:
        async with listening(max_waiting=3) as sender:
            sent = [sender.post(b"[%d]" % n) for n in range(3)]
            messages = await sender.take(3)
            status, text, headers = await sender.post()
            assert (status, headers["Retry-After"]) == (503, "5") and "too many" in text
            await sender.source.acknowledge(messages)
            assert [answer[0] for answer in await asyncio.gather(*sent)] == [200] * 3

    asyncio.run(run())


def test_closing_tells_everybody_to_come_later_and_frees_the_port() -> None:
    async def run() -> None:
        async with listening() as sender:
            waiting, taken = sender.post(), sender.post(b"[1]")
            await sender.take(2)
            port = sender.source.port
            await sender.source.close()
            assert [(await sent)[0] for sent in (waiting, taken)] == [503, 503]
            await sender.source.close()
        async with listening(port=port):
            pass

    asyncio.run(run())


def test_many_at_once_are_taken_in_portions() -> None:
    async def run() -> None:
        async with listening() as sender:
            sent = [sender.post(json.dumps(n).encode()) for n in range(100)]
            seen: list[int] = []
            while len(seen) < 100:
                portion = await sender.source.receive(7, 10)
                assert 0 < len(portion) <= 7
                seen += [json.loads(message.payload) for message in portion]
                await sender.source.acknowledge(portion)
            assert sorted(seen) == list(range(100))
            assert {(await one)[0] for one in sent} == {200}

    asyncio.run(run())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "the body is not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        (b"", "the body is not JSON: Expecting value at line 1, column 1"),
        (b'"\xff"', "the body is not UTF-8: byte 1 cannot be read"),
        (b"[NaN]", "the body is not JSON: NaN is no JSON"),
        (b"\xef\xbb\xbf{}", "the body is not JSON: "),
        (b"[" * 100_000, "the body is not JSON that can be read: it is nested too deeply"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(body: bytes, said: str) -> None:
    ((status, text, _),) = told(body)
    assert status == 400 and text.startswith(said)


def test_what_is_json_is_taken() -> None:
    for body in (b"1e9999", b"[1.0, -0, " + b"9" * 10_000 + b"]", '"ä\\u0000"'.encode(), b" null "):
        assert fault_of({"content-type": "application/cloudevents+json"}, body) is None
    assert fault_of({"content-type": "text/plain"}, b"\xff") is None


def test_who_speaks_otherwise_is_told() -> None:
    async def run() -> None:
        async with listening(path="/in", max_body_bytes=1000, body_seconds=0.3) as sender:
            assert (await sender.post(path="/out"))[0] == 404
            async with sender.session.get(sender.url + "/in") as answer:
                assert answer.status == 405
            status, text, _ = await sender.post(b'"' + b"x" * 1000 + b'"', "/in")
            assert (status, text) == (413, "a body may have 1000 bytes\n")
            assert (await sender.post(b"\x1f\x8b", "/in", Content_Encoding="gzip"))[0] == 415

            async def chunks() -> AsyncIterator[bytes]:
                for _ in range(20):
                    yield b"x" * 100

            async with sender.session.post(sender.url + "/in", data=chunks()) as answer:
                assert answer.status == 413

    asyncio.run(run())


def test_a_body_that_never_comes_is_not_waited_for() -> None:
    async def run() -> None:
        async with listening(body_seconds=0.3) as sender:
            reader, writer = await asyncio.open_connection("127.0.0.1", sender.source.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nab")
            answer = await asyncio.wait_for(reader.read(), 10)
            assert answer.startswith(b"HTTP/1.1 408")
            writer.close()

    asyncio.run(run())


def test_a_sender_that_hangs_up_harms_nobody() -> None:
    async def run() -> None:
        async with listening() as sender:
            _, writer = await asyncio.open_connection("127.0.0.1", sender.source.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")
            (message,) = await sender.take()
            writer.transport.abort()
            await sender.source.acknowledge([message])
            sent = sender.post()
            await sender.source.acknowledge(await sender.take())
            assert (await sent)[0] == 200

    asyncio.run(run())


def signatures(scheme: Scheme, body: bytes) -> dict[str, str]:
    now = int(time.time())
    if scheme is Scheme.STANDARD:
        signature = sign("id-1", now, body, keys(scheme, SECRET))
        return {"webhook-id": "id-1", "webhook-timestamp": str(now), "webhook-signature": signature}
    signed = f"{now}.".encode() + body if scheme is Scheme.STRIPE else body
    digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    return {
        Scheme.STRIPE: {"Stripe-Signature": f"t={now},v1={digest}"},
        Scheme.GITHUB: {"X-Hub-Signature-256": f"sha256={digest}", "X-GitHub-Delivery": "d1", "X-GitHub-Event": "push"},
        Scheme.HMAC: {"X-Signature-256": digest},
    }[scheme]


@pytest.mark.parametrize("scheme", [scheme for scheme in Scheme if scheme is not Scheme.NONE])
def test_who_signs_is_believed_and_nobody_else(scheme: Scheme) -> None:
    body = b'{"id": "evt_1"}'
    identity = {Scheme.STANDARD: "id-1", Scheme.GITHUB: "d1", Scheme.STRIPE: "evt_1"}

    async def run() -> None:
        async with listening(signature_scheme=scheme.value, signature_secret=SECRET) as sender:
            sent = sender.post(body, **signatures(scheme, body))
            (message,) = await sender.take()
            await sender.source.acknowledge([message])
            assert (await sent)[0] == 200
            assert message.event_id == identity.get(scheme, "sha256:" + hashlib.sha256(body).hexdigest())
            assert message.event_type == ("push" if scheme is Scheme.GITHUB else None)
            assert not any("signature" in name for name in message.headers)
            assert (await sender.post(body))[0] == 401
            status, text, _ = await sender.post(body + b" ", **signatures(scheme, body))
            assert (status, text) == (401, "the signature is not right\n")

    asyncio.run(run())


def test_by_what_a_message_is_known() -> None:
    hashed = "sha256:" + hashlib.sha256(b"x").hexdigest()
    headers = {"x-id": "1", "webhook-id": "2", "idempotency-key": "3"}
    assert event_id(headers, b"x", Scheme.NONE, "X-Id") == "1"
    assert event_id(headers, b"x", Scheme.NONE, "") == "2"
    assert event_id({"idempotency-key": "3"}, b"x", Scheme.NONE, "X-Id") == "3"
    assert event_id({"webhook-id": ""}, b"x", Scheme.NONE, "") == hashed
    for body in (b"x", b"[]", b'{"id": 5}', b"[" * 100_000):
        assert event_id({}, body, Scheme.STRIPE, "") == "sha256:" + hashlib.sha256(body).hexdigest()


def test_a_header_that_is_no_text_is_refused() -> None:
    async def run() -> None:
        async with listening() as sender:
            reader, writer = await asyncio.open_connection("127.0.0.1", sender.source.port)
            writer.write(
                b"POST / HTTP/1.1\r\nHost: h\r\nWebhook-Id: \xff\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 400")
            writer.close()

    asyncio.run(run())


def test_tls(tmp_path: Path) -> None:
    made = certificates.make(tmp_path)
    files = {"tls_cert": str(made.certificate), "tls_key": str(made.key)}

    async def run() -> None:
        async with listening(**files) as sender:
            sent = sender.post()
            await sender.source.acknowledge(await sender.take())
            assert (await sent)[0] == 200
        async with listening(**files, tls_client_ca_cert=str(made.authority)) as sender:
            with pytest.raises((aiohttp.ClientError, ssl.SSLError)):
                await sender.post()
        with pytest.raises(ConnectorError) as caught:
            async with listening(tls_cert=str(tmp_path / "none")):
                pass
        assert caught.value.failure.kind is FailureKind.TLS

    asyncio.run(run())


def test_a_port_that_is_taken_is_said() -> None:
    async def run() -> None:
        async with listening() as sender:
            with pytest.raises(ConnectorError, match=f"port {sender.source.port}") as caught:
                async with listening(port=sender.source.port):
                    pass
            assert caught.value.failure.kind is FailureKind.UNAVAILABLE

    asyncio.run(run())


def test_nobody_is_believed_by_accident() -> None:
    with pytest.raises(ConfigurationError, match="signature_secret is empty"):
        CONNECTOR.make(WebhookOptions(port=0, signature_scheme="github"))
