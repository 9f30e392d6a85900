"""A durable consumer that messages are pulled from: found or made, asked for messages, looked at.

What the server refuses to be told it does not answer; it says so beside, and that is remembered here.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass

import nats.errors
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo, DeliverPolicy
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from trickle.relay.brokers.nats import Link, NatsConnection, hosts, judge, refusal
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.options import option

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
        default=30.0,
        unit="s",
        minimum=1.0,
    )
    ordered: bool = option(
        "Wait for what another one had in hand before taking what is newer, for as long as the consumer's ack wait.",
        default=True,
    )
    max_ack_pending: int = option(
        "How many messages may be without an answer, of a consumer that is made.", default=20_000, minimum=1
    )


class PullConsumer:
    """The consumer of the options, over one connection."""

    def __init__(self, options: NatsSourceOptions) -> None:
        self._options = options
        self._forbidden = ""
        self._stream = ""
        self._api: JetStreamContext | None = None
        self.link = Link(options, self._forbid)

    async def open(self) -> ConsumerInfo | None:
        """Connect; find the consumer, or make it, and then there is nothing to say of it. Raises ConnectorError."""
        await self.link.open()
        domain = {"domain": self._options.domain} if self._options.domain else {}
        self._api = self.link.client.jetstream(timeout=self._options.timeout_seconds, **domain)
        with self._refusals():
            return await self._bind(self._api)

    async def look(self) -> ConsumerInfo:
        """What the server knows of it now."""
        assert self._api is not None  # it was opened
        with self._refusals():
            try:
                found: ConsumerInfo = await self._api.consumer_info(self._stream, self._options.consumer)
            except NotFoundError:  # it was there, so it has been deleted, and is made when we come again
                raise self.error(FailureKind.UNAVAILABLE, "the stream or its consumer is gone") from None
            return found

    async def ask(self, limit: int, seconds: float, inbox: str) -> None:
        """For so many messages, to be sent to the inbox until time is up. Raises ConnectorError."""
        request = json.dumps({"batch": limit, "expires": int(seconds * 1e9)}).encode()
        prefix = f"$JS.{self._options.domain}.API" if self._options.domain else "$JS.API"
        subject = f"{prefix}.CONSUMER.MSG.NEXT.{self._stream}.{self._options.consumer}"
        await self.publish(subject, request, inbox)

    async def publish(self, subject: str, body: bytes, reply: str = "") -> None:
        """Raises ConnectorError."""
        try:
            await self.link.client.publish(subject, body, reply)
        except (nats.errors.Error, OSError) as error:
            raise refusal(self._options, error) from None
        if self.link.gone.done():
            self.link.check()

    def check_rights(self) -> None:
        """Raises ConnectorError with what the server refused."""
        if self._forbidden:
            raise self.error(FailureKind.AUTHORIZATION, self._forbidden)

    def error(self, kind: FailureKind, said: str) -> ConnectorError:
        return ConnectorError(kind, f"NATS {hosts(self._options)}: {said}")

    def _forbid(self, said: str) -> None:
        self._forbidden = said

    async def _bind(self, stream_api: JetStreamContext) -> ConsumerInfo | None:
        options = self._options
        if not options.stream and not options.subject:
            raise self.error(FailureKind.DESTINATION, "neither a stream nor a subject is named")
        self._stream = options.stream or await stream_api.find_stream_name_by_subject(options.subject)
        try:
            found: ConsumerInfo = await stream_api.consumer_info(self._stream, options.consumer)
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
            return None
        if found.config.deliver_subject or found.config.ack_policy != AckPolicy.EXPLICIT:
            raise self.error(
                FailureKind.DESTINATION,
                f"the consumer {options.consumer!r} must be one to pull from, with acknowledgements of each message",
            )
        return found

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """What the API of JetStream refuses, as an error of ours."""
        try:
            yield
        except APIError as error:
            kind = FailureKind.DESTINATION if isinstance(error, NotFoundError) else None
            failure = judge(error.code, error.err_code, error.description)
            if isinstance(error, ServiceUnavailableError) and not error.description:
                raise self.error(FailureKind.UNAVAILABLE, "JetStream does not answer: is it enabled?") from None
            raise self.error(kind or failure.kind, failure.reason) from None
        except (nats.errors.Error, OSError, ValueError) as error:
            self.check_rights()
            if isinstance(error, ValueError):
                raise self.error(FailureKind.DESTINATION, str(error)) from None
            raise refusal(self._options, error) from None
