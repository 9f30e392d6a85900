"""How fast are jobs put into a queue and done, beside a bare loop that does the least a queue must, in the same run?

enqueue   one at a time and in bulk, beside bare inserts
drain     a full queue and a handler that does nothing, with batches of 10 and of 100, in turns with a loop that leases
          and acknowledges rows of a table that has nothing but a state, and with other queues where they are installed;
          and with two workers, beside two such loops
backlog   the same with more and more that waits
latency   50 jobs a second: from the commit to the handler, p50 and p99

Every commit waits for the disk, for each contender.
"""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from benchmarks import jobs_peers, jobs_two
from benchmarks.failover import percentile
from benchmarks.report import Goal, Report, judge
from benchmarks.server import Database
from trickle.jobs.enqueue import enqueue
from trickle.jobs.registry import Registry
from trickle.jobs.runner import JobRunner, RunnerOptions

COLUMNS = (
    "what",
    "batch",
    "waiting",
    "jobs",
    "per_second",
    "bare_per_second",
    "of_bare",
    "times_peer",
    "p50_ms",
    "p99_ms",
)

_ROUNDS = 3
_JOBS = 10_000
_PEER_JOBS = 3_000  # the slowest of them takes seconds for so many
_BATCHES = (10, 100)
_SINGLE = 2_000
_BULK = 1_000
_BACKLOGS = (1_000, 10_000, 100_000)
_PER_SECOND = 50
_SECONDS = 20.0
_BARE_TABLE = """
CREATE TABLE pgtrickle.bench_bare (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, data jsonb, state text DEFAULT 'created',
    epoch int DEFAULT 0
);
CREATE INDEX ON pgtrickle.bench_bare (name, id) WHERE state = 'created'
"""

Say = Callable[[str], None]
Row = dict[str, Any]


