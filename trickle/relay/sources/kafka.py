"""A consumer group of Kafka topics; offsets are committed after the inbox has what is before them.

    poll, then all that is there ──▶ Position of each partition ──▶ receive
    acknowledge ──▶ the first offset not acknowledged ──▶ commit      release: given again by this source

A group's offset says that everything before it is done. So each partition keeps which of its offsets are in hand, and
commits up to the first of them. What was released is kept here and given again; were this source to die, it would
come again from Kafka, for nothing behind it can be committed. A partition that goes to another member is forgotten:
it gives again there what was not committed.

The event id is the header `Trickle-Event-Id`, or else topic, partition and offset.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from trickle.relay.brokers.kafka import KafkaConnection, Troubles, gravity, kind_of, refusal, settings, words
from trickle.relay.connector import SourceConnector
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.headers import inbound
from trickle.relay.message import Incoming
from trickle.relay.options import option
from trickle.relay.positions import Position

_SLICE_SECONDS = 0.25  # how long one call into the client may wait, so that closing need not
_HARMLESS = frozenset({KafkaError._PARTITION_EOF, KafkaError._MAX_POLL_EXCEEDED})
_MOVED_ON = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError._ASSIGNMENT_LOST,
        KafkaError._NO_OFFSET,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSourceOptions(KafkaConnection):
    """What is consumed from Kafka."""

    topic: str = option("Topics, separated by commas; one that begins with ^ is a pattern.")
    group_id: str = option("Consumer group.")
    auto_offset_reset: str = option(
        "Where a group without offsets begins.", default="earliest", choices=("earliest", "latest")
    )
    session_timeout_seconds: float = option(
        "After how long a member that is silent is taken for dead.", default=45.0, unit="s", minimum=1.0
    )


class Place(NamedTuple):
    """Where a message is: the token."""

    topic: str
    partition: int
    offset: int


class KafkaSource:
    """See `connector.Source`."""

    def __init__(self, options: KafkaSourceOptions) -> None:
        self._options = options
        self._consumer: Consumer | None = None
        self._troubles = Troubles()
        self._client = threading.Lock()  # one at a time reads from the client, or ends it
        self._lock = threading.Lock()  # guards what is below
        self._positions: dict[tuple[str, int], Position] = {}
        self._arrived: deque[Incoming] = deque()  # also what has been released
        self._is_closing = threading.Event()

    async def open(self) -> None:
        """Join the group, after a look whether the topics are there."""
        options = self._options
        try:
            self._consumer = Consumer(settings(options, self._troubles) | _consumer_settings(options))
        except (KafkaException, ValueError) as error:
            said = words(error.args[0]) if isinstance(error, KafkaException) else str(error)
            raise ConnectorError(FailureKind.DESTINATION, f"Kafka {options.brokers}: {said}") from None
        await asyncio.to_thread(self._join, self._consumer)

    async def receive(self, limit: int, wait_seconds: float) -> Sequence[Incoming]:
        """What is there, or comes first."""
        if self._consumer is None:
            raise ConnectorError(FailureKind.UNAVAILABLE, "the Kafka source is not open")
        if not self._arrived:
            await asyncio.to_thread(self._fetch, self._consumer, limit, wait_seconds)
        with self._lock:
            return [self._arrived.popleft() for _ in range(min(limit, len(self._arrived)))]

    async def acknowledge(self, messages: Sequence[Incoming]) -> None:
        """Commit, in each partition, up to the first that is still in hand."""
        if self._consumer is None:
            raise ConnectorError(FailureKind.UNAVAILABLE, "the Kafka source is not open")
        with self._lock:
            for message in messages:
                if isinstance(place := message.token, Place) and (position := self._positions.get(place[:2])):
                    position.acknowledge(place.offset)
            ready = {where: position.to_commit() for where, position in self._positions.items()}
        due = {where: offset for where, offset in ready.items() if offset is not None}
        if due:
            await asyncio.to_thread(self._commit, self._consumer, due)

    async def release(self, messages: Sequence[Incoming]) -> None:
        """Give them again before anything new."""
        with self._lock:
            waiting = {message.token for message in self._arrived}
            again = [message for message in messages if message.token not in waiting and self._is_held(message)]
            self._arrived.extendleft(reversed(again))

    async def close(self) -> None:
        """Leave the group, whose other members then get what is not committed."""
        self._is_closing.set()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await asyncio.to_thread(self._leave, consumer)

    def _is_held(self, message: Incoming) -> bool:
        place = message.token
        position = self._positions.get(place[:2]) if isinstance(place, Place) else None
        return position is not None and isinstance(place, Place) and position.holds(place.offset)

    def _join(self, consumer: Consumer) -> None:
        options = self._options
        topics = [name.strip() for name in options.topic.split(",") if name.strip()]
        try:
            for topic in topics:
                if not topic.startswith("^"):
                    self._find(consumer, topic)
            consumer.subscribe(topics, on_revoke=self._revoked, on_lost=self._revoked)
        except (KafkaException, ValueError, TypeError) as error:
            if isinstance(error, KafkaException):
                raise refusal(options, error) from None
            raise ConnectorError(FailureKind.DESTINATION, f"Kafka {options.brokers}: {error}") from None

    def _find(self, consumer: Consumer, topic: str) -> None:
        """Ask for a topic. Raises KafkaException, of what stands in the way if that is known."""
        rest = self._options.connect_timeout_seconds
        while True:
            step = min(rest, 0.5)
            try:
                error = consumer.list_topics(topic, timeout=step).topics[topic].error
                if error is None or kind_of(error) is FailureKind.UNAVAILABLE:  # a leader is being chosen
                    return
                raise KafkaException(error)
            except KafkaException as error:
                rest -= step
                consumer.poll(0)  # to hear of troubles; nothing is subscribed yet
                trouble = self._troubles.look()
                code = error.args[0].code()
                if code not in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT) or self._is_closing.is_set():
                    raise
                if trouble is not None and (rest <= 0 or not kind_of(trouble).passes):
                    raise KafkaException(trouble) from None
                if rest <= 0:
                    raise

    def _fetch(self, consumer: Consumer, limit: int, wait_seconds: float) -> None:
        deadline = time.monotonic() + wait_seconds
        with self._client:
            while not self._is_closing.is_set() and not self._arrived:
                rest = max(0.0, deadline - time.monotonic())
                first = consumer.poll(min(rest, _SLICE_SECONDS))
                if first is not None:
                    self._keep([first, *(consumer.consume(limit - 1, timeout=0) if limit > 1 else ())])
                elif rest <= 0:
                    break
        trouble = self._troubles.take()
        if trouble is not None and not self._arrived and gravity(trouble):
            raise refusal(self._options, trouble)

    def _keep(self, records: Sequence[Message]) -> None:
        with self._lock:
            for record in records:
                error = record.error()
                if error is None:
                    incoming = _incoming(record)
                    place = incoming.token
                    assert isinstance(place, Place)
                    self._positions.setdefault(place[:2], Position()).take(place.offset)
                    self._arrived.append(incoming)
                elif error.code() not in _HARMLESS:
                    self._troubles(error)

    def _commit(self, consumer: Consumer, due: dict[tuple[str, int], int]) -> None:
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in due.items()]
        try:
            answers = consumer.commit(offsets=offsets, asynchronous=False) or []
        except KafkaException as error:
            if error.args[0].code() in _MOVED_ON:
                return  # whoever has the partitions now gives these again
            raise refusal(self._options, error) from None
        except RuntimeError:
            raise ConnectorError(FailureKind.UNAVAILABLE, "Kafka: the source is closed") from None
        with self._lock:
            for answer in answers:
                position = self._positions.get((answer.topic, answer.partition))
                if answer.error is None and position is not None:
                    position.committed(answer.offset)

    def _revoked(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> None:
        with self._lock:
            gone = {(partition.topic, partition.partition) for partition in partitions}
            for where in gone:
                self._positions.pop(where, None)
            self._arrived = deque(message for message in self._arrived if message.token[:2] not in gone)  # type: ignore[index]

    def _leave(self, consumer: Consumer) -> None:
        with self._client:
            consumer.close()
        with self._lock:
            self._positions.clear()
            self._arrived.clear()


def _consumer_settings(options: KafkaSourceOptions) -> dict[str, Any]:
    session = int(options.session_timeout_seconds * 1000)
    return {
        "group.id": options.group_id,
        "auto.offset.reset": options.auto_offset_reset,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "session.timeout.ms": session,
        "heartbeat.interval.ms": max(100, min(3000, session // 3)),
        "max.poll.interval.ms": max(300_000, session),
        "allow.auto.create.topics": False,
        "isolation.level": "read_committed",
    }


def _incoming(record: Message) -> Incoming:
    topic, partition, offset = record.topic() or "", record.partition() or 0, record.offset() or 0
    headers: Any = record.headers() or ()
    carried = {name: _text(value) for name, value in headers}
    arrival = inbound(carried)
    key = record.key()
    return Incoming(
        event_id=arrival.event_id or f"{topic}-{partition}-{offset}",
        event_type=arrival.event_type,
        source=f"kafka:{topic}",
        # A message of a sink like ours without a key has its id for one.
        key=arrival.key if arrival.event_id or key is None else _text(key),
        payload=_bytes(record.value()),
        content_type=arrival.content_type,
        headers=arrival.headers,
        token=Place(topic, partition, offset),
    )


def _text(value: str | bytes | None) -> str:
    """As UTF-8; bytes that are none are written as escapes."""
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value or ""


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


CONNECTOR: SourceConnector[Any] = SourceConnector(
    name="kafka",
    options=KafkaSourceOptions,
    make=KafkaSource,
    identity="header Trickle-Event-Id, else topic, partition and offset",
    boundary="its offset is committed after the inbox has it and all before it",
    extra="kafka",
)
