"""A durable pull consumer of a JetStream stream, acknowledged one by one.

    ask for so many ──▶ server ──▶ messages as they come ──▶ receive ──▶ acknowledge: +ACK    release, close: −NAK

One request asks for as many messages as `receive` may return, and they come without being asked for again; what
arrives while the last ones are being written is there for the next call. Acknowledgements are written together, and
one round trip makes sure that the server has read them.

The event id is the sender's `Nats-Msg-Id`, or `Trickle-Event-Id`, or else the stream's name and the sequence in it:
a stream that is deleted and made again under its name counts from 1 again, and its messages are taken for known ones.

What another one had in hand, who died or was cut off, the server sends again after `ack_wait_seconds`, behind what it
has sent meanwhile. So who comes to a consumer lets what others have asked for expire, and where there are deliveries
that nobody has answered, takes newer messages in small sips and gives out none of them before those are there
(`ordered`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import nats.errors
from nats.aio.msg import Msg

from trickle.relay.brokers.nats import hosts
from trickle.relay.brokers.nats_consumer import NatsSourceOptions, PullConsumer
from trickle.relay.brokers.nats_deliveries import Gathering, Turn, place_of
from trickle.relay.brokers.nats_headers import read_header
from trickle.relay.connector import SourceConnector
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.headers import inbound
from trickle.relay.message import Incoming

_CLOSE_SECONDS = 2.0  # what is not given back by then comes again when the server has waited long enough
_LOOK_SECONDS = 0.25  # between two looks at what others have in hand
_NOTICE_SECONDS = 0.5  # for others to notice that the consumer is ours now
_GRACE_SECONDS = 5.0  # for the server to notice that the time of a delivery is up
_STALL_SECONDS = 0.5  # a host that stood still for longer may have lost its claim, and not know it yet
_EXPIRY_SECONDS = 1.0  # of what we ask for
_BURST_SECONDS = 0.01  # for what comes at once to come together
_ID = "nats-msg-id"


class NatsSource:
    """See `connector.Source`."""

    def __init__(self, options: NatsSourceOptions) -> None:
        self._options = options
        self._consumer: PullConsumer | None = None
        self._inbox = ""
        self._ack_wait = 0.0
        self._gathering: Gathering | None = None
        self._received_at = 0.0  # monotonic
        self._wanted = 0  # what of the open request has not come
        self._trouble: ConnectorError | None = None
        self._arrived: deque[Msg] = deque()
        self._held: set[str] = set()  # where to answer for what is neither acknowledged nor released
        self._news: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Connect; find the consumer, or make it."""
        self._consumer = consumer = PullConsumer(self._options)
        found = await consumer.open()
        self._received_at = time.monotonic()
        self._ack_wait = self._options.ack_wait_seconds
        if found is not None:
            self._ack_wait = max(found.config.ack_wait or 0.0, *(found.config.backoff or (0.0,)))
            self._begin_gathering(self._received_at)
        client = consumer.link.client
        self._inbox = client.new_inbox()
        await client.subscribe(self._inbox, cb=self._arrive, pending_bytes_limit=0, pending_msgs_limit=0)
        await consumer.link.round_trip()

    async def receive(self, limit: int, wait_seconds: float) -> Sequence[Incoming]:
        """What has come, or comes first."""
        consumer = self._opened()
        now = time.monotonic()
        if now - self._received_at > wait_seconds + _STALL_SECONDS:  # others may have come meanwhile
            self._begin_gathering(now)
        self._received_at = now
        if self._gathering is not None and not await self._gather(consumer, self._gathering, limit, wait_seconds):
            return []
        if not self._arrived:
            if self._wanted <= 0:
                await self._ask(consumer, limit, wait_seconds)
            await self._wait(consumer, wait_seconds)
            if not self._arrived:
                consumer.check_rights()
                consumer.link.check()
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
        if self._consumer is None:
            return
        link, self._consumer = self._consumer.link, None
        with contextlib.suppress(ConnectorError, nats.errors.Error, OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                link.check()
                for reply in sorted(self._held, key=lambda reply: place_of(reply)[1]):
                    await link.client.publish(reply, b"-NAK")
                await link.round_trip()
        self._held.clear()
        self._arrived.clear()
        await link.close()

    def _begin_gathering(self, now: float) -> None:
        if self._options.ordered:
            self._gathering = Gathering(
                now=now,
                notice_seconds=_NOTICE_SECONDS,
                expiry_seconds=_EXPIRY_SECONDS + _LOOK_SECONDS,
                ack_wait=self._ack_wait,
                grace_seconds=_GRACE_SECONDS,
            )
        self._received_at = now

    async def _gather(self, consumer: PullConsumer, gathering: Gathering, limit: int, wait_seconds: float) -> bool:
        """Take without giving out, until nothing older is in other hands; False when time is up before."""
        end = time.monotonic() + wait_seconds
        while True:
            found, now = await consumer.look(), time.monotonic()
            turn = gathering.turn(
                requests=found.num_waiting or 0,
                last=0 if found.delivered is None else found.delivered.stream_seq,
                floor=0 if found.ack_floor is None else found.ack_floor.stream_seq,
                unanswered=found.num_ack_pending or 0,
                held=len({place_of(reply)[1] for reply in self._held}),
                now=now,
            )
            if turn is Turn.GIVE_OUT:
                self._put_in_order()
                self._gathering = None
                return True
            if now >= end:
                return False
            if turn is Turn.TAKE:
                # What is sent again is sent first: while newer messages come, there is nothing of it yet.
                is_coming = not self._arrived or gathering.is_late(place_of(self._arrived[-1].reply)[1])
                if self._wanted <= 0:
                    await self._ask(consumer, limit if is_coming else 1, wait_seconds)
                await self._wait(consumer, _LOOK_SECONDS)
                consumer.check_rights()
                if not is_coming:
                    await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.sleep(_BURST_SECONDS)

    def _put_in_order(self) -> None:
        """What has come twice is there once, as the last delivery of it."""
        last = {place_of(message.reply)[1]: message for message in self._arrived}
        self._held -= {message.reply for message in self._arrived} - {message.reply for message in last.values()}
        self._arrived = deque(last[number] for number in sorted(last))

    async def _ask(self, consumer: PullConsumer, limit: int, wait_seconds: float) -> None:
        consumer.link.check()
        self._wanted = limit
        await consumer.ask(limit, max(wait_seconds, _EXPIRY_SECONDS), self._inbox)

    async def _wait(self, consumer: PullConsumer, seconds: float) -> None:
        """Until something comes or happens."""
        self._news = news = asyncio.get_running_loop().create_future()
        await asyncio.wait((news, consumer.link.gone), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if self._trouble is not None:
            raise self._trouble

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
        consumer = self._opened()
        replies = [str(message.token) for message in messages if message.token in self._held]
        if not replies:
            return
        consumer.link.check()
        for reply in replies:
            await consumer.publish(reply, word)
        await consumer.link.round_trip()
        consumer.check_rights()
        self._held.difference_update(replies)

    def _incoming(self, message: Msg) -> Incoming:
        read = {name: read_header(value) for name, value in (message.headers or {}).items()}
        sent_id = next((read.pop(name) for name in list(read) if name.lower() == _ID), "")
        arrival = inbound(read)
        return Incoming(
            event_id=sent_id or arrival.event_id or "{}:{}".format(*place_of(message.reply)),
            event_type=arrival.event_type,
            source=f"nats:{message.subject}",
            key=arrival.key,
            payload=message.data,
            content_type=arrival.content_type,
            headers=arrival.headers,
            token=message.reply,
        )

    def _opened(self) -> PullConsumer:
        if self._consumer is None:
            raise self._error(FailureKind.UNAVAILABLE, "the source is not open")
        return self._consumer

    def _error(self, kind: FailureKind, said: str) -> ConnectorError:
        return ConnectorError(kind, f"NATS {hosts(self._options)}: {said}")


CONNECTOR: SourceConnector[Any] = SourceConnector(
    name="nats",
    options=NatsSourceOptions,
    make=NatsSource,
    identity="Nats-Msg-Id, else Trickle-Event-Id, else stream and sequence",
    boundary="acknowledged after the inbox has it",
    extra="nats",
)