def run(database: Database, say: Say, *, quick: bool) -> Report:
    """Everything, a hundredth of it with `quick`."""
    part = 100 if quick else 1
    rows: list[Row] = []
    goals: list[Goal] = []
    with psycopg.connect(database.url, autocommit=True, prepare_threshold=2) as conn:
        conn.execute(_BARE_TABLE.encode())
        conn.execute("SELECT pgtrickle.set_config('event_driven_wake', 'on')")
        for bulk, limit in ((1, 0.7), (_BULK, 0.7)):
            say(f"enqueue, {bulk} at a time")
            rows.append(_enqueue(conn, bulk, max(bulk, (_SINGLE if bulk == 1 else 20 * _BULK) // part)))
            goals.append(
                judge(f"enqueue {bulk} at a time", rows[-1]["of_bare"], "of bare", "at least", limit, counts=not quick)
            )
        for batch, limit in zip(_BATCHES, (0.7, 0.6), strict=True):
            say(f"drain, batch {batch}")
            rows.append(_drain(database, conn, batch, _JOBS // part))
            goals.append(
                judge(f"drain, batch {batch}", rows[-1]["of_bare"], "of bare", "at least", limit, counts=not quick)
            )
            say(f"drain, batch {batch}, two workers")
            rows.append(_drain_by_two(database, conn, batch, _JOBS // part))
            say(f"drain, batch {batch}, beside other queues")
            beside = _beside_peers(database, conn, batch, _PEER_JOBS // part)
            rows += beside
            if batch == _BATCHES[0]:
                best = min((row["times_peer"] for row in beside), default=None)
                goals.append(judge("drain, beside the best peer", best, "times", "at least", 1.5, counts=not quick))
        depths = {}
        for waiting in _BACKLOGS:
            say(f"backlog of {waiting // part}")
            rows.append(_backlog(database, conn, waiting // part, 1_000 // part))
            depths[waiting] = rows[-1]["per_second"]
        flat = depths[_BACKLOGS[-1]] / depths[_BACKLOGS[0]]
        goals.append(judge("100 000 waiting beside 1 000", flat, "times", "at least", 0.8, counts=not quick))
        say("latency")
        rows.append(_latency(database, conn, _SECONDS / part))
        goals.append(judge("commit to handler, p99", rows[-1]["p99_ms"], "ms", "at most", 15, counts=not quick))
    return Report("jobs", {**database.environment, "rows": _JOBS // part, "rounds": _ROUNDS}, rows, goals)


def _clear(conn: Connection[Any]) -> None:
    conn.execute("TRUNCATE pgtrickle.job, pgtrickle.bench_bare")


def _enqueue(conn: Connection[Any], bulk: int, jobs: int) -> Row:
    data = Jsonb({"n": 1})
    many = [data] * bulk

    def ours() -> None:
        for _ in range(jobs // bulk):
            if bulk == 1:
                conn.execute("SELECT pgtrickle.enqueue('q', %s)", (data,))
            else:
                conn.execute("SELECT pgtrickle.enqueue_many('q', %s)", (many,))

    def bare() -> None:
        insert = "INSERT INTO pgtrickle.bench_bare (name, data) SELECT 'q', d FROM unnest(%s::jsonb[]) d"
        for _ in range(jobs // bulk):
            if bulk == 1:
                conn.execute("INSERT INTO pgtrickle.bench_bare (name, data) VALUES ('q', %s) RETURNING id", (data,))
            else:
                conn.execute(insert, (many,))

    return _compare(conn, f"enqueue {bulk}", jobs, lambda: _timed(ours), lambda: _timed(bare), bulk)


def _drain(database: Database, conn: Connection[Any], batch: int, jobs: int) -> Row:
    def ours() -> float:
        conn.execute("SELECT pgtrickle.enqueue_many('q', array_fill('{}'::jsonb, ARRAY[%s::int]))", (jobs,))
        return _run_runner(database.url, batch, jobs)

    def bare() -> float:
        conn.execute(
            "INSERT INTO pgtrickle.bench_bare (name, data) SELECT 'q', '{}' FROM generate_series(1, %s)", (jobs,)
        )
        return _timed(lambda: _bare_loop(conn, batch))

    return _compare(conn, "drain", jobs, ours, bare, batch)


def _drain_by_two(database: Database, conn: Connection[Any], batch: int, jobs: int) -> Row:
    def bare() -> float:
        conn.execute(
            "INSERT INTO pgtrickle.bench_bare (name, data) SELECT 'q', '{}' FROM generate_series(1, %s)", (jobs,)
        )
        return jobs_two.looped(database.url, batch, _bare_loop)

    return _compare(conn, "drain by two", jobs, lambda: jobs_two.drained(database.url, conn, batch, jobs), bare, batch)


def _beside_peers(database: Database, conn: Connection[Any], batch: int, jobs: int) -> list[Row]:
    """Ours and each of the others in turns; how many times as fast we are."""
    taken: dict[str, list[tuple[float, float]]] = {}
    for _ in range(_ROUNDS):
        _clear(conn)
        conn.execute("SELECT pgtrickle.enqueue_many('q', array_fill('{}'::jsonb, ARRAY[%s::int]))", (jobs,))
        ours = _run_runner(database.url, batch, jobs)
        for name, drain in jobs_peers.found().items():
            taken.setdefault(name, []).append((ours, drain(conn, database.url, batch, jobs)))
    return [
        {
            "what": f"drain, {name}",
            "batch": batch,
            "jobs": jobs,
            "per_second": round(jobs / statistics.median(theirs for _, theirs in rounds)),
            "times_peer": round(statistics.median(theirs / mine for mine, theirs in rounds), 2),
        }
        for name, rounds in taken.items()
    ]


def _bare_loop(conn: Connection[Any], batch: int) -> None:
    lease = sql.SQL(
        "UPDATE pgtrickle.bench_bare SET state = 'active', epoch = epoch + 1 WHERE id = ANY (ARRAY(SELECT id FROM"
        " pgtrickle.bench_bare WHERE name = 'q' AND state = 'created' ORDER BY id LIMIT {} FOR UPDATE SKIP LOCKED))"
        " RETURNING id, data, epoch"
    ).format(sql.Literal(batch))
    acknowledge = "UPDATE pgtrickle.bench_bare SET state = 'completed' WHERE id = ANY (%s) AND state = 'active'"
    while found := conn.execute(lease).fetchall():
        conn.execute(acknowledge, ([row[0] for row in found],))


def _compare(
    conn: Connection[Any], what: str, jobs: int, ours: Callable[[], float], bare: Callable[[], float], batch: int
) -> Row:
    """Seconds in turns; the ratio is the median of those of the rounds."""
    taken: list[tuple[float, float]] = []
    for _ in range(_ROUNDS):
        _clear(conn)
        taken.append((ours(), bare()))
    return {
        "what": what,
        "batch": batch,
        "jobs": jobs,
        "per_second": round(jobs / statistics.median(mine for mine, _ in taken)),
        "bare_per_second": round(jobs / statistics.median(theirs for _, theirs in taken)),
        "of_bare": round(statistics.median(theirs / mine for mine, theirs in taken), 3),
    }


def _backlog(database: Database, conn: Connection[Any], waiting: int, jobs: int) -> Row:
    taken = []
    for _ in range(_ROUNDS):
        _clear(conn)
        conn.execute("SELECT pgtrickle.enqueue_many('q', array_fill('{}'::jsonb, ARRAY[%s::int]))", (waiting,))
        conn.execute("VACUUM ANALYZE pgtrickle.job")
        taken.append(_run_runner(database.url, 10, jobs))
    return {
        "what": "backlog",
        "batch": 10,
        "waiting": waiting,
        "jobs": jobs,
        "per_second": round(jobs / statistics.median(taken)),
    }


def _run_runner(url: str, batch: int, jobs: int) -> float:
    """Seconds from the first handler to the last acknowledgement of so many."""
    registry = Registry()
    begun: list[float] = []
    done = 0

    @registry.job("q")
    async def handle(_: object) -> None:
        nonlocal done
        done += 1
        if done == 1:
            begun.append(time.perf_counter())
        elif done == jobs:
            runner.stop()

    runner = JobRunner(url, registry, RunnerOptions(concurrency=2 * batch, batch=batch))
    asyncio.run(runner.run())
    return time.perf_counter() - begun[0]


def _timed(action: Callable[[], None]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _latency(database: Database, conn: Connection[Any], seconds: float) -> Row:
    """Milliseconds from the moment at which the commit was answered; a handler may even be faster."""
    _clear(conn)
    jobs = max(2, int(seconds * _PER_SECOND))
    committed: dict[int, float] = {}
    handled: dict[int, float] = {}
    registry = Registry()

    @registry.job("q")
    async def handle(n: int) -> None:
        handled[n] = time.perf_counter()
        if len(handled) == jobs:
            runner.stop()

    runner = JobRunner(database.url, registry)

    def publish() -> None:
        for n in range(jobs):
            enqueue(conn, "q", n)
            committed[n] = time.perf_counter()
            time.sleep(1 / _PER_SECOND)

    publisher = threading.Thread(target=publish)
    publisher.start()
    asyncio.run(runner.run())
    publisher.join()
    took = sorted(max(0.0, handled[n] - committed[n]) * 1000 for n in range(jobs))
    return {
        "what": "latency",
        "batch": 10,
        "jobs": jobs,
        "per_second": _PER_SECOND,
        "p50_ms": round(percentile(took, 0.5), 2),
        "p99_ms": round(percentile(took, 0.99), 2),
    }
