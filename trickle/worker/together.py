"""Several stream tables in one transaction, upstream first; each is one call, as when it is alone.

A unit of one snapshot runs in REPEATABLE READ: all its members show the same moment, and whoever reads them in one
transaction never sees that moment for some and another for others. Nothing else refreshes them meanwhile, so a
conflict is rare and means that somebody did so by hand: the unit is tried again under a newer snapshot.

What fails undoes all, or, where the members have only their owner in common, itself and what comes after it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
from psycopg import Cursor, IsolationLevel, errors
from psycopg.rows import TupleRow

from trickle.clock import backoff_seconds
from trickle.sql import load
from trickle.worker.bench import Workbench
from trickle.worker.protocol import Outcome, Part, RefreshTogether

ATTEMPTS = 5


class MemberFailed(Exception):
    """The cause is an error of the server's; `done` is what was committed all the same."""

    def __init__(self, pgt_id: int, done: tuple[Part, ...] = (), others: tuple[int, ...] = ()) -> None:
        super().__init__(f"stream table number {pgt_id} failed")
        self.pgt_id = pgt_id
        self.done = done
        self.others = others  # who is to blame as much


class Disturbed(errors.SerializationFailure):
    """Something happened to a source that no snapshot keeps away."""


class NoFixpoint(errors.DataException):
    """A cycle goes on changing."""


class Held(errors.SerializationFailure):
    """A member is held back by a gate, by watermarks or by its fuse."""


def refresh_together(job: RefreshTogether, bench: Workbench) -> tuple[Part, ...]:
    """Refresh the unit, or, where all are to be seen together and one is held back, nothing: its part says why.

    Raises:
        MemberFailed: with the server's error as its cause.
        psycopg.Error: it cannot be said that a member is to blame.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return _once(job, bench)
        except Held:
            # By itself, so that what it says is not undone with the others.
            if told := _told(job, bench):
                return told
        except (errors.SerializationFailure, errors.DeadlockDetected):
            time.sleep(backoff_seconds(attempt, base=0.01, cap=0.5, draw=random.random()))
    return _once(job, bench)


def _once(job: RefreshTogether, bench: Workbench) -> tuple[Part, ...]:
    if job.is_all_or_none:
        return _all(job, bench)
    try:
        return _all(job, bench)
    except MemberFailed as failed:
        before = job.members[: job.members.index(failed.pgt_id)]
        if before and not bench.is_lost:
            failed.done = _all(replace(job, members=before), bench)
        raise


def _all(job: RefreshTogether, bench: Workbench) -> tuple[Part, ...]:
    """One transaction; whoever fails undoes it."""
    with _isolation(bench, job), bench.transaction():
        if job.has_one_snapshot:
            bench.conn.execute(load("queries/worker_begin_unit"))
        done = _step_by_step(job, bench) if bench.pooled or job.cycles else _in_one_go(job, bench)
        if job.is_all_or_none and len(job.members) > 1 and any(part.outcome.action == "SKIPPED" for part in done):
            raise Held("a member of the unit is held back")
        if job.has_one_snapshot and any(part.outcome.action != "NO_DATA" for part in done):
            _assert_undisturbed(job, bench)
    return tuple(done)


def _in_one_go(job: RefreshTogether, bench: Workbench) -> list[Part]:
    """All calls are sent at once, so that between two members the server waits for nobody."""
    calls: list[tuple[int, Cursor[TupleRow]]] = []
    try:
        with bench.conn.pipeline():
            calls += ((pgt_id, bench.ask(pgt_id)) for pgt_id in job.members)
    except psycopg.Error as error:
        # The first one without an answer is the one that failed; after it the server does nothing more.
        unanswered = (pgt_id for pgt_id, cursor in calls if cursor.pgresult is None)
        with _to_blame(next(unanswered, job.members[0])):
            raise error
    return [bench.answer(pgt_id, cursor) for pgt_id, cursor in calls]


def _step_by_step(job: RefreshTogether, bench: Workbench) -> list[Part]:
    done: list[Part] = []
    ring_of = {pgt_id: ring for ring in job.cycles for pgt_id in ring}
    for pgt_id in job.members:
        ring = ring_of.get(pgt_id, ())
        if ring and pgt_id == ring[0]:
            done += _cycle(job, bench, ring)
        elif not ring:
            with _to_blame(pgt_id):
                done.append(bench.refresh(pgt_id))
    return done


@contextmanager
def _to_blame(pgt_id: int) -> Iterator[None]:
    """An error is this member's, unless it says that somebody else was in the way."""
    try:
        yield
    except (errors.SerializationFailure, errors.DeadlockDetected):
        raise
    except psycopg.Error as error:
        raise MemberFailed(pgt_id) from error


