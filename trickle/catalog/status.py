"""How stream tables are doing: the catalog's record joined with the instance that holds the claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from trickle.catalog import stream_tables
from trickle.catalog.stream_tables import StreamTable


@dataclass(frozen=True, slots=True)
class StreamTableStatus:
    """How one stream table is doing now."""

    name: str
    status: str
    refresh_mode: str
    requested_mode: str
    effective_refresh_mode: str | None
    schedule: str | None
    is_populated: bool
    staleness: timedelta | None
    stale: bool | None
    data_timestamp: datetime | None
    last_refresh_at: datetime | None
    consecutive_errors: int
    last_error_message: str | None
    program_state: str
    program_reason: str | None
    instance_id: str | None


def read_status(connection: Connection[Any], name: str) -> StreamTableStatus:
    """One stream table; NotFound when there is none of this name."""
    record = stream_tables.get_stream_table(connection, name)
    return _status(record, _instances_by_id(connection))


def read_every_status(connection: Connection[Any]) -> tuple[StreamTableStatus, ...]:
    """Every stream table, by schema and name."""
    held_by = _instances_by_id(connection)
    return tuple(_status(record, held_by) for record in stream_tables.list_stream_tables(connection))


def _instances_by_id(connection: Connection[Any]) -> dict[int, str]:
    return {claim.pgt_id: claim.instance_id for claim in stream_tables.list_claims(connection)}


def _status(record: StreamTable, held_by: Mapping[int, str]) -> StreamTableStatus:
    return StreamTableStatus(
        name=record.name,
        status=record.status,
        refresh_mode=record.refresh_mode,
        requested_mode=record.requested_mode,
        effective_refresh_mode=record.effective_refresh_mode,
        schedule=record.schedule,
        is_populated=record.is_populated,
        staleness=record.staleness,
        stale=record.stale,
        data_timestamp=record.data_timestamp,
        last_refresh_at=record.last_refresh_at,
        consecutive_errors=record.consecutive_errors,
        last_error_message=record.last_error_message,
        program_state=record.program_state,
        program_reason=record.program_reason,
        instance_id=held_by.get(record.pgt_id),
    )
