"""Jobs of ordering keys under every interleaving of transactions that enqueue and workers that lease and end them.

Lies it would catch: two of a key at once; a later one before an earlier one that was there to be seen; one that is
parked and that nobody takes up, however late its transaction commits.
Oracle: a list of what is committed and has not ended, by key.
"""

from __future__ import annotations

from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.databases import Database

WRITERS = 3
STEPS = st.one_of(
    st.tuples(st.just("enqueue"), st.integers(0, WRITERS - 1), st.sampled_from("ab")),
    st.tuples(st.sampled_from(["commit", "rollback"]), st.integers(0, WRITERS - 1)),
    st.tuples(st.just("lease"), st.integers(1, 4)),
    st.tuples(st.sampled_from(["complete", "retry", "wait", "fail", "release"]), st.integers(0, 5)),
    st.tuples(st.just("cancel"), st.integers(0, 8)),
    st.tuples(st.just("due")),
)


class Jobs:
    """What should be, beside what is."""

    def __init__(self, db: Database) -> None:
        self.writers = [db.connect(autocommit=False) for _ in range(WRITERS)]
        self.conn = db.connect()
        self.open: list[list[tuple[int, str]]] = [[] for _ in range(WRITERS)]
        self.waiting: dict[str, set[int]] = {"a": set(), "b": set()}
        self.delayed: set[int] = set()
        self.cancelled: set[int] = set()
        self.active: dict[int, tuple[int, str]] = {}  # epoch and key

    def close(self) -> None:
        for conn in (*self.writers, self.conn):
            conn.close()

    def enqueue(self, writer: int, key: str) -> None:
        query = "SELECT pgtrickle.enqueue('q', ordering_key => %s, retry_limit => 99, retry_delay => '1 hour')"
        row = self.writers[writer].execute(query, (key,)).fetchone()
        assert row is not None
        self.open[writer].append((row[0], key))

    def commit(self, writer: int) -> None:
        self.writers[writer].commit()
        for job, key in self.open[writer]:
            self.waiting[key].add(job)
        self.open[writer] = []

    def rollback(self, writer: int) -> None:
        self.writers[writer].rollback()
        self.open[writer] = []

    def lease(self, most: int) -> None:
        for job, key, epoch in self.conn.execute(
            "SELECT l.id, j.ordering_key, l.epoch FROM pgtrickle._lease_jobs('{q}', 1, %s) l"
            " JOIN LATERAL (SELECT ordering_key FROM pgtrickle.job WHERE id = l.id) j ON true",
            (most,),
        ).fetchall():
            for done in [one for one in self.waiting[key] if one < job and one in self.cancelled]:
                self.waiting[key].discard(done)
            assert all(held != key for _, held in self.active.values()), "two of a key"
            assert job == min(self.waiting[key]), "out of order"
            assert job not in self.delayed and job not in self.cancelled
            self.waiting[key].discard(job)
            self.active[job] = (epoch, key)

    def end(self, how: str, which: int) -> None:
        if not self.active:
            return
        job = sorted(self.active)[which % len(self.active)]
        epoch, key = self.active.pop(job)
        if how == "complete":
            query, more = "_complete_jobs(%s, %s, '{null}'::jsonb[])", ()
        elif how == "release":
            query, more = "_release_jobs(%s, %s)", ()
        else:
            query, more = "_fail_jobs(%s, %s, '{null}'::jsonb[], %s, %s)", ([how == "fail"], how == "retry")
        found = self.conn.execute(f"SELECT pgtrickle.{query}".encode(), ([job], [epoch], *more)).fetchone()
        assert found == ([job],)
        if how in ("retry", "wait", "release") and job not in self.cancelled:
            self.waiting[key].add(job)
            if how == "wait":
                self.delayed.add(job)

    def cancel(self, which: int) -> None:
        there = sorted({*self.active, *(job for jobs in self.waiting.values() for job in jobs)})
        if there:
            job = there[which % len(there)]
            self.conn.execute("SELECT pgtrickle.cancel_job(%s)", (job,))
            self.cancelled.add(job)

    def due(self) -> None:
        self.conn.execute("UPDATE pgtrickle.job SET start_after = now() WHERE NOT is_ready AND state = 'retry'")
        self.conn.execute("SELECT pgtrickle._due_jobs(100)")
        self.delayed.clear()

    def finish(self) -> None:
        """Everything that is there gets done, in order, without the help of maintenance."""
        for writer in range(WRITERS):
            self.commit(writer)
        self.due()
        for _ in range(200):
            self.lease(3)
            if not self.active:
                break
            self.end("complete", 0)
        query = "SELECT count(*) FROM pgtrickle.job WHERE state NOT IN ('completed', 'cancelled', 'failed')"
        assert self.conn.execute(query.encode()).fetchone() == (0,)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(STEPS, min_size=4, max_size=30))
def test_one_at_a_time_in_order_and_none_is_stranded(db: Database, steps: list[tuple[Any, ...]]) -> None:
    with psycopg.connect(db.url, autocommit=True) as conn:
        conn.execute("TRUNCATE pgtrickle.job")
    jobs = Jobs(db)
    try:
        for name, *arguments in steps:
            if name in ("complete", "retry", "wait", "fail", "release"):
                jobs.end(name, *arguments)
            else:
                getattr(jobs, name)(*arguments)
        jobs.finish()
    finally:
        jobs.close()
