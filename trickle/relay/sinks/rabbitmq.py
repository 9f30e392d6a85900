"""RabbitMQ: persistent messages published to an exchange, and confirmed by the broker.

    send ──▶ publish (mandatory), publish, …  ──▶ exchange ──▶ queues
             confirmation by number ◀── the queues have it      returned, then confirmed ◀── no queue takes it

All messages of a call are written before the first confirmation is awaited, on one channel; hence the order. The broker
does not look whether a message comes again: `message_id` is the event id, for those who receive it.

A message that no queue takes comes back, and is a failure of that message alone. One that the broker refuses, because a
queue is full and rejects what is published, may be accepted later; those behind it may have been taken before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pika
import pika.exceptions as errors
from pika import spec

from trickle.relay.brokers.rabbitmq import SHORT, Link, RabbitmqConnection
from trickle.relay.connector import NO_FAILURES, SinkConnector
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.headers import KEY
from trickle.relay.message import Outgoing
from trickle.relay.options import option

_PERSISTENT = 2
_MOST_HEADERS = 100_000  # bytes; they have to fit into one frame
_NO_QUEUE = "no queue is bound for it"


@dataclass(frozen=True, slots=True, kw_only=True)
class RabbitmqSinkOptions(RabbitmqConnection):
    """Where messages go in RabbitMQ."""

    exchange: str = option("Exchange; the default one, which knows queues by their names, if empty.", default="")
    routing_key: str = option("Routing key of messages without one of their own.", default="", template=True)
    exchange_type: str = option(
        "Type of the exchange that is made; none is made if empty.",
        default="",
        choices=("", "direct", "topic", "fanout", "headers"),
    )
    durable: bool = option("Whether an exchange that is made outlives the broker.", default=True)
    max_message_bytes: int = option(
        "What the broker takes at most; it ends the connection for more.",
        default=16 * 1024 * 1024,
        minimum=1,
        unit="bytes",
    )


class _Call:
    """The confirmations of one `send`."""

    def __init__(self, size: int) -> None:
        self.missing = size
        self.failures: dict[int, Failure] = {}
        self.confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answer(self, index: int, failure: Failure | None) -> None:
        if failure is not None:
            self.failures[index] = failure
        self.missing -= 1
        if not self.missing and not self.confirmed.done():
            self.confirmed.set_result(None)


class RabbitmqSink:
    """See `connector.Sink`."""

    keeps_order = True

    def __init__(self, options: RabbitmqSinkOptions) -> None:
        self._options = options
        self._link: Link | None = None
        self._last = 0  # the number of the last message published on this channel
        self._waiting: dict[int, tuple[_Call, int, str]] = {}  # by number, in their order
        self._returned: dict[str, int] = {}  # by event id, how often it has come back

    async def open(self) -> None:
        """Connect; find the exchange, or make it; ask for confirmations."""
        options = self._options
        self._link = link = Link(options)
        await link.open()
        if options.exchange:
            kind = {"exchange_type": options.exchange_type} if options.exchange_type else {}
            await link.call(
                link.channel.exchange_declare,
                exchange=options.exchange,
                passive=not options.exchange_type,
                durable=options.durable,
                **kind,
            )
        link.channel.add_on_return_callback(self._came_back)
        await link.call(link.channel.confirm_delivery, ack_nack_callback=self._confirmed)

    async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        """Publish all, then wait for all."""
        link = self._link
        if link is None:
            raise ConnectorError(FailureKind.UNAVAILABLE, "the RabbitMQ sink is not open")
        if not messages:
            return NO_FAILURES
        link.check()
        call = _Call(len(messages))
        for index, message in enumerate(messages):
            key = message.address or self._options.routing_key
            failure = self._unfit(key, message)
            if failure is not None:
                call.answer(index, failure)
                continue
            try:
                link.channel.basic_publish(
                    self._options.exchange, key, message.body, _properties(message), mandatory=True
                )
            except (errors.AMQPError, ValueError, TypeError) as error:
                link.check()
                call.answer(index, Failure(FailureKind.ENCODING, f"the client cannot write it: {type(error).__name__}"))
                continue
            self._last += 1
            self._waiting[self._last] = (call, index, message.event_id)
        await link.wait(call.confirmed, self._options.timeout_seconds, "confirmation")
        return call.failures

    async def close(self) -> None:
        """Let go."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()
        self._waiting.clear()

    def _unfit(self, key: str, message: Outgoing) -> Failure | None:
        options = self._options
        if not key and not options.exchange:
            return Failure(FailureKind.DESTINATION, "the message has no routing key, and the sink names none")
        for what, text in (
            ("routing key", key),
            ("event id", message.event_id),
            ("content type", message.content_type),
        ):
            if len(text.encode()) > SHORT:
                return Failure(FailureKind.ENCODING, f"its {what} is longer than {SHORT} bytes")
        if any(len(name.encode()) > SHORT for name in message.headers):
            return Failure(FailureKind.ENCODING, f"the name of a header is longer than {SHORT} bytes")
        size = sum(len(name) + len(value.encode()) for name, value in message.headers.items()) + len(message.key or "")
        if len(message.body) > options.max_message_bytes or size > _MOST_HEADERS:
            return Failure(FailureKind.TOO_LARGE, f"{len(message.body)} bytes, {size} of headers")
        return None

    def _came_back(self, _: Any, method: spec.Basic.Return, properties: pika.BasicProperties, body: bytes) -> None:
        """The broker returns a message before it confirms it."""
        self._returned[properties.message_id] = self._returned.get(properties.message_id, 0) + 1

    def _confirmed(self, frame: Any) -> None:
        method = frame.method
        numbers = [method.delivery_tag]
        if method.multiple:
            # Zero means all; those that wait are in the order of their numbers.
            upto = method.delivery_tag or self._last
            numbers = []
            for number in self._waiting:
                if number > upto:
                    break
                numbers.append(number)
        for number in numbers:
            if number in self._waiting:
                call, index, event_id = self._waiting.pop(number)
                call.answer(index, self._judge(event_id, isinstance(method, spec.Basic.Ack)))

    def _judge(self, event_id: str, is_accepted: bool) -> Failure | None:
        if times := self._returned.pop(event_id, 0):
            if times > 1:
                self._returned[event_id] = times - 1
            return Failure(FailureKind.DESTINATION, f"RabbitMQ: {_NO_QUEUE}")
        if not is_accepted:
            return Failure(FailureKind.THROTTLED, "RabbitMQ: the broker refuses it now; its queue may be full")
        return None


def _properties(message: Outgoing) -> pika.BasicProperties:
    headers: dict[str, str] = dict(message.headers)
    if message.key is not None:
        headers[KEY] = message.key
    return pika.BasicProperties(
        content_type=message.content_type,
        headers=headers,
        delivery_mode=_PERSISTENT,
        message_id=message.event_id,
        timestamp=int(message.created_at.timestamp()),
    )


CONNECTOR: SinkConnector[Any] = SinkConnector(
    name="rabbitmq",
    options=RabbitmqSinkOptions,
    make=RabbitmqSink,
    address="routing key",
    identity="message_id; RabbitMQ itself does not look",
    boundary="the broker has confirmed it: its queues have it, durable ones on disk",
    extra="rabbitmq",
)
