"""A durable pull consumer of a JetStream stream, acknowledged one by one.

    ask for so many ──▶ server ──▶ messages as they come ──▶ receive ──▶ acknowledge: +ACK    release, close: −NAK

One request asks for as many messages as `receive` may return, and they come without being asked for again; what
arrives while the last ones are being written is there for the next call. Acknowledgements are written together, and
one round trip makes sure that the server has read them.

The event id is the sender's `Nats-Msg-Id`, or `Trickle-Event-Id`, or else the stream's name and the sequence in it:
a stream that is deleted and made again under its name counts from 1 again, and its messages are taken for known ones.
Redelivered messages come behind those that were sent meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from trickle.relay.brokers.nats import Link, NatsConnection, hosts, judge, refusal
from trickle.relay.brokers.nats_headers import read_header
from trickle.relay.connector import SourceConnector
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.headers import inbound
from trickle.relay.message import Incoming
from trickle.relay.options import option

_CLOSE_SECONDS = 2.0  # what is not given back by then comes again when the server has waited long enough
_ID = "nats-msg-id"
_NO_SUCH_STREAM = 10059
_STARTS = {"all": DeliverPolicy.ALL, "new": DeliverPolicy.NEW, "last": DeliverPolicy.LAST}


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsSourceOptions(NatsConnection):
    """What is consumed from NATS."""

    consumer: str = option("Durable consumer; made if there is none. Pipelines with the same one share its messages.")
    stream: str = option("Stream; the one that has the subject if empty.", default="")
    subject: str = option("Subject, perhaps with wildcards; all of the stream's if empty.", default="")
    domain: str = option("JetStream domain, where there are several.", default="")
    start: str = option("Where a consumer that is made begins.", default="all", choices=tuple(_STARTS))
    ack_wait_seconds: float = option(
        "After how long a message without an answer is sent again, of a consumer that is made.",
        default=60.0,
        unit="s",
        minimum=1.0,
    )
    max_ack_pending: int = option(
        "How many messages may be without an answer, of a consumer that is made.", default=20_000, minimum=1
    )


class NatsSource:
    """See `connector.Source`."""

    def __init__(self, options: NatsSourceOptions) -> None:
        self._options = options
        self._link: Link | None = None
        self._forbidden = ""
        self._stream = ""
        self._inbox = ""
        self._wanted = 0  # what of the open request has not come
        self._trouble: ConnectorError | None = None
        self._arrived: deque[Msg] = deque()
        self._held: set[str] = set()  # where to answer for what is neither acknowledged nor released
        self._news: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Connect; find the consumer, or make it."""
        self._link = link = Link(self._options, self._forbid)
        await link.open()
        try:
            await self._bind(link.client.jetstream(timeout=self._options.timeout_seconds, **self._domain()))
        except APIError as error:
            kind = FailureKind.DESTINATION if isinstance(error, NotFoundError) else None
            failure = judge(error.code, error.err_code, error.description)
            if isinstance(error, ServiceUnavailableError) and not error.description:
                raise self._error(FailureKind.UNAVAILABLE, "JetStream does not answer: is it enabled?") from None
            raise self._error(kind or failure.kind, failure.reason) from None
        except (nats.errors.Error, OSError, ValueError) as error:
            self._check_rights()
            if isinstance(error, ValueError):
                raise self._error(FailureKind.DESTINATION, str(error)) from None
            raise refusal(self._options, error) from None
        self._inbox = link.client.new_inbox()
        await link.client.subscribe(self._inbox, cb=self._arrive, pending_bytes_limit=0, pending_msgs_limit=0)
        await link.round_trip()

    async def receive(self, limit: int, wait_seconds: float) -> Sequence[Incoming]:
        """What has come, or comes first."""
        link = self._opened()
        if not self._arrived:
            if self._wanted <= 0:
                await self._ask(link, limit, wait_seconds)
            self._news = news = asyncio.get_running_loop().create_future()
            await asyncio.wait((news, link.gone), timeout=wait_seconds, return_when=asyncio.FIRST_COMPLETED)
            if self._trouble is not None:
                raise self._trouble
            if not self._arrived:
                self._check_rights()
                link.check()
        taken = [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]
        return [self._incoming(message) for message in taken]

    async def acknowledge(self, messages: Sequence[Incoming]) -> None:
        """Tell the server, and make sure it has read that."""
        await self._answer(messages, b"+ACK")

    async def release(self, messages: Sequence[Incoming]) -> None:
        """Have them sent again at once."""
        await self._answer(messages, b"-NAK")

    async def close(self) -> None:
        """Give back what is in hand."""
        if self._link is None:
            return
        link, self._link = self._link, None
        with contextlib.suppress(ConnectorError, nats.errors.Error, OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                link.check()
                for reply in self._held:
                    await link.client.publish(reply, b"-NAK")
                await link.round_trip()
        self._held.clear()
        self._arrived.clear()
        await link.close()

    async def _bind(self, stream_api: JetStreamContext) -> None:
        options = self._options
        if not options.stream and not options.subject:
            raise self._error(FailureKind.DESTINATION, "neither a stream nor a subject is named")
        self._stream = options.stream or await stream_api.find_stream_name_by_subject(options.subject)
        try:
            config = (await stream_api.consumer_info(self._stream, options.consumer)).config
        except NotFoundError as error:
            if error.err_code == _NO_SUCH_STREAM:
                raise
            config = ConsumerConfig(
                durable_name=options.consumer,
                deliver_policy=_STARTS[options.start],
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=options.ack_wait_seconds,
                max_ack_pending=options.max_ack_pending,
                filter_subject=options.subject or None,
            )
            await stream_api.add_consumer(self._stream, config)
        if config.deliver_subject or config.ack_policy != AckPolicy.EXPLICIT:
            raise self._error(
                FailureKind.DESTINATION,
                f"the consumer {options.consumer!r} must be one to pull from, with acknowledgements of each message",
            )

    async def _ask(self, link: Link, limit: int, wait_seconds: float) -> None:
        expires = max(wait_seconds, 1.0)
        request = json.dumps({"batch": limit, "expires": int(expires * 1e9)}).encode()
        prefix = f"$JS.{self._options.domain}.API" if self._options.domain else "$JS.API"
        link.check()
        self._wanted = limit
        subject = f"{prefix}.CONSUMER.MSG.NEXT.{self._stream}.{self._options.consumer}"
        await self._publish(link, subject, request, self._inbox)

    async def _arrive(self, message: Msg) -> None:
        if message.reply:
            self._wanted -= 1
            self._arrived.append(message)
            self._held.add(message.reply)
        else:
            status = message.headers or {}
            if status.get("Status") == "100":
                return
            self._wanted = 0
            if status.get("Status") not in ("404", "408"):
                said = status.get("Description", "the stream or its consumer is gone")
                self._trouble = self._error(FailureKind.UNAVAILABLE, said)
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _answer(self, messages: Sequence[Incoming], word: bytes) -> None:
        link = self._opened()
        replies = [str(message.token) for message in messages if message.token in self._held]
        if not replies:
            return
        link.check()
        for reply in replies:
            await self._publish(link, reply, word)
        await link.round_trip()
        self._check_rights()
        self._held.difference_update(replies)

    async def _publish(self, link: Link, subject: str, body: bytes, reply: str = "") -> None:
        try:
            await link.client.publish(subject, body, reply)
        except (nats.errors.Error, OSError) as error:
            raise refusal(self._options, error) from None
        if link.gone.done():
            link.check()

    def _incoming(self, message: Msg) -> Incoming:
        read = {name: read_header(value) for name, value in (message.headers or {}).items()}
        sent_id = next((read.pop(name) for name in list(read) if name.lower() == _ID), "")
        arrival = inbound(read)
        return Incoming(
            event_id=sent_id or arrival.event_id or _place(message.reply),
            event_type=arrival.event_type,
            source=f"nats:{message.subject}",
            key=arrival.key,
            payload=message.data,
            content_type=arrival.content_type,
            headers=arrival.headers,
            token=message.reply,
        )

    def _opened(self) -> Link:
        if self._link is None:
            raise self._error(FailureKind.UNAVAILABLE, "the source is not open")
        return self._link

    def _domain(self) -> dict[str, Any]:
        return {"domain": self._options.domain} if self._options.domain else {}

    def _check_rights(self) -> None:
        """What the server refuses to be told it does not answer."""
        if self._forbidden:
            raise self._error(FailureKind.AUTHORIZATION, self._forbidden)

    def _forbid(self, said: str) -> None:
        self._forbidden = said

    def _error(self, kind: FailureKind, said: str) -> ConnectorError:
        return ConnectorError(kind, f"NATS {hosts(self._options)}: {said}")


def _place(reply: str) -> str:
    """Stream and sequence from where a message is to be acknowledged.

    $JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.…, in newer servers with domain and account before the stream.
    """
    words = reply.split(".")
    skip = 2 if len(words) == 9 else 4
    return f"{words[skip]}:{words[skip + 3]}"


CONNECTOR: SourceConnector[Any] = SourceConnector(
    name="nats",
    options=NatsSourceOptions,
    make=NatsSource,
    identity="Nats-Msg-Id, else Trickle-Event-Id, else stream and sequence",
    boundary="acknowledged after the inbox has it",
    extra="nats",
)
