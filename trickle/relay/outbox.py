"""An outbox, read as the consumer group of one pipeline; and the place up to which everything is done.

An outbox is read window by window. A window is what one snapshot sees and the one before it did not, in the order of
ids; so a transaction that commits late is in a later window, is never skipped, and nobody waits for it. The place of a
pipeline is a window and an id in it.

Whoever begins to carry a pipeline gives its place a new number, which takes the claim: one that has lost it without
knowing cannot begin. A checkpoint bears that number, and one of an earlier carrier moves nothing: `Superseded`.

A large delta of a stream table is read in parts, each a message of its own, so that memory does not grow with it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from psycopg import AsyncConnection

from trickle.db.pool import AsyncPool
from trickle.errors import TryAgain
from trickle.relay.items import Place, Window
from trickle.relay.message import Message
from trickle.relay.protocol import Claim
from trickle.sql import load

ROWS_IN_A_PART = 1000
_NO_HEADERS: dict[str, str] = {}


class Superseded(TryAgain):
    """Somebody else has begun to carry the pipeline, or its place was set by hand."""


class Read(NamedTuple):
    """A message and the place that is reached with it; None while parts of the same delta follow."""

    message: Message
    place: Place | None


_Row = tuple[Any, ...]  # the fields of a message, and whether it is a claim check


@dataclass(frozen=True, slots=True)
class _Claim:
    """A large delta that is being read in parts."""

    head: Message
    place: Place
    part: int
    after_row: int


class Outbox:
    """The outbox of one pipeline, after `begin`."""

    def __init__(self, pool: AsyncPool, pipeline: str, group: str, claim: Claim | None = None) -> None:
        self.table = ""
        self.stream_table: str | None = None  # whose deltas it holds; they are in order, one and all
        self._pool = pool
        self._pipeline = pipeline
        self._group = group
        self._claimed = claim
        self._delta_table = ""
        self._epoch = 0
        self._window = Window("1:1:", "1:1:")
        self._after_id = 0
        self._ahead: list[_Row] = []  # fetched, and not given out because of a large delta before it
        self._claim: _Claim | None = None

    @property
    def seen(self) -> str:
        """The snapshot up to which it is read, or being read."""
        return self._window.cur

    async def begin(self) -> None:
        """Take over the place of the pipeline.

        Raises psycopg.Error: there is no such outbox, and what to do; or the claim is not ours any more.
        """
        claim = self._claimed
        parameters = {
            "name": self._pipeline,
            "group_id": claim.group_id if claim is not None else None,
            "backend_pid": claim.backend_pid if claim is not None else None,
        }
        async with self._pool.connection() as conn:
            row = await _one(conn, "queries/relay_begin", parameters)
        self.table, self._delta_table, self.stream_table, prev, cur, self._after_id, self._epoch = row
        self._window = Window(prev, cur)
        self._ahead.clear()
        self._claim = None

    async def look_from(self, after_id: int | None) -> None:
        """Read without a place of one's own: all that is committed now after an id, then what comes; or only that."""
        async with self._pool.connection() as conn:
            row = await _one(conn, "queries/relay_look", {"name": self._pipeline})
        self.table, self._delta_table, self.stream_table, now = row
        self._window = Window("1:1:", now)
        self._after_id = (1 << 63) - 1 if after_id is None else after_id
        self._ahead.clear()
        self._claim = None

    async def read(self, most: int, most_bytes: int) -> Sequence[Read]:
        """The next messages, in order: at most so many, and no more than so many stored bytes but for the first."""
        if self._claim is not None:
            return [await self._next_part(self._claim)]
        rows = self._ahead or await self._fetch(most, most_bytes)
        plain = next((number for number, row in enumerate(rows) if row[-1]), len(rows))
        self._ahead = rows[plain:]
        if plain or not rows:
            return self._reads(rows[:plain])
        (head,) = self._reads([self._ahead.pop(0)])
        self._claim = _Claim(head.message, Place(self._window, head.message.outbox_id), 0, 0)
        return [await self._next_part(self._claim)]

    async def checkpoint(self, place: Place) -> None:
        """Everything up to there is done. Raises Superseded."""
        parameters = {
            "group": self._group,
            "epoch": self._epoch,
            "prev": place.window.prev,
            "cur": place.window.cur,
            "through_id": place.through_id,
        }
        async with self._pool.connection() as conn:
            (is_ours,) = await _one(conn, "queries/relay_checkpoint", parameters)
        if not is_ours:
            raise Superseded(f"the place of pipeline {self._pipeline} is not ours to move any more")

    async def _fetch(self, most: int, most_bytes: int) -> list[_Row]:
        """What is next in this window, or in the one after it; nothing when there is nothing."""
        async with self._pool.connection() as conn:
            rows = await self._rows(conn, most, most_bytes)
            if rows:
                return rows
            parameters = {"outbox_table": self.table, "cur": self._window.cur}
            cursor = await conn.execute(load("queries/relay_window"), parameters)
            following = await cursor.fetchone()
            if following is None:
                return []
            self._window = Window(self._window.cur, following[0])
            self._after_id = following[1]
            return await self._rows(conn, most, most_bytes)

    async def _rows(self, conn: AsyncConnection[Any], most: int, most_bytes: int) -> list[_Row]:
        window = self._window
        parameters = {
            "outbox_table": self.table,
            "prev": window.prev,
            "cur": window.cur,
            "after_id": self._after_id,
            "most": most,
            "most_bytes": most_bytes,
        }
        cursor = conn.cursor(binary=True)
        await cursor.execute(load("queries/relay_read"), parameters)
        rows = await cursor.fetchall()
        if rows:
            self._after_id = rows[-1][0]
        return rows

    def _reads(self, rows: Sequence[_Row]) -> list[Read]:
        """What was fetched from the window that is being read."""
        # The deltas of a stream table follow each other, wherever they go: they are messages of one key.
        window, stream_table = self._window, self.stream_table
        return [
            Read(
                Message(
                    outbox_id,
                    event_id,
                    created_at,
                    stream_table or key,
                    payload,
                    content_type,
                    _NO_HEADERS if headers is None else _texts(json.loads(headers)),
                    came,
                    went,
                    is_jsonb,
                ),
                Place(window, outbox_id),
            )
            for outbox_id, event_id, created_at, key, payload, content_type, headers, came, went, is_jsonb, _ in rows
        ]

    async def _next_part(self, claim: _Claim) -> Read:
        parameters = {
            "delta_table": self._delta_table,
            "outbox_id": claim.head.outbox_id,
            "after_row": claim.after_row,
            "most": ROWS_IN_A_PART,
        }
        async with self._pool.connection() as conn:
            cursor = conn.cursor(binary=True)
            await cursor.execute(load("queries/relay_parts"), parameters)
            row = await cursor.fetchone()
        assert row is not None  # an aggregate
        last_row, is_last, came, went, payload = row
        self._claim = None if is_last else replace(claim, part=claim.part + 1, after_row=last_row)
        message = claim.head._replace(
            event_id=f"{claim.head.event_id}.{claim.part}",
            payload=payload,
            headers={**claim.head.headers, "part": str(claim.part), "last-part": str(is_last).lower()},
            inserted_count=came,
            deleted_count=went,
            is_jsonb=True,
        )
        return Read(message, claim.place if is_last else None)


async def _one(conn: AsyncConnection[Any], statement: str, parameters: dict[str, Any]) -> tuple[Any, ...]:
    row = await (await conn.execute(load(statement), parameters)).fetchone()
    assert row is not None  # a function's answer
    return tuple(row)


def _texts(headers: dict[str, Any]) -> dict[str, str]:
    """Headers are texts; what is not one is told as JSON."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in headers.items()}
