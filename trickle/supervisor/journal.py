"""What is written about jobs in pgt_scheduler_jobs: one statement for all the news of a turn.

    due ──▶ QUEUED ──started──▶ RUNNING ──ended──▶ SUCCEEDED, RETRYABLE_FAILED, PERMANENT_FAILED
              └── not due any more ──▶ CANCELLED

A job is a unit at one time. What began and ended between two turns is written once, as ended; what had nothing to do,
or was queued for less than a turn, not at all.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection

from trickle.scheduler.order import Due
from trickle.scheduler.units import Unit
from trickle.sql import load

TIDY_SECONDS = 60.0


@dataclass(slots=True)
class _Job:
    unit: Unit
    members: tuple[int, ...]
    attempt_no: int
    enqueued_at: datetime
    status: str = "QUEUED"
    job_id: int | None = None
    worker_pid: int | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    detail: str | None = None
    retryable: bool | None = None
    is_news: bool = True

    def as_row(self, scheduler_pid: int) -> dict[str, object]:
        return {
            "job_id": self.job_id,
            "unit_key": self.unit.name,
            "unit_kind": self.unit.kind.value,
            "members": list(self.members),
            "root": self.unit.members[0],
            "status": self.status,
            "scheduler_pid": scheduler_pid,
            "worker_pid": self.worker_pid,
            "attempt_no": self.attempt_no,
            "enqueued_at": self.enqueued_at.isoformat(),
            "started_at": self.started_at and self.started_at.isoformat(),
            "finished_at": self.finished_at and self.finished_at.isoformat(),
            "detail": self.detail,
            "retryable": self.retryable,
        }


class Journal:
    """The jobs of one instance that have not ended, and those that have since they were written the last time."""

    def __init__(self) -> None:
        self._queued: dict[int, _Job] = {}
        self._running: dict[int, _Job] = {}  # by the first member
        self._ended: list[_Job] = []
        self._tidied_at = float("-inf")

    def planned(self, due: Collection[Due], now: datetime) -> None:
        """These are due; who was and is not any more has lost its place."""
        keys = {item.unit.key for item in due}
        for key in self._queued.keys() - keys:
            self._end(self._queued.pop(key), "CANCELLED", now)
        for item in due:
            if item.unit.key not in self._queued:
                self._queued[item.unit.key] = _Job(item.unit, item.members, 1, now)

    def started(self, item: Due, attempt_no: int, worker_pid: int | None, now: datetime) -> None:
        """A child has it in hand."""
        job = self._queued.pop(item.unit.key, None) or _Job(item.unit, item.members, attempt_no, now)
        job.members, job.attempt_no, job.worker_pid = item.members, attempt_no, worker_pid
        job.status, job.started_at, job.is_news = "RUNNING", now, True
        self._running[item.members[0]] = job

    def succeeded(self, first: int, had_nothing_to_do: bool, now: datetime) -> None:
        """The job that began with this member has ended well."""
        job = self._running.pop(first, None)
        if job is not None and (job.job_id is not None or not had_nothing_to_do):
            self._end(job, "SUCCEEDED", now)

    def failed(self, first: int, detail: str, retryable: bool, now: datetime) -> None:
        """It has not."""
        job = self._running.pop(first, None)
        if job is not None:
            job.detail, job.retryable = detail, retryable
            self._end(job, "RETRYABLE_FAILED" if retryable else "PERMANENT_FAILED", now)

    def forget(self) -> None:
        """Another session speaks for us from now on: what was written goes by the old one."""
        for job in (*self._queued.values(), *self._running.values()):
            job.job_id, job.is_news = None, True

    def write(self, control: Connection[Any], scheduler_pid: int, monotonic: float) -> None:
        """Write the news, if there are any."""
        open_jobs = (job for jobs in (self._queued, self._running) for job in jobs.values() if job.is_news)
        news = [*self._ended, *open_jobs]
        if news:
            document = json.dumps([job.as_row(scheduler_pid) for job in news])
            row = control.execute(load("queries/jobs_note"), {"jobs": document}).fetchone()
            assert row is not None
            for job, job_id in zip(news, row[0], strict=True):
                job.job_id, job.is_news = job_id, False
            self._ended.clear()
        if monotonic - self._tidied_at >= TIDY_SECONDS:
            self._tidied_at = monotonic
            control.execute(load("queries/jobs_tidy"))

    def _end(self, job: _Job, status: str, now: datetime) -> None:
        if status == "CANCELLED" and job.job_id is None:
            return
        job.status, job.finished_at = status, now
        self._ended.append(job)
