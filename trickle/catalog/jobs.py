"""Queues, jobs and schedules, as people look at them and take a hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from trickle.sql import load

STATES = ("created", "retry", "active", "completed", "cancelled", "failed")


def queues(conn: Connection[Any]) -> Sequence[dict[str, Any]]:
    """The columns of pgtrickle.queue_status()."""
    return _rows(conn, "SELECT * FROM pgtrickle.queue_status()", {})


def listed(conn: Connection[Any], queue: str | None, state: str | None, most: int) -> Sequence[dict[str, Any]]:
    """The newest jobs of a queue and a state, or of any."""
    return _rows(conn, load("queries/jobs_list"), {"queue": queue, "state": state, "most": most})


def described(conn: Connection[Any], job: int) -> dict[str, Any] | None:
    """All there is to know of a job; None when it is gone."""
    rows = _rows(conn, load("queries/jobs_describe"), {"job": job})
    return rows[0] if rows else None


def schedules(conn: Connection[Any]) -> Sequence[dict[str, Any]]:
    """The rows of pgtrickle.job_schedules."""
    return _rows(conn, "SELECT * FROM pgtrickle.job_schedules ORDER BY schedule_name", {})


def cancel(conn: Connection[Any], job: int) -> bool:
    """Whether there was anything to cancel."""
    return bool(_rows(conn, "SELECT pgtrickle.cancel_job(%(job)s) AS done", {"job": job})[0]["done"])


def retry(conn: Connection[Any], job: int) -> bool:
    """Whether it had failed or been cancelled."""
    return bool(_rows(conn, "SELECT pgtrickle.retry_job(%(job)s) AS done", {"job": job})[0]["done"])


def redrive(conn: Connection[Any], queue: str, to: str | None, most: int) -> int:
    """Put dead letters of a queue back to where they came from, or into another queue; how many."""
    statement = "SELECT pgtrickle.redrive(%(queue)s, %(to)s, %(most)s) AS moved"
    return int(_rows(conn, statement, {"queue": queue, "to": to, "most": most})[0]["moved"])


def _rows(conn: Connection[Any], statement: str, parameters: dict[str, object]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode(), parameters).fetchall()
