"""What `trickle doctor` looks at, read in one go; judging it is `findings`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from psycopg import Connection
from psycopg.rows import class_row, tuple_row

from trickle.catalog import stream_tables
from trickle.catalog.stream_tables import Instance, StreamTable
from trickle.cli.budgets import Budget
from trickle.db import session
from trickle.sql import load

T = TypeVar("T")

# A transaction open for longer than this is worth a word.
LONG_TRANSACTION_SECONDS = 60


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The server, the role, and the comparisons of the identity row with this database."""

    server_version: str
    server_version_num: int
    is_standby: bool
    database: str
    role: str
    catalog_version: str
    same_cluster: bool
    same_database: bool
    same_catalog: bool
    publications_of_all_tables: list[str]


@dataclass(frozen=True, slots=True)
class CaptureFacts:
    """A captured source, and what is wrong with its capture in words; None when nothing is."""

    source: str
    fault: str | None


@dataclass(frozen=True, slots=True)
class RightsFacts:
    """What the connected role may do for one stream table."""

    name: str
    owner: str
    is_owner: bool
    may_become_owner: bool
    owner_is_superuser: bool
    is_superuser: bool


@dataclass(frozen=True, slots=True)
class Holder:
    """A transaction that has been open for long."""

    holder: str
    role: str | None
    application_name: str | None
    state: str | None
    open_seconds: float
    ending: str = ""

    @property
    def open_for(self) -> timedelta:
        return timedelta(seconds=self.open_seconds)


@dataclass(frozen=True, slots=True)
class BufferFacts:
    """The size of one change buffer."""

    source_table: str
    pending_rows: int
    buffer_bytes: int


@dataclass(frozen=True, slots=True)
class MissingIndex:
    """An index that the differential program of a stream table would look its source up by."""

    stream_table: str
    source_table: str
    statement: str


@dataclass(frozen=True, slots=True)
class Orphan:
    """Something that was made for what is no more, and the statement that removes it."""

    what: str
    statement: str


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """The jobs of one schema."""

    schema_name: str
    dead_rows: int
    live_rows: int
    is_vacuumed: bool
    ready_seconds: float | None  # that the first one has waited; not known of tenants' schemas
    runners: int


@dataclass(frozen=True, slots=True)
class Examination:
    """Everything the findings are made from."""

    trickle_version: str
    is_pooled: bool
    server: ServerFacts | None
    stream_tables: tuple[StreamTable, ...]
    instances: tuple[Instance, ...]
    capture: tuple[CaptureFacts, ...]
    rights: tuple[RightsFacts, ...]
    holders: tuple[Holder, ...]
    buffers: tuple[BufferFacts, ...]
    missing_indexes: tuple[MissingIndex, ...]
    budget: Budget | None
    settings: Mapping[str, str]
    orphans: tuple[Orphan, ...]
    queues: tuple[QueueFacts, ...]


def examine(connection: Connection[Any], trickle_version: str, setting_names: Iterable[str]) -> Examination:
    """Read everything; nothing is changed."""
    server = _rows(connection, ServerFacts, "server")
    return Examination(
        trickle_version=trickle_version,
        is_pooled=session.is_pooled(connection),
        server=server[0] if server else None,
        stream_tables=stream_tables.list_stream_tables(connection),
        instances=stream_tables.list_instances(connection),
        capture=_rows(connection, CaptureFacts, "capture"),
        rights=_rows(connection, RightsFacts, "rights"),
        holders=_rows(connection, Holder, "holders", seconds=LONG_TRANSACTION_SECONDS),
        buffers=_rows(connection, BufferFacts, "buffers"),
        missing_indexes=_rows(connection, MissingIndex, "indexes"),
        budget=next(iter(_rows(connection, Budget, "budget")), None),
        settings=_given_settings(connection, setting_names),
        orphans=_rows(connection, Orphan, "orphans"),
        queues=_rows(connection, QueueFacts, "queues"),
    )


def _given_settings(connection: Connection[Any], names: Iterable[str]) -> Mapping[str, str]:
    """The settings that somebody has given a value; `names` are those worth asking for."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return dict(cursor.execute(load("queries/stream_table_given_settings"), {"names": sorted(names)}))


def _rows(connection: Connection[Any], kind: type[T], query: str, **values: Any) -> tuple[T, ...]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return tuple(cursor.execute(load(f"queries/stream_table_{query}"), values))
