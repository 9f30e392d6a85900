"""The session with which a runner leases and acknowledges, and whose end tells everybody that it is gone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from trickle.db.job_schema import SCHEMA, query, search_path
from trickle.db.session import PREPARE_AFTER, session_arguments
from trickle.errors import Refused
from trickle.jobs.protocol import Lease, Outcome
from trickle.logs import event

log = logging.getLogger(__name__)

_UPKEEP_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What maintenance did, and in how many seconds the next delayed job, or schedule, is due."""

    made_ready: int
    reclaimed: int
    next_due_seconds: float | None
    has_due_schedules: bool


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A schedule that is due, or that nobody has planned yet, and what time it is on the server."""

    name: str
    cron: str
    time_zone: str
    planned: datetime | None
    now: datetime


class Ledger:
    """One open session of a runner."""

    def __init__(self, conn: AsyncConnection[Any], schema: str) -> None:
        self._conn = conn
        self._schema = schema
        self._worker = 0
        self._bells: set[int] = set()  # armed by this session

    @classmethod
    async def open(cls, url: str, schema: str = SCHEMA) -> Ledger:
        """Connect, for the jobs of one schema; behind a transaction pooler nobody could know that we live.

        Raises:
            Refused: there is a connection pooler in between.
        """
        conn = await AsyncConnection.connect(url, autocommit=True, **session_arguments(url, role="jobs"))
        ledger = cls(conn, schema)
        try:
            [[pid]] = await ledger._rows("jobs_session", {})
            if pid != conn.info.backend_pid:
                raise Refused(
                    "the session of a runner is connected through a connection pooler, which cannot keep its lock",
                    hint="give the runner a direct connection to the server",
                )
            await conn.execute(ledger._query("jobs_session_settings"), {"path": search_path(schema)})
        except BaseException:
            await conn.close()
            raise
        conn.prepare_threshold = PREPARE_AFTER
        return ledger

    async def close(self) -> None:
        await self._conn.close()

    async def sign_in(self, worker: int | None) -> int | None:
        """Hold the lock on a runner's number, a new one for None; None while somebody takes its jobs over."""
        [[number, is_held]] = await self._rows("jobs_sign_in", {"worker": worker})
        self._worker = int(number)
        return self._worker if is_held else None

    async def leases(self) -> frozenset[tuple[int, int]]:
        """Id and epoch of all that this runner holds, by the database."""
        return frozenset((row[0], row[1]) for row in await self._rows("jobs_of_worker", {"worker": self._worker}))

    async def turn(self, outcomes: Sequence[Outcome], queues: Sequence[str], most: int) -> list[Lease]:
        """Acknowledge, then lease up to `most` of what is ready: one round trip, and but for failures one statement."""
        completed = sorted((o for o in outcomes if not o.has_failed), key=lambda o: o.lease.id)
        failures = sorted((o for o in outcomes if o.has_failed), key=lambda o: o.lease.id)
        turn = _columns(completed) | {"queues": list(queues), "worker": self._worker, "most": most}
        if failures:
            finals = {"finals": [outcome.is_final for outcome in failures]}
            async with self._conn.pipeline():
                failed = await self._conn.execute(self._query("jobs_fail"), _columns(failures) | finals)
                taken = await self._conn.execute(self._query("jobs_turn"), turn)
            kept = len((await failed.fetchall())[0][0])
            rows = await taken.fetchall()
        else:
            kept, rows = 0, await self._rows("jobs_turn", turn)
        lost = len(outcomes) - kept - rows[0][0]
        if lost > 0:
            event(log, logging.WARNING, "jobs were done that had been given to somebody else", jobs=lost)
        leases = [Lease(*lease) for _, *lease in rows if lease[0] is not None]
        return sorted(leases, key=lambda lease: (-lease.priority, lease.id))

    async def release(self, leases: Iterable[tuple[int, int]]) -> None:
        """Hand back what has not been done."""
        held = sorted(leases)
        parameters = {"ids": [job for job, _ in held], "epochs": [epoch for _, epoch in held]}
        await self._rows("jobs_release", parameters)

    async def cancelled(self, leases: Iterable[Lease]) -> tuple[frozenset[int], frozenset[int]]:
        """Of these the ids that are still ours, and of those the ids that somebody wants to stop."""
        held = sorted((lease.id, lease.epoch) for lease in leases)
        parameters = {"ids": [job for job, _ in held], "epochs": [epoch for _, epoch in held]}
        rows = await self._rows("jobs_held", parameters)
        return frozenset(job for job, _ in rows), frozenset(job for job, wants_end in rows if wants_end)

    async def progress(self, told: Sequence[tuple[Lease, str]]) -> None:
        """Store how far attempts are, as JSON text."""
        parameters = {
            "ids": [lease.id for lease, _ in told],
            "epochs": [lease.epoch for lease, _ in told],
            "progresses": [text for _, text in told],
        }
        await self._rows("jobs_progress", parameters)

    async def upkeep(self) -> Upkeep:
        """Make ready what is due, reclaim what the dead held, remove what is over: a batch of each."""
        parameters = {"worker": self._worker, "most": _UPKEEP_ROWS}
        [[made_ready, reclaimed, _, *next_due]] = await self._rows("jobs_upkeep", parameters)
        due = [float(seconds) for seconds in next_due if seconds is not None]
        return Upkeep(made_ready, reclaimed, min(due, default=None), next_due[1] is not None and next_due[1] <= 0)

    async def due_schedules(self) -> list[Scheduled]:
        return [Scheduled(*row) for row in await self._rows("jobs_schedules", {})]

    async def run_schedule(self, due: Scheduled, next_on: datetime | None, problem: str | None) -> None:
        """Make the job that is due, and plan the next one; nothing, where another runner was first."""
        parameters = {"schedule": due.name, "planned": due.planned, "next_on": next_on, "problem": problem}
        await self._rows("jobs_run_schedule", parameters)

    async def settle(self) -> None:
        """Take up ordering keys that somebody stranded by hand."""
        await self._rows("jobs_settle", {})

    async def arm(self, queues: Sequence[str]) -> tuple[frozenset[int], bool]:
        """The bells of these queues, and whether whoever enqueues will ring from now on."""
        rows = await self._rows("jobs_arm", {"queues": list(queues), "ours": sorted(self._bells)})
        self._bells.update(bell for bell, whose in rows if whose == "ours")
        return frozenset(bell for bell, _ in rows), all(whose != "open" for _, whose in rows)

    async def disarm(self) -> None:
        """Nobody needs to ring any more."""
        bells, self._bells = sorted(self._bells), set()
        if bells:
            await self._rows("jobs_open", {"bells": bells})

    async def _rows(self, name: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        cursor = await self._conn.execute(self._query(name), parameters)
        return await cursor.fetchall()

    def _query(self, name: str) -> str:
        return query(name, self._schema)


def _columns(outcomes: Sequence[Outcome]) -> dict[str, object]:
    return {
        "ids": _array(str(outcome.lease.id) for outcome in outcomes),
        "epochs": _array(str(outcome.lease.epoch) for outcome in outcomes),
        "outputs": _array(outcome.output for outcome in outcomes),
    }


def _array(values: Iterable[str]) -> str:
    """As PostgreSQL writes an array, in a fraction of the time that the driver takes for a long one."""
    quoted = ['"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values]
    return "{" + ",".join(quoted) + "}"