def _told(job: RefreshTogether, bench: Workbench) -> tuple[Part, ...]:
    """Let those members that are held back say so; none, when the reason has gone meanwhile."""
    with bench.transaction():
        rows = bench.conn.execute(load("queries/worker_held"), {"pgt_ids": list(job.members)}).fetchall()
    return tuple(Part(pgt_id, Outcome("SKIPPED", reason=reason), 0.0) for pgt_id, reason in rows)


def _cycle(job: RefreshTogether, bench: Workbench, ring: tuple[int, ...]) -> list[Part]:
    """Refresh the members of a cycle in turn until none changes: then each is what its query says of the others."""
    parts: dict[int, Part] = {}
    bench.conn.execute(load("queries/worker_begin_cycle"), {"pgt_ids": list(ring)})
    for turns in range(1, job.most_turns + 1):
        latest = [_ring_member(bench, pgt_id) for pgt_id in ring]
        parts = {part.pgt_id: _sum(parts.get(part.pgt_id), part) for part in latest}
        if not any(part.outcome.rows_changed for part in latest):
            bench.conn.execute(load("queries/worker_end_cycle"), {"pgt_ids": list(ring), "turns": turns})
            return list(parts.values())
    error = NoFixpoint(f"the cycle still changes after {job.most_turns} turns (max_fixpoint_iterations)")
    raise MemberFailed(ring[0], others=ring[1:]) from error


def _ring_member(bench: Workbench, pgt_id: int) -> Part:
    with _to_blame(pgt_id):
        part = bench.refresh(pgt_id)
    if part.outcome.action == "SKIPPED":
        raise Held("a member of the cycle is held back")
    return part


def _sum(before: Part | None, part: Part) -> Part:
    if before is None:
        return part
    was, now = before.outcome, part.outcome
    summed = Outcome(
        was.action if now.action == "NO_DATA" else now.action,
        was.rows_inserted + now.rows_inserted,
        was.rows_updated + now.rows_updated,
        was.rows_deleted + now.rows_deleted,
        was.reason or now.reason,
    )
    return Part(part.pgt_id, summed, before.seconds + part.seconds)


@contextmanager
def _isolation(bench: Workbench, job: RefreshTogether) -> Iterator[None]:
    before = bench.conn.isolation_level
    if job.has_one_snapshot:
        bench.conn.isolation_level = IsolationLevel.REPEATABLE_READ
    try:
        yield
    finally:
        if job.has_one_snapshot and not bench.is_lost:
            bench.conn.isolation_level = before


def _assert_undisturbed(job: RefreshTogether, bench: Workbench) -> None:
    row = bench.conn.execute(load("queries/worker_disturbed"), {"pgt_ids": list(job.members)}).fetchone()
    if row is not None and row[0]:
        raise Disturbed("a source of the unit was truncated, rewritten, attached or detached meanwhile")


def total(parts: tuple[Part, ...]) -> Outcome:
    """What a unit did as a whole."""
    action = "NO_DATA" if all(part.outcome.action == "NO_DATA" for part in parts) else "TOGETHER"
    return Outcome(
        action,
        sum(part.outcome.rows_inserted for part in parts),
        sum(part.outcome.rows_updated for part in parts),
        sum(part.outcome.rows_deleted for part in parts),
    )
