"""PostgreSQL: the outbox of a database with Trickle, read as a member of a consumer group.

    poll_outbox ──▶ window ──receive──▶ in hand ──acknowledge──▶ commit_offset, up to where all are done
                       lease ◀── extend_lease, while anything is in hand

The group holds the place. What was polled and not committed is polled again by whoever comes next under the same
consumer's name, at once, or under another after the lease. A claim check, which stands for a delta of many rows, is
filled in from the table of these rows.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from trickle.errors import ConfigurationError
from trickle.relay.connector import SourceConnector
from trickle.relay.failures import ConnectorError, FailureKind
from trickle.relay.headers import inbound
from trickle.relay.message import Incoming
from trickle.relay.options import option
from trickle.relay.postgres import Connection, connect, connector_error, within
from trickle.relay.window import Window
from trickle.sql import load

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """Which outbox of which database, and as whom to read it."""

    outbox: str = option("The outbox, or the stream table that it belongs to.")
    group: str = option("Consumer group; it is created when there is none.")
    url: str = option("Connection string; without one, the relay's own database.", default="")
    consumer: str = option("Our name in the group.", default="relay")
    auto_offset_reset: str = option(
        "Where a group that is created begins.", default="earliest", choices=("earliest", "latest")
    )
    visibility_seconds: int = option(
        "For how long what was polled is lent to us; extended while it is in hand.",
        default=30,
        unit="s",
        minimum=3,
        maximum=86_400,
    )
    poll_seconds: float = option("How often to look for new messages.", default=0.5, unit="s", minimum=0.01)
    connect_timeout_seconds: float = option("For a new connection.", default=10.0, unit="s", minimum=0.1)
    timeout_seconds: float = option("For one statement.", default=30.0, unit="s", minimum=0.1)
    default_url: str = field(default="", repr=False)  # of the relay's own database


class PostgresSource:
    """One session, and what it has been lent."""

    def __init__(self, options: PostgresOptions) -> None:
        if not options.outbox or not options.group:
            raise ConfigurationError("postgres: outbox and group both need a name")
        self._options = options
        self._conn: Connection | None = None
        self._turn = asyncio.Lock()
        self._window: Window[int] = Window()
        self._extending: asyncio.Task[None] | None = None
        self._broken: ConnectorError | None = None
        self._rows_table = ""

    async def open(self) -> None:
        options = self._options
        self._broken, self._window = None, Window()
        self._conn = await connect(
            options.url or options.default_url, role="relay", seconds=options.connect_timeout_seconds
        )
        await self._run(self._join)
        self._extending = asyncio.create_task(self._extend())

    async def receive(self, limit: int, wait_seconds: float) -> Sequence[Incoming]:
        deadline = asyncio.get_running_loop().time() + wait_seconds
        while True:
            if self._window.is_empty:
                await self._run(partial(self._poll, limit=limit))
            left = max(deadline - asyncio.get_running_loop().time(), 0.0)
            # With something in hand there is nothing to poll: the same would come again.
            pause = min(left, self._options.poll_seconds) if self._window.is_empty else left
            taken = await self._window.receive(limit, pause)
            if self._broken is not None:
                raise self._broken
            if taken or left <= 0:
                return taken

    async def acknowledge(self, messages: Sequence[Incoming]) -> None:
        done = self._window.acknowledge(messages)
        if done:
            await self._run(partial(self._query, "queries/relay_commit", {"outbox_id": done[-1]}))

    async def release(self, messages: Sequence[Incoming]) -> None:
        self._window.release(messages)

    async def close(self) -> None:
        extending, self._extending = self._extending, None
        if extending is not None:
            extending.cancel()
            await asyncio.wait({extending})
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()

    async def _run(self, work: Callable[[Connection], Coroutine[Any, Any, Answer]]) -> Answer:
        """Statements of one transaction, one at a time; whatever fails, fails for all that follow on this session."""
        async with self._turn:
            if self._broken is not None:
                raise self._broken
            if self._conn is None:
                raise ConnectorError(FailureKind.UNAVAILABLE, "the connection to the database is not open")
            try:
                return await within(self._options.timeout_seconds, work(self._conn))
            except psycopg.Error as error:
                self._broken = connector_error(error)
                raise self._broken from error
            except ConnectorError as error:
                self._broken = error
                raise
            except asyncio.CancelledError:
                # What it has polled may be known here and not there, or the other way.
                self._broken = ConnectorError(FailureKind.UNAVAILABLE, "a statement was given up")
                raise

    async def _query(self, name: str, parameters: Mapping[str, object], conn: Connection) -> Sequence[tuple[Any, ...]]:
        options = self._options
        known = {
            "group": options.group,
            "consumer": options.consumer,
            "outbox": options.outbox,
            "auto_offset_reset": options.auto_offset_reset,
            "visibility_seconds": options.visibility_seconds,
        }
        cursor = await conn.execute(load(name), {**known, **parameters})
        return await cursor.fetchall()

    async def _join(self, conn: Connection) -> None:
        with suppress(psycopg.errors.DuplicateObject):  # somebody else has just created it
            await self._query("queries/relay_group", {}, conn)
        ((outbox, rows_table, is_meant),) = await self._query("queries/relay_group_outbox", {}, conn)
        if not is_meant:
            raise ConnectorError(
                FailureKind.DESTINATION, f"the consumer group {self._options.group} reads another outbox: {outbox}"
            )
        self._rows_table = rows_table or ""

    async def _poll(self, conn: Connection, limit: int) -> None:
        async with conn.transaction():
            for outbox_id, event_id, key, payload, headers, body, content_type, is_claim_check in await self._query(
                "queries/relay_poll", {"limit": limit}, conn
            ):
                if is_claim_check:
                    payload = await self._large_delta(conn, outbox_id, headers)
                named = {name: _text(value) for name, value in (headers or {}).items()}
                made = partial(
                    Incoming,
                    event_id,
                    inbound(named).event_type,
                    f"postgres:{self._options.outbox}",
                    key,
                    (payload or "null").encode() if body is None else bytes(body),
                    content_type or "application/json",
                    named,
                )
                self._window.put(outbox_id, made)

    async def _large_delta(self, conn: Connection, outbox_id: int, headers: Mapping[str, object] | None) -> str:
        query = sql.SQL(load("queries/relay_large_delta")).format(table=sql.Identifier("pgtrickle", self._rows_table))
        cursor = await conn.execute(query, {"outbox_id": outbox_id, "headers": json.dumps(headers or {})})
        row = await cursor.fetchone()
        return str(row[0]) if row else "null"

    async def _extend(self) -> None:
        """Keep what is in hand, and notice when it has gone to another consumer all the same."""
        while True:
            await asyncio.sleep(self._options.visibility_seconds / 3)
            if self._window.is_empty:
                continue
            try:
                ((expires,),) = await self._run(partial(self._query, "queries/relay_extend", {}))
            except ConnectorError:
                break
            if expires is None and not self._window.is_empty:
                self._broken = ConnectorError(
                    FailureKind.UNAVAILABLE, "another consumer has taken over what was polled"
                )
                break
        self._window.wake()


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


CONNECTOR = SourceConnector(
    name="postgres",
    options=PostgresOptions,
    make=PostgresSource,
    identity="the message's own id, the same wherever it goes",
    boundary="the group's offset is committed once all messages up to it are in the inbox",
)
