"""One look at the running demo: everything the view shows, read in a few queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, tuple_row

from trickle.demo.statements import statement


@dataclass(frozen=True, slots=True)
class Replay:
    """How far the replay is."""

    simulated_at: datetime
    announced: int
    departed: int
    landed: int
    cancelled: int
    is_over: bool


@dataclass(frozen=True, slots=True)
class StreamTableNow:
    """One stream table as it is; what the last refresh that had work to do did."""

    name: str
    mode: str
    status: str
    error: str | None
    is_behind: bool
    refreshed_seconds_ago: float
    refresh_ms: float | None
    rows_inserted: int
    rows_updated: int
    rows_deleted: int
    instance_id: str | None


@dataclass(frozen=True, slots=True)
class Refreshes:
    """All refreshes since the workers were started."""

    refreshes: int
    full_refreshes: int
    failures: int
    rows_changed: int
    median_ms: float | None


@dataclass(frozen=True, slots=True)
class Look:
    """What one look has seen."""

    replay: Replay | None
    stream_tables: tuple[StreamTableNow, ...]
    refreshes: Refreshes

    @property
    def owners(self) -> dict[str, str]:
        return {table.name: table.instance_id for table in self.stream_tables if table.instance_id}

    @property
    def behind(self) -> tuple[StreamTableNow, ...]:
        return tuple(table for table in self.stream_tables if table.is_behind)


def look(connection: Connection[Any], since: datetime) -> Look:
    with connection.cursor(row_factory=class_row(Replay)) as cursor:
        replay = cursor.execute(statement("view_replay")).fetchone()
    with connection.cursor(row_factory=class_row(StreamTableNow)) as cursor:
        tables = tuple(cursor.execute(statement("view_stream_tables")))
    with connection.cursor(row_factory=class_row(Refreshes)) as cursor:
        refreshes = cursor.execute(statement("view_refreshes"), {"since": since}).fetchone()
    return Look(replay, tables, refreshes or Refreshes(0, 0, 0, 0, None))


def owners(connection: Connection[Any]) -> dict[str, str]:
    """Who owns which stream table now: the one question that is asked many times a second after a kill."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return dict(cursor.execute(statement("view_owners")).fetchall())


def database_now(connection: Connection[Any]) -> datetime:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    now: datetime = row[0]
    return now
