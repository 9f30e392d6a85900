"""Objects in a store, with a server that speaks S3, and with peers that answer badly or not at all.

They would catch: a batch that is two objects when it is sent again, one that overtakes a broken one, an answer of the
store that is taken for another kind.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from support.outgoing import outgoing
from support.receiver import Answer, Seen, receiver
from support.s3 import ACCESS, BUCKET, SECRET, Store

from trickle.errors import ConfigurationError
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.message import Outgoing
from trickle.relay.sinks.s3 import CONNECTOR, S3Options, S3Sink


@asynccontextmanager
async def sink(url: str, **options: Any) -> AsyncIterator[S3Sink]:
    known = {"bucket": BUCKET, "endpoint_url": url, "access_key_id": ACCESS, "secret_access_key": SECRET}
    made = S3Sink(S3Options(**{**known, "path_style": True, "timeout_seconds": 5.0, **options}))
    try:
        await made.open()
        yield made
    finally:
        await made.close()


def send(url: str, messages: Sequence[Outgoing], **options: Any) -> Mapping[int, Failure]:
    async def run() -> Mapping[int, Failure]:
        async with sink(url, **options) as made:
            return await made.send(messages)

    return asyncio.run(run())


def test_a_batch_is_an_object_of_lines(store: Store) -> None:
    assert send(store.url, [outgoing(1, body=b'{\n"n": 1.0}'), outgoing(2)], prefix="/shop/") == {}
    ((name, body),) = store.objects().items()
    assert name == "shop/2026/03/04/05/event-1-2.jsonl.gz"
    assert gzip.decompress(body) == b'{ "n": 1.0}\n{"n": 2}\n'


def test_a_batch_that_is_sent_again_replaces_itself(store: Store) -> None:
    messages = [outgoing(n) for n in range(20)]
    send(store.url, messages)
    before = store.objects()
    send(store.url, messages)
    assert store.objects() == before and len(before) == 1


def test_names_layouts_and_addresses(store: Store) -> None:
    odd = outgoing(1)._replace(event_id="a/b c")
    failures = send(
        store.url,
        [odd, outgoing(2, address="x"), outgoing(3, address="x", body=b"\n", content_type="t/p"), outgoing(4)],
        gzip=False,
        layout="envelope",
        prefix="p",
    )
    assert failures == {}
    found = store.objects()
    hour = "2026/03/04/05"
    assert set(found) == {f"p/{hour}/a%2Fb%20c-1.jsonl", f"x/{hour}/event-2-2.jsonl", f"p/{hour}/event-4-1.jsonl"}
    lines = [json.loads(line) for line in found[f"x/{hour}/event-2-2.jsonl"].splitlines()]
    assert [(line["event_id"], line.get("payload_base64")) for line in lines] == [
        ("event-2", None),
        ("event-3", "Cg=="),
    ]


def test_what_is_no_line_is_the_messages_own_failure(store: Store) -> None:
    messages = [outgoing(1, body=b"a\nb"), outgoing(2, address="x", body=b"a\nb"), outgoing(3)]
    failures = send(store.url, messages, layout="raw")
    assert {index: failure.kind for index, failure in failures.items()} == dict.fromkeys((0, 1), FailureKind.ENCODING)
    assert list(store.objects()) == ["2026/03/04/05/event-3-1.jsonl.gz"]


def refused(url: str, **options: Any) -> Failure:
    with pytest.raises(ConnectorError) as caught:
        send(url, [outgoing(1)], **options)
    assert SECRET not in str(caught.value)
    return caught.value.failure


def test_who_is_not_there_is_said(store: Store) -> None:
    assert refused(store.url, bucket="nowhere").kind is FailureKind.DESTINATION
    assert refused(store.url, bucket="No Bucket").kind is FailureKind.DESTINATION
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert refused(f"http://127.0.0.1:{taken.getsockname()[1]}").kind is FailureKind.UNAVAILABLE


def said(status: int, code: str) -> Answer:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>m</Message></Error>"

    def answer(seen: Seen) -> web.Response:
        # The bucket is there; whoever only writes is not told even that.
        return (
            web.Response(status=status, text=text, content_type="application/xml")
            if seen.body
            else web.Response(status=403)
        )

    return answer


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", FailureKind.AUTHORIZATION),
        (403, "InvalidAccessKeyId", FailureKind.AUTHENTICATION),
        (403, "SignatureDoesNotMatch", FailureKind.AUTHENTICATION),
        (400, "ExpiredToken", FailureKind.AUTHENTICATION),
        (404, "NoSuchBucket", FailureKind.DESTINATION),
        (503, "SlowDown", FailureKind.THROTTLED),
        (500, "InternalError", FailureKind.UNAVAILABLE),
        (400, "SomethingNew", FailureKind.DESTINATION),
    ],
)
def test_what_the_store_answers_is_of_all_and_what_follows_waits(status: int, code: str, kind: FailureKind) -> None:
    async def run() -> None:
        async with receiver(said(status, code)) as peer, sink(peer.url) as made:
            calls = [made.send([outgoing(n)]) for n in range(3)]
            for outcome in await asyncio.gather(*calls, return_exceptions=True):
                assert isinstance(outcome, ConnectorError) and outcome.failure.kind is kind
            assert len([request for request in peer.seen if request.body]) == 1

    asyncio.run(run())


def test_a_store_that_is_slow_is_not_waited_for_for_ever() -> None:
    async def answer(seen: Seen) -> web.Response:
        if seen.body:
            await asyncio.sleep(30)
        return web.Response()

    async def run() -> None:
        async with receiver(answer) as peer, sink(peer.url, timeout_seconds=0.3) as made:
            with pytest.raises(ConnectorError) as caught:
                await made.send([outgoing(1)])
            assert caught.value.failure.kind is FailureKind.TIMEOUT

    asyncio.run(run())


def test_a_wrong_configuration_is_said() -> None:
    with pytest.raises(ConfigurationError, match="bucket"):
        CONNECTOR.make(S3Options(bucket=""))
    with pytest.raises(ConfigurationError, match="both"):
        CONNECTOR.make(S3Options(bucket="b", access_key_id="a"))


def test_without_credentials(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    assert refused(store.url, access_key_id="", secret_access_key="").kind is FailureKind.AUTHENTICATION
