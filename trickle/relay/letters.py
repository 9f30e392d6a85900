"""Dead letters of one pipeline: set aside durably before the checkpoint passes them, and tried again when asked.

A letter holds the message as it was before it was encoded, so that it can be tried again after a transform, a template
or a destination was mended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from trickle.db.pool import AsyncPool
from trickle.relay.failures import Failure
from trickle.relay.items import Burial
from trickle.relay.message import Incoming, Message
from trickle.sql import load

_AT_ONCE = 100
# An index entry holds no more than about 2700 bytes.
_LONGEST_ID = 500


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter that is to be tried again."""

    letter_id: int
    event_id: str  # of the message, or of the part of it that was refused
    message: Message


@dataclass(frozen=True, slots=True)
class IncomingLetter:
    """One that came from a source."""

    letter_id: int
    message: Incoming


class DeadLetters:
    """Those of one pipeline."""

    def __init__(self, pool: AsyncPool, pipeline: str) -> None:
        self._pool = pool
        self._pipeline = pipeline

    async def bury(self, burials: Sequence[Burial]) -> None:
        """Set them aside; when this returns they are safe."""
        await self._put([_letter(burial) for burial in burials], [burial.item.message.payload for burial in burials])

    async def bury_incoming(self, refused: Sequence[tuple[Incoming, Failure]]) -> None:
        """The same for messages that no inbox could take."""
        await self._put(
            [_incoming_letter(message, failure) for message, failure in refused],
            [message.payload for message, _ in refused],
        )

    async def asked_for(self) -> Sequence[Letter]:
        """Some of those that are to be tried again, the oldest first."""
        return [_read(row) for row in await self._rows()]

    async def asked_for_incoming(self) -> Sequence[IncomingLetter]:
        """The same for a pipeline that goes into an inbox."""
        return [_read_incoming(row) for row in await self._rows()]

    async def delivered(self, ids: Sequence[int]) -> None:
        """These arrived after all."""
        async with self._pool.connection() as conn:
            await conn.execute(load("queries/relay_letters_delivered"), {"ids": list(ids)})

    async def refused(self, refusals: Sequence[tuple[int, Failure]]) -> None:
        """Tried again in vain: they wait to be asked for once more."""
        parameters = {
            "ids": [letter_id for letter_id, _ in refusals],
            "kinds": [failure.kind.value for _, failure in refusals],
            "reasons": [failure.reason for _, failure in refusals],
        }
        async with self._pool.connection() as conn:
            await conn.execute(load("queries/relay_letters_refused"), parameters)

    async def expire(self, days: int) -> None:
        """Remove some of those that nobody has asked for in so many days; 0 keeps them all."""
        if not days:
            return
        async with self._pool.connection() as conn:
            await conn.execute(load("queries/relay_letters_expired"), {"name": self._pipeline, "days": days})

    async def _put(self, letters: list[dict[str, Any]], payloads: list[bytes]) -> None:
        parameters = {"name": self._pipeline, "letters": Jsonb(letters), "payloads": payloads}
        async with self._pool.connection() as conn:
            await conn.execute(load("queries/relay_bury"), parameters)

    async def _rows(self) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as conn:
            cursor = conn.cursor(binary=True)
            await cursor.execute(load("queries/relay_letters"), {"name": self._pipeline, "most": _AT_ONCE})
            return await cursor.fetchall()


def _letter(burial: Burial) -> dict[str, Any]:
    message, failure = burial.item.message, burial.failure
    facts = {
        "outbox_id": message.outbox_id,
        "event_id": message.event_id,
        "created_at": message.created_at.isoformat(),
        "inserted_count": message.inserted_count,
        "deleted_count": message.deleted_count,
        "is_jsonb": message.is_jsonb,
    }
    return {
        "event_id": _event_id(burial.item.event_id),
        "key": _storable(message.key),
        "content_type": _storable(message.content_type),
        "headers": _headers(message.headers),
        "facts": facts,
        "kind": failure.kind.value,
        "reason": _storable(failure.reason),
        "attempts": max(1, burial.item.attempts),
    }


def _read(row: tuple[Any, ...]) -> Letter:
    letter_id, event_id, key, payload, content_type, headers, facts = row
    message = Message(
        outbox_id=facts["outbox_id"],
        event_id=facts["event_id"],
        created_at=datetime.fromisoformat(facts["created_at"]),
        key=key,
        payload=bytes(payload),
        content_type=content_type,
        headers=headers,
        inserted_count=facts["inserted_count"],
        deleted_count=facts["deleted_count"],
        is_jsonb=facts["is_jsonb"],
    )
    return Letter(letter_id, event_id, message)


def _incoming_letter(message: Incoming, failure: Failure) -> dict[str, Any]:
    return {
        "event_id": _event_id(message.event_id),
        "key": _storable(message.key),
        "content_type": _storable(message.content_type),
        "headers": _headers(message.headers),
        "facts": {"event_type": _storable(message.event_type), "source": _storable(message.source)},
        "kind": failure.kind.value,
        "reason": _storable(failure.reason),
        "attempts": 1,
    }


def _read_incoming(row: tuple[Any, ...]) -> IncomingLetter:
    letter_id, event_id, key, payload, content_type, headers, facts = row
    message = Incoming(
        event_id, facts["event_type"], facts["source"], key, bytes(payload), content_type, headers, token=None
    )
    return IncomingLetter(letter_id, message)


def _headers(headers: Mapping[str, str]) -> dict[str | None, str | None]:
    return {_storable(name): _storable(value) for name, value in headers.items()}


def _event_id(text: str) -> str | None:
    """Of any length, yet apart from every other."""
    if len(text) > _LONGEST_ID:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        text = f"{text[: _LONGEST_ID - len(digest)]}{digest}"
    return _storable(text)


def _storable(text: str | None) -> str | None:
    """What a server's text cannot hold, a zero byte or half a character, is told by a mark: a letter is always kept."""
    if text is None or (text.isascii() and "\0" not in text):
        return text
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
