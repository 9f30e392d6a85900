"""Kafka: an idempotent producer, and a record for each message.

    send ──▶ produce, produce, …  ──▶ librdkafka's batches ──▶ leaders of the partitions, all replicas in sync
             report of each ◀── the loop polls ◀───────────── accepted, refused, given up

The record's key is the message's, or else its event id: messages of one key are in one partition, in order. While the
producer lives, what it sends again takes its place and appears once. What a new producer sends again appears twice;
its header `Trickle-Event-Id` tells.

A body that is empty and of no type is a tombstone: a record without a value, which compaction takes as "this key is
gone".

The loop polls for reports itself: a thread that does would have to get the interpreter from it for every single one.

When the producer gives a message up though it might be accepted later, those that wait behind it are taken back: it
would be overtaken. Then all of them are sent again, by a new producer.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from trickle.relay.brokers.kafka import KafkaConnection, Troubles, kind_of, may_be_topic, refusal, settings, words
from trickle.relay.connector import NO_FAILURES, SinkConnector
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.headers import EVENT_ID, outbound
from trickle.relay.message import Outgoing
from trickle.relay.options import option

# Between two looks for reports: while some are missing, and while the producer has only its troubles to tell.
_BUSY_SECONDS = 0.001
_IDLE_SECONDS = 0.5
_DECIDING = frozenset({FailureKind.AUTHENTICATION, FailureKind.AUTHORIZATION, FailureKind.TLS})


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSinkOptions(KafkaConnection):
    """Where messages go in Kafka, and how they are collected."""

    topic: str = option("Topic of messages without one of their own.", default="", template=True)
    compression: str = option(
        "How batches are compressed.", default="none", choices=("none", "gzip", "snappy", "lz4", "zstd")
    )
    acks: str = option(
        "How many replicas must have a message: all in sync, or the leader alone, which may lose it and its place.",
        default="all",
        choices=("all", "1"),
    )
    linger_ms: int = option("How long a batch waits to become larger.", default=5, unit="ms", minimum=0, maximum=10_000)
    batch_size: int = option("How large a batch may become.", default=1_000_000, unit="bytes", minimum=1)
    max_message_bytes: int = option("What the brokers take at most.", default=1_000_000, unit="bytes", minimum=1000)
    partitioner: str = option(
        "How keys become partitions: as in the Java clients, or as in librdkafka's own.",
        default="murmur2_random",
        choices=("murmur2_random", "consistent_random"),
    )


class _Call:
    """The reports on the messages of one `send`."""

    def __init__(self, sink: KafkaSink, size: int) -> None:
        self._sink = sink
        self._missing = size
        self.failures: dict[int, Failure] = {}
        self.error: KafkaError | None = None
        self.reported: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def report(self, index: int, error: KafkaError | None, record: Message | None = None) -> None:
        """The producer's `on_delivery`."""
        if error is not None:
            self._refused(index, error)
        self.answered(1)

    def answered(self, number: int) -> None:
        self._missing -= number
        if not self._missing and not self.reported.done():
            self.reported.set_result(None)

    def _refused(self, index: int, error: KafkaError) -> None:
        kind = kind_of(error)
        if error.fatal() or kind.passes:
            self.error = self.error or error
            self._sink.give_up(error)
        else:
            self.failures[index] = Failure(kind, f"Kafka: {words(error)}")


