"""Queues, jobs and schedules, as people look at them and take a hand: in the schema pgtrickle, or in a tenant's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from trickle.db.job_schema import query, search_path
from trickle.errors import NotFound
from trickle.sql import load

STATES = ("created", "retry", "active", "completed", "cancelled", "failed")


def queues(conn: Connection[Any], schema: str) -> Sequence[dict[str, Any]]:
    """The columns of pgtrickle.queue_status()."""
    return _rows(conn, schema, "SELECT * FROM queue_status()", {})


def listed(
    conn: Connection[Any], schema: str, queue: str | None, state: str | None, most: int
) -> Sequence[dict[str, Any]]:
    """The newest jobs of a queue and a state, or of any."""
    return _rows(conn, schema, load("queries/jobs_list"), {"queue": queue, "state": state, "most": most})


def described(conn: Connection[Any], schema: str, job: int) -> dict[str, Any] | None:
    """All there is to know of a job; None when it is gone."""
    rows = _rows(conn, schema, query("jobs_describe", schema), {"job": job})
    return rows[0] if rows else None


def schedules(conn: Connection[Any], schema: str) -> Sequence[dict[str, Any]]:
    """The rows of pgtrickle.job_schedules."""
    return _rows(conn, schema, "SELECT * FROM job_schedules ORDER BY schedule_name", {})


def cancel(conn: Connection[Any], schema: str, job: int) -> bool:
    """Whether there was anything to cancel."""
    return bool(_rows(conn, schema, "SELECT cancel_job(%(job)s) AS done", {"job": job})[0]["done"])


def retry(conn: Connection[Any], schema: str, job: int) -> bool:
    """Whether it had failed or been cancelled."""
    return bool(_rows(conn, schema, "SELECT retry_job(%(job)s) AS done", {"job": job})[0]["done"])


def redrive(conn: Connection[Any], schema: str, queue: str, to: str | None, most: int) -> int:
    """Put dead letters of a queue back to where they came from, or into another queue; how many."""
    statement = "SELECT redrive(%(queue)s, %(to)s, %(most)s) AS moved"
    return int(_rows(conn, schema, statement, {"queue": queue, "to": to, "most": most})[0]["moved"])


def _rows(conn: Connection[Any], schema: str, statement: str, parameters: dict[str, object]) -> list[dict[str, Any]]:
    # Not for longer than it takes: a pooler may lend the session to somebody else.
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SELECT set_config('search_path', %s, true)", (search_path(schema),))
        found = cursor.execute("SELECT to_regclass('job') IS NOT NULL AS is_there").fetchone()
        if found is None or not found["is_there"]:
            raise NotFound(
                f"schema {schema!r} has no jobs", hint="SELECT pgtrickle.create_job_schema('…') makes one that has"
            )
        return cursor.execute(statement.encode(), parameters).fetchall()
