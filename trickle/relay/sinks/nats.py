"""NATS JetStream: each message published with its event id as `Nats-Msg-Id`, and acknowledged by the stream.

    send ──turn──▶ publish, publish, …  ──▶ stream        one call's messages before the next call's
                   reply to "<inbox>.<call>-<index>" ◀── acknowledgement or error, in any order

All messages of a call are written before the first acknowledgement is awaited, so a round trip is paid once. They
arrive in order, for one connection carries them and nobody sends anything again behind others (see `brokers.nats`).
The stream recognises a message that comes again within its duplicate window (two minutes, unless it is set
otherwise); later ones are added twice.

A refusal that passes, such as a full stream that discards new messages, is of one message: those behind it may have
been taken before it is tried again.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import nats.errors
from nats.aio.msg import Msg

from trickle.relay.brokers.nats import Link, NatsConnection, judge, refusal
from trickle.relay.brokers.nats_headers import write_header
from trickle.relay.connector import NO_FAILURES, SinkConnector
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.headers import CONTENT_TYPE, KEY
from trickle.relay.message import Outgoing
from trickle.relay.options import option

_ID = "Nats-Msg-Id"
_OURS = frozenset(name.lower() for name in (_ID, KEY, CONTENT_TYPE))
_SUBJECT = re.compile(r"[^\s.*>]+(\.[^\s.*>]+)*")
_HEADER = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NOBODY = "503"  # a status of the server: nobody listens
_MOST_LOOKS = 10
_LOOK_SECONDS = 2.0
_ACCEPTED = b'{"stream"'
_MANY_SUBJECTS = 10_000
_HEADER_FRAME = len("NATS/1.0\r\n\r\n")
_LINE_FRAME = len(": \r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class NatsSinkOptions(NatsConnection):
    """Where messages go in NATS."""

    subject: str = option("Subject of messages without one of their own.", default="", template=True)
    stream: str = option("Stream that must take the messages; any that has the subject if empty.", default="")


class _Call:
    """The answers to the messages of one `send`."""

    def __init__(self, messages: Sequence[Outgoing]) -> None:
        self.messages = messages
        self.missing = set(range(len(messages)))
        self.failures: dict[int, Failure] = {}
        self.unheard: list[int] = []  # what nobody took
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answer(self, index: int, failure: Failure | None) -> None:
        self.missing.discard(index)
        if failure is not None:
            self.failures[index] = failure
        if not self.missing and not self.answered.done():
            self.answered.set_result(None)


class NatsSink:
    """See `connector.Sink`."""

    keeps_order = True

    def __init__(self, options: NatsSinkOptions) -> None:
        self._options = options
        self._link: Link | None = None
        self._turn = asyncio.Lock()
        self._calls: dict[str, _Call] = {}
        self._numbers = itertools.count()
        self._inbox = ""
        self._subjects: set[str] = set()  # seen, and fit to be one

    async def open(self) -> None:
        """Connect, and listen for acknowledgements."""
        self._link = link = Link(self._options, self._forbidden)
        await link.open()
        self._inbox = f"{link.client.new_inbox()}."
        await link.client.subscribe(f"{self._inbox}*", cb=self._answered, pending_bytes_limit=0, pending_msgs_limit=0)
        await link.round_trip()

    async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        """Publish all, then wait for all."""
        if self._link is None:
            raise ConnectorError(FailureKind.UNAVAILABLE, "the NATS sink is not open")
        if not messages:
            return NO_FAILURES
        number, call = str(next(self._numbers)), _Call(messages)
        self._calls[number] = call
        try:
            async with self._turn:
                await self._publish(self._link, number, call)
            await self._link.wait(call.answered, self._options.timeout_seconds, "acknowledgement")
        finally:
            del self._calls[number]
        if call.unheard:
            await self._look_for_streams(self._link, call)
        return call.failures

    async def close(self) -> None:
        """Let go."""
        if self._link is not None:
            link, self._link = self._link, None
            await link.close()

    async def _publish(self, link: Link, number: str, call: _Call) -> None:
        """Write what can be written; the client waits when the connection takes no more."""
        link.check()
        publish, limit, task = link.client.publish, link.client.max_payload, asyncio.current_task()
        inbox = f"{self._inbox}{number}-"
        for index, message in enumerate(call.messages):
            subject = self._subject(message)
            headers = self._headers(message)
            failure = self._unfit(subject, headers, message.body, limit)
            if failure is not None:
                call.answer(index, failure)
                continue
            try:
                await publish(subject, message.body, f"{inbox}{index}", headers)
            except Exception as error:
                link.check()
                raise refusal(self._options, error) from None
            if link.gone.done():
                link.check()
        if task is not None and task.cancelling():  # the client keeps a cancellation to itself
            raise asyncio.CancelledError
        link.check()

    def _headers(self, message: Outgoing) -> dict[str, str]:
        headers = {_ID: write_header(message.event_id), CONTENT_TYPE: write_header(message.content_type)}
        if message.key is not None:
            headers[KEY] = write_header(message.key)
        for name, value in message.headers.items():
            if name.lower() not in _OURS:
                headers[name] = write_header(value)
        if self._options.stream:
            headers["Nats-Expected-Stream"] = self._options.stream
        return headers

    def _unfit(self, subject: str, headers: Mapping[str, str], body: bytes, limit: int) -> Failure | None:
        """Why this message cannot be written at all; the server would end the connection."""
        if subject not in self._subjects:
            if not subject:
                return Failure(FailureKind.DESTINATION, "the message has no subject, and the sink names none")
            if not _SUBJECT.fullmatch(subject):
                return Failure(FailureKind.ENCODING, f"{subject[:200]!r} is not a subject one can publish to")
            if len(self._subjects) >= _MANY_SUBJECTS:
                self._subjects.clear()
            self._subjects.add(subject)
        size = _HEADER_FRAME + len(body)
        for name, value in headers.items():
            size += len(name) + len(value) + _LINE_FRAME
            if not _HEADER.fullmatch(name):
                return Failure(FailureKind.ENCODING, f"{name[:200]!r} is not a name of a NATS header")
        if size > limit:
            return Failure(FailureKind.TOO_LARGE, f"{size} bytes with headers; the server takes {limit}")
        return None

    async def _answered(self, message: Msg) -> None:
        number, _, index = message.subject[len(self._inbox) :].partition("-")
        call = self._calls.get(number)
        if call is not None:
            place = int(index)
            if message.data.startswith(_ACCEPTED):
                call.answer(place, None)
                return
            if message.headers and message.headers.get("Status") == _NOBODY:
                call.unheard.append(place)
            call.answer(place, _failure(message, self._subject(call.messages[place])))

    async def _look_for_streams(self, link: Link, call: _Call) -> None:
        """Nobody answers either where there is no stream, or while a cluster is choosing who leads the stream."""
        by_subject: dict[str, list[int]] = {}
        for index in call.unheard:
            by_subject.setdefault(self._subject(call.messages[index]), []).append(index)
        for subject in list(by_subject)[:_MOST_LOOKS]:
            if await _has_stream(link, subject, min(_LOOK_SECONDS, self._options.timeout_seconds)):
                failure = Failure(
                    FailureKind.UNAVAILABLE, f"the stream that has the subject {subject!r} does not answer"
                )
                call.failures |= dict.fromkeys(by_subject[subject], failure)

    def _subject(self, message: Outgoing) -> str:
        return message.address or self._options.subject

    def _forbidden(self, said: str) -> None:
        """The server refuses to publish, in words only: whatever has that subject will not be answered."""
        for call in self._calls.values():
            for index in sorted(call.missing):
                subject = self._subject(call.messages[index])
                if f'"{subject.lower()}"' in said:
                    call.answer(
                        index, Failure(FailureKind.AUTHORIZATION, f"publishing to {subject!r} is not permitted")
                    )


async def _has_stream(link: Link, subject: str, seconds: float) -> bool:
    """Whether JetStream knows a stream for it; not if it does not say."""
    request = json.dumps({"subject": subject}).encode()
    try:
        answer = await link.client.request("$JS.API.STREAM.NAMES", request, timeout=seconds)
        return bool(json.loads(answer.data).get("streams"))
    except (nats.errors.Error, OSError, ValueError, AttributeError):
        return False


def _failure(answer: Msg, subject: str) -> Failure:
    """What an answer that is no acknowledgement means."""
    if answer.headers and answer.headers.get("Status") == _NOBODY:
        return Failure(FailureKind.DESTINATION, f"no stream takes the subject {subject!r}")
    try:
        error = json.loads(answer.data)["error"]
        return judge(error["code"], error.get("err_code"), error.get("description"))
    except (ValueError, KeyError, TypeError):
        return Failure(FailureKind.DESTINATION, f"something other than a stream answers on {subject!r}")


CONNECTOR: SinkConnector[Any] = SinkConnector(
    name="nats",
    options=NatsSinkOptions,
    make=NatsSink,
    address="subject",
    identity="Nats-Msg-Id, within the stream's duplicate window",
    boundary="the stream has acknowledged it",
    extra="nats",
)
