"""A queue of RabbitMQ, with as many messages in hand as `prefetch` allows.

    broker ──▶ messages as they come ──▶ receive ──▶ acknowledge: ack      release, close: the queue has them again

Acknowledgements are written together, and a round trip makes sure that the broker has read them. What is not
acknowledged when the connection ends goes back to its queue, to the place it had.

We are the queue's only consumer, so what a dead one had in hand is there again before its successor is served, and
nothing overtakes it: whoever finds another one waits until it is gone. With `exclusive` off others may consume beside
us, and who takes over does not wait until the broker has missed the heartbeats of a host that is gone; then messages
may come out of order.

The event id is the sender's `message_id`, or the header `Trickle-Event-Id`. RabbitMQ itself has no name for a message
that outlives its delivery. Without one, `without_id` decides: `unique` gives each delivery an id of its own, so that
nothing is lost, and a message that is delivered again arrives twice; `hash` makes it of exchange, routing key, time
stamp, type and body, so that a message that is delivered again is known, and two that are alike are taken for one.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pika
from pika import spec

from trickle.relay.brokers.rabbitmq import Link, RabbitmqConnection, host
from trickle.relay.connector import SourceConnector
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.headers import UNKNOWN_CONTENT, inbound
from trickle.relay.message import Incoming
from trickle.relay.options import option


@dataclass(frozen=True, slots=True, kw_only=True)
class RabbitmqSourceOptions(RabbitmqConnection):
    """What is consumed from RabbitMQ."""

    queue: str = option("Queue.")
    prefetch: int = option("How many messages may be in hand.", default=1000, minimum=1, maximum=65_535)
    exclusive: bool = option("Be the only consumer of the queue, which keeps its order.", default=True)
    declare: bool = option("Make the queue, durable, if there is none.", default=False)
    without_id: str = option(
        "What a message without an id is known by; see above.", default="unique", choices=("unique", "hash")
    )


class RabbitmqSource:
    """See `connector.Source`."""

    def __init__(self, options: RabbitmqSourceOptions) -> None:
        self._options = options
        self._link: Link | None = None
        self._arrived: deque[Incoming] = deque()
        self._held: set[int] = set()  # the numbers of what is neither acknowledged nor released
        self._news: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Connect, find the queue, and have its messages sent."""
        options = self._options
        self._link = link = Link(options)
        await link.open()
        found = await link.call(
            link.channel.queue_declare, queue=options.queue, passive=not options.declare, durable=options.declare
        )
        if options.exclusive and found.method.consumer_count:  # quorum queues would let both of us in
            raise ConnectorError(
                FailureKind.UNAVAILABLE,
                f"RabbitMQ {host(options)}: the queue {options.queue!r} has a consumer, and ours is to be exclusive",
            )
        await link.call(link.channel.basic_qos, prefetch_count=options.prefetch)
        link.channel.add_on_cancel_callback(self._cancelled)
        await link.call(
            link.channel.basic_consume,
            queue=options.queue,
            on_message_callback=self._arrive,
            exclusive=options.exclusive,
        )

    async def receive(self, limit: int, wait_seconds: float) -> Sequence[Incoming]:
        """What has come, or comes first."""
        link = self._opened()
        if not self._arrived:
            link.check()
            self._news = news = asyncio.get_running_loop().create_future()
            await asyncio.wait((news, link.gone), timeout=wait_seconds, return_when=asyncio.FIRST_COMPLETED)
            if not self._arrived:
                link.check()
        return [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]

    async def acknowledge(self, messages: Sequence[Incoming]) -> None:
        """Tell the broker, and make sure it has read that."""
        link = self._opened()
        numbers = self._numbers(messages)
        if numbers:
            link.check()
            for number in numbers:
                link.channel.basic_ack(number)
            await self._settle(link, numbers)

    async def release(self, messages: Sequence[Incoming]) -> None:
        """Back into the queue."""
        link = self._opened()
        numbers = self._numbers(messages)
        if numbers:
            link.check()
            for number in numbers:
                link.channel.basic_nack(number, requeue=True)
            await self._settle(link, numbers)

    async def close(self) -> None:
        """Let go; the broker takes back what is in hand."""
        link, self._link = self._link, None
        self._arrived.clear()
        self._held.clear()
        if link is not None:
            await link.close()

    async def _settle(self, link: Link, numbers: Sequence[int]) -> None:
        """What is answered after it was written was read before."""
        await link.call(link.channel.basic_qos, prefetch_count=self._options.prefetch)
        self._held.difference_update(numbers)

    def _numbers(self, messages: Sequence[Incoming]) -> list[int]:
        numbers = (message.token for message in messages)
        return [number for number in numbers if isinstance(number, int) and number in self._held]

    def _arrive(self, _: Any, method: spec.Basic.Deliver, properties: pika.BasicProperties, body: bytes) -> None:
        self._held.add(method.delivery_tag)
        self._arrived.append(self._incoming(method, properties, body))
        self._wake()

    def _cancelled(self, _: Any) -> None:
        if self._link is not None:
            self._link.lose(OSError(f"the queue {self._options.queue!r} is gone"))

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def _incoming(self, method: spec.Basic.Deliver, properties: pika.BasicProperties, body: bytes) -> Incoming:
        arrival = inbound({str(name): _text(value) for name, value in (properties.headers or {}).items()})
        known = properties.message_id or arrival.event_id
        return Incoming(
            event_id=known or self._nameless(method, properties, body),
            event_type=arrival.event_type or properties.type,
            source=f"rabbitmq:{self._options.queue}",
            key=arrival.key,
            payload=body,
            content_type=properties.content_type or arrival.content_type or UNKNOWN_CONTENT,
            headers=arrival.headers,
            token=method.delivery_tag,
        )

    def _nameless(self, method: spec.Basic.Deliver, properties: pika.BasicProperties, body: bytes) -> str:
        if self._options.without_id == "unique":
            return str(uuid.uuid4())
        digest = hashlib.sha256()
        for part in (method.exchange, method.routing_key, properties.timestamp, properties.type):
            digest.update(f"{part}\0".encode())
        digest.update(body)
        return digest.hexdigest()

    def _opened(self) -> Link:
        if self._link is None:
            raise ConnectorError(FailureKind.UNAVAILABLE, "the RabbitMQ source is not open")
        return self._link


def _text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


CONNECTOR: SourceConnector[Any] = SourceConnector(
    name="rabbitmq",
    options=RabbitmqSourceOptions,
    make=RabbitmqSource,
    identity="message_id, else Trickle-Event-Id, else by `without_id`",
    boundary="acknowledged after the inbox has it",
    extra="rabbitmq",
)
