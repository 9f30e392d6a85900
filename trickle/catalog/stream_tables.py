"""What the catalog knows of each stream table, as frozen records.

Reads only. A name is resolved as the SQL API resolves it: `schema.name` split at the first dot, or a name in
the current schema. Case is never folded; a text with double quotes is read as SQL reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection, sql
from psycopg.rows import class_row, dict_row, scalar_row, tuple_row

from trickle.errors import NotFound
from trickle.sql import load


@dataclass(frozen=True, slots=True)
class StreamTable:
    """One row of pgtrickle.stream_tables_info, as far as Python uses it."""

    pgt_id: int
    pgt_relid: int
    pgt_schema: str
    pgt_name: str
    pgt_owner: str
    defining_query: str
    original_query: str | None
    schedule: str | None
    refresh_mode: str
    requested_mode: str
    effective_refresh_mode: str | None
    status: str
    is_populated: bool
    needs_reinit: bool
    refresh_tier: str
    data_timestamp: datetime | None
    last_refresh_at: datetime | None
    staleness_seconds: float | None
    stale: bool | None
    consecutive_errors: int
    last_error_message: str | None
    last_error_at: datetime | None
    program_state: str
    program_version: str | None
    program_reason: str | None

    @property
    def staleness(self) -> timedelta | None:
        """How old the data is. Seconds come from the server: how an interval is printed is up to the session."""
        return None if self.staleness_seconds is None else timedelta(seconds=self.staleness_seconds)

    @property
    def name(self) -> str:
        """`schema.name`, as the seeds, the claims and the metrics write it."""
        return f"{self.pgt_schema}.{self.pgt_name}"

    def quoted(self, connection: Connection[Any]) -> str:
        """The qualified name as the SQL API reads it whatever characters are in it."""
        return sql.Identifier(self.pgt_schema, self.pgt_name).as_string(connection)


@dataclass(frozen=True, slots=True)
class Claim:
    """An instance that holds the claim of a stream table."""

    pgt_id: int
    name: str
    group_id: str
    instance_id: str
    backend_pid: int


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance that has announced itself."""

    instance_id: str
    group_id: str
    hostname: str | None
    pid: int | None
    capacity: int
    stream_tables: int
    is_live: bool
    started_at: datetime
    heartbeat_at: datetime
    silent_seconds: float

    @property
    def silent_for(self) -> timedelta:
        return timedelta(seconds=self.silent_seconds)


def list_stream_tables(connection: Connection[Any]) -> tuple[StreamTable, ...]:
    """Every stream table, by schema and name."""
    return _read(connection, None)


def get_stream_table(connection: Connection[Any], name: str) -> StreamTable:
    """The stream table called `name`; NotFound when there is none."""
    found = find_stream_table(connection, name)
    if found is None:
        raise NotFound(f"no stream table is called {name}", hint="`trickle list` shows the stream tables")
    return found


def find_stream_table(connection: Connection[Any], name: str) -> StreamTable | None:
    """The stream table called `name`, or None."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        relid = cursor.execute(load("queries/stream_table_find"), {"name": name}).fetchone()
    if relid is None:
        return None
    records = _read(connection, relid)
    return records[0] if records else None


def lockable_sources(connection: Connection[Any], pgt_id: int) -> tuple[sql.Identifier, ...]:
    """The tables that a stream table reads and that LOCK TABLE accepts."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(load("queries/stream_table_sources"), {"pgt_id": pgt_id})
        return tuple(sql.Identifier(schema, name) for schema, name in rows)


def list_claims(connection: Connection[Any]) -> tuple[Claim, ...]:
    """Who holds which stream table now."""
    with connection.cursor(row_factory=class_row(Claim)) as cursor:
        return tuple(cursor.execute(load("queries/stream_table_owners")))


def list_instances(connection: Connection[Any]) -> tuple[Instance, ...]:
    """The instances that have announced themselves."""
    with connection.cursor(row_factory=class_row(Instance)) as cursor:
        return tuple(cursor.execute(load("queries/stream_table_instances")))


def refresh_history(connection: Connection[Any], name: str, max_rows: int) -> tuple[dict[str, Any], ...]:
    """The latest refreshes of one stream table, newest first, as pgtrickle.get_refresh_history shows them."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute("SELECT * FROM pgtrickle.get_refresh_history(%s, %s)", (name, max_rows))
        return tuple(rows)


def _read(connection: Connection[Any], relid: int | None) -> tuple[StreamTable, ...]:
    with connection.cursor(row_factory=class_row(StreamTable)) as cursor:
        return tuple(cursor.execute(load("queries/stream_table_list"), {"relid": relid}))
