"""Pipelines of the relay, read from the catalog and written to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from trickle.sql import load


def read_rows(conn: Connection[Any]) -> Sequence[tuple[Any, ...]]:
    """Name, direction, outbox, group, inbox, enabled, connector, options and lock key of each."""
    return conn.execute(load("queries/relay_pipelines")).fetchall()


def set_forward(
    conn: Connection[Any], name: str, outbox: str, group: str, enabled: bool, sink: Any, options: Any
) -> None:
    """Make or change a pipeline from an outbox to a sink. Raises psycopg.Error when there is no such outbox."""
    parameters = {
        "name": name,
        "outbox": outbox,
        "group": group,
        "sink": Jsonb(dict(sink)),
        "enabled": enabled,
        "options": Jsonb(dict(options)),
    }
    conn.execute(load("queries/relay_set_outbox"), parameters)


def set_reverse(conn: Connection[Any], name: str, inbox: str, enabled: bool, source: Any, options: Any) -> None:
    """Make or change a pipeline from a source into an inbox, which is made when there is none."""
    parameters = {
        "name": name,
        "inbox": inbox,
        "source": Jsonb(dict(source)),
        "enabled": enabled,
        "options": Jsonb(dict(options)),
    }
    conn.execute(load("queries/relay_set_inbox"), parameters)


def delete(conn: Connection[Any], name: str) -> None:
    """Forget a pipeline, with its place and its dead letters."""
    conn.execute("SELECT pgtrickle.delete_relay(%s)", (name,))


def status(conn: Connection[Any]) -> Sequence[dict[str, Any]]:
    """How each pipeline fares; the columns of pgtrickle.relay_status()."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM pgtrickle.relay_status()").fetchall()


def dead_letters(conn: Connection[Any], name: str | None, most: int) -> Sequence[dict[str, Any]]:
    """The newest dead letters of one pipeline, or of all; the columns of pgtrickle.relay_dlq_list()."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM pgtrickle.relay_dlq_list(%s, %s)", (name, most)).fetchall()


def retry_letter(conn: Connection[Any], letter: int) -> None:
    conn.execute("SELECT pgtrickle.relay_dlq_retry(%s)", (letter,))


def retry_letters(conn: Connection[Any], name: str) -> int:
    """Have all of a pipeline tried again; how many there are."""
    row = conn.execute("SELECT pgtrickle.relay_dlq_retry_all(%s)", (name,)).fetchone()
    return int(row[0]) if row else 0


def discard_letter(conn: Connection[Any], letter: int) -> None:
    conn.execute("SELECT pgtrickle.relay_dlq_discard(%s)", (letter,))
