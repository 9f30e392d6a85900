"""Refreshing on request, and comparing a stream table with its defining query at one snapshot.

The order inside the transaction carries the exactness. LOCK TABLE takes no snapshot, so the one that the
next statement takes sees every TRUNCATE and DETACH that the lock waited for; the refresh then consumes
exactly what that snapshot shows, and the comparison reads both sides by it. A refresh by somebody else that
commits in between makes the row lock fail with a serialization failure: the caller tries again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from psycopg import Connection, IsolationLevel, sql
from psycopg.rows import class_row

from trickle.catalog import stream_tables
from trickle.catalog.stream_tables import StreamTable
from trickle.db.session import stated_isolation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RefreshOutcome:
    """What one refresh did: `action` is NO_DATA, DIFFERENTIAL or FULL; `reason` says why FULL."""

    action: str
    rows_inserted: int
    rows_updated: int
    rows_deleted: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """A stream table compared with its defining query at one snapshot, as bags."""

    stream_table: str
    equal: bool
    missing_rows: int
    extra_rows: int
    pending: bool


def refresh(connection: Connection[Any], record: StreamTable, *, full: bool) -> RefreshOutcome:
    """Bring a stream table up to date in the current transaction, or in one of its own."""
    with stated_isolation(connection), connection.cursor(row_factory=class_row(RefreshOutcome)) as cursor:
        cursor.execute(
            "SELECT action, rows_inserted, rows_updated, rows_deleted, reason"
            "  FROM pgtrickle._refresh(%s, 'MANUAL', %s)",
            (record.pgt_id, full),
        )
        return _only(cursor.fetchone())


def verify(connection: Connection[Any], name: str) -> VerifyResult:
    """Refresh and compare in one REPEATABLE READ transaction; the connection must not be in another."""
    record = stream_tables.get_stream_table(connection, name)
    sources = stream_tables.lockable_sources(connection, record.pgt_id)
    # Most of what there is to take is taken here: an IMMEDIATE reader of this table may refuse an old snapshot.
    refresh(connection, record, full=False)
    before = connection.isolation_level
    connection.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        with connection.transaction():
            return _compare(connection, record, sources)
    finally:
        if not connection.closed:
            connection.isolation_level = before


def _compare(connection: Connection[Any], record: StreamTable, sources: tuple[sql.Identifier, ...]) -> VerifyResult:
    if sources:
        connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.SQL(", ").join(sources)))
    connection.execute("SELECT set_config('pg_trickle.unit', 'on', true)")
    refresh(connection, record, full=False)
    with connection.cursor(row_factory=class_row(VerifyResult)) as cursor:
        cursor.execute(
            "SELECT stream_table, equal, missing_rows, extra_rows, pending FROM pgtrickle.verify(%s)",
            (record.quoted(connection),),
        )
        return _only(cursor.fetchone())


def _only(row: T | None) -> T:
    if row is None:
        raise LookupError("a function that returns one row returned none")
    return row
