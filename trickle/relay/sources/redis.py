"""A consumer group on a stream of Redis or Valkey.

    at opening    XREADGROUP … 0       what this consumer was given and has not acknowledged
    now and then  XAUTOCLAIM           what other consumers of the group have left for too long
    otherwise     XREADGROUP … >       what is new
    acknowledge   XACK                 release: given again by this source, for Redis keeps it until it is acknowledged

The consumer has a fixed name: whoever takes over the pipeline takes over what its predecessor had in hand, at once.

The event id is the field that `id_field` names, or else the stream's name and the entry's number. Redis refuses
numbers that do not grow; a stream that is deleted and made again may count from anywhere, by the server's clock.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trickle.relay.brokers.redis import Command, RedisConnection, Wire
from trickle.relay.connector import SourceConnector
from trickle.relay.failures import ConnectorError
from trickle.relay.headers import EVENT_TYPE, UNKNOWN_CONTENT
from trickle.relay.message import Incoming
from trickle.relay.options import option

_HEADER = "header:"
_START_OF_CLAIMS = b"0-0"
_START = {"all": "0", "new": "$"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSourceOptions(RedisConnection):
    """What is consumed from Redis."""

    stream: str = option("Stream; made if there is none.")
    group: str = option("Consumer group; made if there is none.")
    consumer: str = option("Name within the group; two that run at once need two.", default="trickle")
    start: str = option("Where a group that is made begins.", default="all", choices=tuple(_START))
    claim_after_seconds: float = option(
        "When an entry counts as left behind by another consumer; 0 for never.", default=60.0, unit="s", minimum=0.0
    )
    id_field: str = option("Field of the event id.", default="event_id")
    key_field: str = option("Field of the key.", default="key")
    payload_field: str = option(
        "Field of the payload; all fields as JSON where there is no such field.", default="payload"
    )
    type_field: str = option("Field of the event type.", default="event_type")


class RedisSource:
    """See `connector.Source`."""

    def __init__(self, options: RedisSourceOptions) -> None:
        self._options = options
        self._wire = Wire(options)
        self._before: bytes | None = b"0"  # how far what this consumer had in hand has been read again
        self._next_claim = 0.0
        self._cursor = _START_OF_CLAIMS
        self._held: dict[bytes, Incoming] = {}
        self._again: deque[Incoming] = deque()

    async def open(self) -> None:
        """Connect; find the group, or make it."""
        options = self._options
        await self._wire.open()
        answer = await self._one("XGROUP", "CREATE", options.stream, options.group, _START[options.start], "MKSTREAM")
        if isinstance(answer, Exception) and not str(answer).startswith("BUSYGROUP"):
            raise self._wire.refusal(answer)

    async def receive(self, limit: int, wait_seconds: float) -> Sequence[Incoming]:
        """What was left behind, by whom ever, before what is new."""
        if self._again:
            return [self._again.popleft() for _ in range(min(limit, len(self._again)))]
        while self._before is not None:
            entries = await self._read(limit, self._before, None)
            self._before = entries[-1][0] if entries else None
            if taken := await self._take(entries):
                return taken
        if taken := await self._take(await self._claim(limit)):
            return taken
        return await self._take(await self._read(limit, b">", wait_seconds))

    async def acknowledge(self, messages: Sequence[Incoming]) -> None:
        """Tell the group."""
        numbers = [number for number in self._numbers(messages) if number in self._held]
        if numbers:
            await self._forget(numbers)

    async def release(self, messages: Sequence[Incoming]) -> None:
        """Give them again; a consumer that takes over finds them in its hand."""
        waiting = set(self._numbers(self._again))
        self._again.extend(self._held[n] for n in self._numbers(messages) if n in self._held and n not in waiting)

    async def close(self) -> None:
        """Let go; the group keeps what is not acknowledged, and other consumers may claim it now."""
        options = self._options
        if self._held:
            idle = int(options.claim_after_seconds * 1000)
            claim: Command = (
                "XCLAIM",
                options.stream,
                options.group,
                options.consumer,
                0,
                *self._held,
                "IDLE",
                idle,
                "JUSTID",
            )
            try:
                async with asyncio.timeout(options.connect_timeout_seconds):
                    await self._wire.ask([claim])
            except (ConnectorError, TimeoutError):
                pass  # they are claimed later
        self._held.clear()
        self._again.clear()
        await self._wire.close()

    async def _read(self, limit: int, after: bytes, wait_seconds: float | None) -> list[tuple[bytes, Any]]:
        options = self._options
        seconds = wait_seconds or 0.0
        block = ("BLOCK", max(1, int(seconds * 1000))) if wait_seconds is not None else ()
        group = ("GROUP", options.group, options.consumer)
        command = ("XREADGROUP", *group, "COUNT", limit, *block, "STREAMS", options.stream, after)
        answer = (await self._wire.ask([command], extra_seconds=seconds))[0]
        if isinstance(answer, Exception):
            raise self._wire.refusal(answer)
        return [(number, fields) for _, entries in answer or () for number, fields in entries]

    async def _claim(self, limit: int) -> list[tuple[bytes, Any]]:
        """What others have left for too long, looked for twice in that time; and what was lost on the way to us."""
        options = self._options
        now = asyncio.get_running_loop().time()
        if not options.claim_after_seconds or now < self._next_claim:
            return []
        idle = int(options.claim_after_seconds * 1000)
        where = (options.stream, options.group, options.consumer)
        answer = await self._one("XAUTOCLAIM", *where, idle, self._cursor, "COUNT", limit)
        if isinstance(answer, Exception):
            raise self._wire.refusal(answer)
        self._cursor = answer[0]
        if self._cursor == _START_OF_CLAIMS:
            self._next_claim = now + options.claim_after_seconds / 2
        claimed = [(entry[0], entry[1]) for entry in answer[1] if entry]  # older servers have nothing for deleted ones
        return [(number, fields) for number, fields in claimed if number not in self._held]

    async def _take(self, entries: Sequence[tuple[bytes, Any]]) -> list[Incoming]:
        """As messages; what has been deleted from the stream meanwhile is forgotten."""
        gone = [number for number, fields in entries if fields is None]
        if gone:
            await self._forget(gone)
        taken = {number: self._incoming(number, fields) for number, fields in entries if fields is not None}
        self._held |= taken
        return list(taken.values())

    async def _forget(self, numbers: Sequence[bytes]) -> None:
        answer = await self._one("XACK", self._options.stream, self._options.group, *numbers)
        if isinstance(answer, Exception):
            raise self._wire.refusal(answer)
        for number in numbers:
            self._held.pop(number, None)

    @staticmethod
    def _numbers(messages: Iterable[Incoming]) -> list[bytes]:
        return [message.token for message in messages if isinstance(message.token, bytes)]

    async def _one(self, *command: bytes | str | int) -> Any:
        return (await self._wire.ask([command]))[0]

    def _incoming(self, number: bytes, flat: Sequence[bytes]) -> Incoming:
        options = self._options
        fields = {_text(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}
        headers = {
            name.removeprefix(_HEADER): _text(value) for name, value in fields.items() if name.startswith(_HEADER)
        }
        known = _optional(fields, options.id_field)
        payload = fields.get(options.payload_field)
        return Incoming(
            event_id=known or f"{options.stream}:{number.decode()}",
            event_type=_optional(fields, options.type_field) or headers.get(EVENT_TYPE),
            source=f"redis:{options.stream}",
            key=_optional(fields, options.key_field),
            payload=_as_json(fields) if payload is None else payload,
            content_type="application/json"
            if payload is None
            else _optional(fields, "content_type") or UNKNOWN_CONTENT,
            headers=headers,
            token=number,
        )


def _optional(fields: Mapping[str, bytes], name: str) -> str | None:
    return _text(fields[name]) if name in fields else None


def _as_json(fields: Mapping[str, bytes]) -> bytes:
    return json.dumps({name: _text(value) for name, value in fields.items()}, ensure_ascii=False).encode()


def _text(value: bytes) -> str:
    """As UTF-8; bytes that are none are written as escapes."""
    return value.decode("utf-8", "backslashreplace")


CONNECTOR: SourceConnector[Any] = SourceConnector(
    name="redis",
    options=RedisSourceOptions,
    make=RedisSource,
    identity="the field that `id_field` names, else stream and number of the entry",
    boundary="acknowledged to the group after the inbox has it",
    extra="redis",
)