class KafkaSink:
    """See `connector.Sink`."""

    keeps_order = True

    def __init__(self, options: KafkaSinkOptions) -> None:
        self._options = options
        self._producer: Producer | None = None
        self._poller: asyncio.Task[None] | None = None
        self._calls = 0  # whose reports are not complete
        self._has_calls = asyncio.Event()
        self._is_closing = False
        self._troubles = Troubles()
        self._turn = asyncio.Lock()
        self._why: KafkaError | None = None  # why this producer has been given up

    async def open(self) -> None:
        """Start the producer, and ask for the brokers, which only one who is let in is told."""
        options = self._options
        try:
            self._producer = Producer(settings(options, self._troubles) | _producer_settings(options))
        except (KafkaException, ValueError) as error:
            said = words(error.args[0]) if isinstance(error, KafkaException) else str(error)
            raise ConnectorError(FailureKind.DESTINATION, f"Kafka {options.brokers}: {said}") from None
        self._poller = asyncio.create_task(self._poll(self._producer))
        await asyncio.to_thread(self._find_brokers, self._producer)

    async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        """Hand all to the producer, then wait for all reports."""
        if not messages:
            return NO_FAILURES
        producer = self._producer
        if producer is None:
            raise ConnectorError(FailureKind.UNAVAILABLE, "the Kafka sink is not open")
        call = _Call(self, len(messages))
        self._calls += 1
        self._has_calls.set()
        # The producer gives up by itself; one that does not report is a fault that must not hold us for ever.
        seconds = self._options.timeout_seconds + 10
        try:
            async with self._turn:
                await self._produce(producer, call, messages)
            await asyncio.wait_for(call.reported, seconds)
        except TimeoutError:
            raise ConnectorError(FailureKind.TIMEOUT, f"Kafka: no report within {seconds:g} s") from None
        finally:
            self._calls -= 1
        if call.error is not None:
            raise refusal(self._options, self._why or call.error)
        return call.failures

    def give_up(self, error: KafkaError) -> None:
        """Take back what waits, so that it does not overtake what has failed."""
        if self._why is None:
            self._why = error
            if self._producer is not None:
                self._producer.purge(blocking=False)

    async def close(self) -> None:
        """Take back what waits, and end the producer."""
        self._is_closing = True
        producer, self._producer = self._producer, None
        poller, self._poller = self._poller, None
        if poller is not None:
            poller.cancel()
            await asyncio.wait({poller})
        if producer is not None:
            producer.purge(blocking=False)
            last = [producer]  # ending it waits for its threads: its last owner must not be the loop
            del producer, poller
            await asyncio.to_thread(last.clear)

    async def _produce(self, producer: Producer, call: _Call, messages: Sequence[Outgoing]) -> None:
        for index, message in enumerate(messages):
            topic = message.address or self._options.topic
            failure = _unfit(topic)
            while failure is None:
                if self._why is not None:
                    call.error = call.error or self._why
                    call.answered(len(messages) - index)
                    return
                try:
                    producer.produce(
                        topic,
                        _value(message),
                        (message.event_id if message.key is None else message.key).encode(),
                        on_delivery=partial(call.report, index),
                        headers=_headers(message),
                    )
                    break
                except BufferError:  # what is there has to go first
                    await asyncio.sleep(0.01)
                except KafkaException as error:
                    call.report(index, error.args[0])
                    break
            if failure is not None:
                call.failures[index] = failure
                call.answered(1)

    async def _poll(self, producer: Producer) -> None:
        """Hand out the reports, as long as the sink is open."""
        while True:
            if producer.poll(0):
                await asyncio.sleep(0)
            elif self._calls:
                await asyncio.sleep(_BUSY_SECONDS)
            else:
                self._has_calls.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_IDLE_SECONDS):
                        await self._has_calls.wait()

    def _find_brokers(self, producer: Producer) -> None:
        options = self._options
        topic = options.topic if may_be_topic(options.topic) else None
        rest = options.connect_timeout_seconds
        while True:
            step = min(rest, 0.5)
            try:
                producer.list_topics(timeout=step) if topic is None else producer.list_topics(topic, timeout=step)
                return
            except KafkaException as error:
                rest -= step
                trouble = self._troubles.look()
                if rest <= 0 or (trouble is not None and kind_of(trouble) in _DECIDING) or self._is_closing:
                    raise refusal(options, trouble or error) from None


def _headers(message: Outgoing) -> list[tuple[str, str | bytes | None]]:
    return [(EVENT_ID, message.event_id), *outbound(message).items()]


def _value(message: Outgoing) -> bytes | None:
    """None, not an empty value, for a tombstone: compaction keeps the record of an empty value for ever."""
    return message.body if message.body or message.content_type else None


def _unfit(topic: str) -> Failure | None:
    if not topic:
        return Failure(FailureKind.DESTINATION, "the message has no topic, and the sink names none")
    if not may_be_topic(topic):
        return Failure(FailureKind.ENCODING, f"{topic[:200]!r} cannot be the name of a topic")
    return None


def _producer_settings(options: KafkaSinkOptions) -> dict[str, Any]:
    milliseconds = int(options.timeout_seconds * 1000)
    return {
        "enable.idempotence": options.acks == "all",
        "acks": options.acks,
        "max.in.flight.requests.per.connection": 5 if options.acks == "all" else 1,
        "delivery.timeout.ms": milliseconds,
        "request.timeout.ms": milliseconds,
        "compression.type": options.compression,
        "linger.ms": options.linger_ms,
        "batch.size": options.batch_size,
        "message.max.bytes": options.max_message_bytes,
        "partitioner": options.partitioner,
    }


CONNECTOR: SinkConnector[Any] = SinkConnector(
    name="kafka",
    options=KafkaSinkOptions,
    make=KafkaSink,
    address="topic",
    identity="header Trickle-Event-Id, and as the record's key where the message has none; Kafka itself does not look",
    boundary="all replicas in sync have it",
    extra="kafka",
)
