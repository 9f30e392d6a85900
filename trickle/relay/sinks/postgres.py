"""PostgreSQL: messages become rows of an inbox of Trickle, or of any table, in this database or another one.

Each message arrives exactly once: its event id is unique in the table, and a row that is there already stays as it is.
A batch is one statement and one transaction. Where a row breaks a rule of the table the batch is halved until that row
stands alone, which costs a few more statements and sets aside nothing but the row.

The address of a message is another inbox (or table, where `table` is configured) than the one that is configured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

import psycopg

from trickle.errors import ConfigurationError
from trickle.relay.connector import SinkConnector
from trickle.relay.failures import ConnectorError, Failure, FailureKind
from trickle.relay.message import Outgoing
from trickle.relay.options import option
from trickle.relay.postgres import Connection, connect, connector_error, kind_of_row, reason_of_row, within
from trickle.relay.rows import Field, Target, arrays, check_parts, fault_of, insert
from trickle.sql import load

Answer = TypeVar("Answer")

# What an inbox has columns for; those that it does not have are left out.
_INBOX_COLUMNS = {
    "event_id": "event_id",
    "event_type": "event_type",
    "headers.source": "source",
    "key": "aggregate_id",
    "payload": "payload",
    "headers": "headers",
    "headers.trace_id": "trace_id",
}
_TABLE_COLUMNS = {"event_id": "event_id", "payload": "payload"}


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """Which database, and which table of it."""

    url: str = option("Connection string; without one, the relay's own database.", default="")
    inbox: str = option("An inbox there.", default="")
    table: str = option("Or a table, `schema.table`; the column of the event id is unique.", default="")
    columns: dict[str, str] = option(
        "From part of the message (event_id, event_type, key, payload, headers, headers.<name>, content_type, address, "
        "created_at, outbox_id) to column, in place of the usual ones.",
        default={},
    )
    connect_timeout_seconds: float = option("For a new connection.", default=10.0, unit="s", minimum=0.1)
    timeout_seconds: float = option("For one batch.", default=30.0, unit="s", minimum=0.1)
    default_url: str = field(default="", repr=False)  # of the relay's own database


class PostgresSink:
    """One session, on which batches follow each other."""

    keeps_order = True

    def __init__(self, options: PostgresOptions) -> None:
        if bool(options.inbox) == bool(options.table):
            raise ConfigurationError("postgres: either inbox or table has to be given, and not both")
        if options.columns:
            check_parts(options.columns, complete=bool(options.table))
        self._options = options
        self._conn: Connection | None = None
        self._targets: dict[str, Target] = {}
        self._turn = asyncio.Lock()
        self._broken: ConnectorError | None = None

    async def open(self) -> None:
        options = self._options
        self._broken = None
        self._conn = await connect(
            options.url or options.default_url, role="relay", seconds=options.connect_timeout_seconds
        )
        await self._guarded(self._find(self._conn, ""))

    async def send(self, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        # One after another: a batch that came after a broken one must not arrive before it is sent again.
        async with self._turn:
            if self._broken is not None:
                raise self._broken
            if self._conn is None:
                raise ConnectorError(FailureKind.UNAVAILABLE, "the connection to the database is not open")
            return await self._guarded(self._deliver(self._conn, messages))

    async def close(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()

    async def _guarded(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Whatever fails here fails for all that follow on this session."""
        try:
            return await within(self._options.timeout_seconds, work)
        except psycopg.Error as error:
            self._broken = connector_error(error)
            raise self._broken from error
        except ConnectorError as error:
            self._broken = error
            raise
        except asyncio.CancelledError:
            self._broken = ConnectorError(FailureKind.UNAVAILABLE, "a batch was given up")
            raise

    async def _deliver(self, conn: Connection, messages: Sequence[Outgoing]) -> Mapping[int, Failure]:
        failures: dict[int, Failure] = {}
        for address, indexes in groupby(range(len(messages)), key=lambda index: messages[index].address):
            try:
                target = await self._find(conn, address)
            except ConnectorError as error:
                failures |= dict.fromkeys(indexes, error.failure)
                continue
            sound: list[int] = []
            for index in indexes:
                fault = fault_of(target, messages[index])
                if fault is None:
                    sound.append(index)
                else:
                    failures[index] = fault
            await self._insert(conn, target, messages, sound, failures)
        return failures

    async def _insert(
        self,
        conn: Connection,
        target: Target,
        messages: Sequence[Outgoing],
        indexes: list[int],
        failures: dict[int, Failure],
    ) -> None:
        if not indexes:
            return
        try:
            await conn.execute(insert(target), arrays(target, [messages[index] for index in indexes]))
        except psycopg.Error as error:
            kind = kind_of_row(error)
            if kind is None:
                raise
            if len(indexes) == 1:
                failures[indexes[0]] = Failure(kind, reason_of_row(error))
                return
            middle = len(indexes) // 2
            await self._insert(conn, target, messages, indexes[:middle], failures)
            await self._insert(conn, target, messages, indexes[middle:], failures)

    async def _find(self, conn: Connection, address: str) -> Target:
        if address not in self._targets:
            self._targets[address] = await self._read_target(conn, address)
        return self._targets[address]

    async def _read_target(self, conn: Connection, address: str) -> Target:
        options = self._options
        wanted, required = dict(options.columns or _TABLE_COLUMNS), set(options.columns or _TABLE_COLUMNS)
        table = address or options.table
        if options.inbox:
            inbox = address or options.inbox
            cursor = await conn.execute(load("queries/relay_inbox"), {"inbox": inbox})
            found = await cursor.fetchone()
            if found is None:
                raise ConnectorError(FailureKind.DESTINATION, f"there is no inbox {inbox}")
            table, id_column, event_type_column, aggregate_column = found
            wanted, required = _of_inbox(options.columns, id_column, event_type_column, aggregate_column)
        cursor = await conn.execute(load("queries/relay_columns"), {"table": table})
        rows = await cursor.fetchall()
        if not rows:
            raise ConnectorError(FailureKind.DESTINATION, f"there is no table {table}")
        types = {str(column): str(type_name) for _, _, column, type_name in rows}
        missing = sorted(wanted[part] for part in required if wanted[part] not in types)
        if missing:
            raise ConnectorError(FailureKind.DESTINATION, f"table {table} has no column {', '.join(missing)}")
        fields = (Field(part, column, types[column]) for part, column in wanted.items() if column in types)
        return Target(str(rows[0][0]), str(rows[0][1]), tuple(fields))


def _of_inbox(
    given: Mapping[str, str], id_column: str, event_type_column: str | None, aggregate_column: str | None
) -> tuple[dict[str, str], set[str]]:
    """The columns of an inbox, and the parts that it must have a column for."""
    named = {"event_type": event_type_column, "key": aggregate_column}
    wanted = {**_INBOX_COLUMNS, **{part: column for part, column in named.items() if column}, **given}
    return {**wanted, "event_id": id_column}, {"event_id", "payload", *given}


CONNECTOR = SinkConnector(
    name="postgres",
    options=PostgresOptions,
    make=PostgresSink,
    address="inbox, or table where one is configured",
    identity="the unique column of the event id: each message arrives exactly once",
    boundary="the transaction is committed",
)
