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

import psycopg
from psycopg import IsolationLevel, errors

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
    done: list[Part] = []
    failed: MemberFailed | None = None
    with _isolation(bench, job), bench.transaction():
        if job.has_one_snapshot:
            bench.conn.execute(load("queries/worker_begin_unit"))
        ring_of = {pgt_id: ring for ring in job.cycles for pgt_id in ring}
        for pgt_id in job.members:
            ring = ring_of.get(pgt_id)
            if ring is not None:
                if pgt_id == ring[0]:
                    done += _cycle(job, bench, ring)
                continue
            try:
                done.append(_member(job, bench, pgt_id))
                if job.is_all_or_none and len(job.members) > 1 and done[-1].outcome.action == "SKIPPED":
                    raise Held("a member of the unit is held back")
            except (errors.SerializationFailure, errors.DeadlockDetected):
                raise
            except psycopg.Error as error:
                if job.is_all_or_none or bench.is_lost or not done:
                    raise MemberFailed(pgt_id) from error
                failed = MemberFailed(pgt_id, tuple(done))
                failed.__cause__ = error
                break
        if job.has_one_snapshot and any(part.outcome.action != "NO_DATA" for part in done):
            _assert_undisturbed(job, bench)
    if failed is not None:
        raise failed
    return tuple(done)


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
        latest = [_ring_member(job, bench, pgt_id) for pgt_id in ring]
        parts = {part.pgt_id: _sum(parts.get(part.pgt_id), part) for part in latest}
        if not any(part.outcome.rows_changed for part in latest):
            bench.conn.execute(load("queries/worker_end_cycle"), {"pgt_ids": list(ring), "turns": turns})
            return list(parts.values())
    error = NoFixpoint(f"the cycle still changes after {job.most_turns} turns (max_fixpoint_iterations)")
    raise MemberFailed(ring[0], others=ring[1:]) from error


def _ring_member(job: RefreshTogether, bench: Workbench, pgt_id: int) -> Part:
    try:
        part = _member(job, bench, pgt_id)
    except (errors.SerializationFailure, errors.DeadlockDetected):
        raise
    except psycopg.Error as error:
        raise MemberFailed(pgt_id) from error
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


def _member(job: RefreshTogether, bench: Workbench, pgt_id: int) -> Part:
    started = time.monotonic()
    with _alone(job, bench):
        outcome = bench.refresh(pgt_id)
    return Part(pgt_id, outcome, time.monotonic() - started)


@contextmanager
def _alone(job: RefreshTogether, bench: Workbench) -> Iterator[None]:
    """Where a failure is not to undo what was done before, each member has a savepoint."""
    if job.is_all_or_none:
        yield
        return
    with bench.conn.transaction():
        yield


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
