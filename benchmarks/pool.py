"""Is the pool of workers too small, too large, or is the scheduler the bottleneck? The methodology of the tuning guide.

With 200 and more stream tables, `max_dynamic_refresh_workers` is set to 4, 8 and 16 in turn, while a steady load is
written to all sources. Once a second the guide's own statement is asked as it is printed there: refreshes that run, the
size of the pool, and how many jobs are queued. What it tells is drawn: the share of the pool that is in use, and the
queue, over time, for each size.

    use above 90 % and a queue that does not empty    the pool is too small
    use below 50 %                                    the pool is larger than it need be
    a queue above 10, and workers to spare            the scheduler is the bottleneck
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection, sql

from benchmarks.fleet import Fleet, await_that, connect, fleet
from benchmarks.measure import check_equal
from benchmarks.plot import Panel, draw
from benchmarks.report import Report, judge
from benchmarks.server import Database

COLUMNS = ("workers", "use_pct", "queue_median", "queue_max", "refreshes_per_s", "verdict")
STATED_TABLES, QUICK_TABLES = 200, 20
STATED_SECONDS, QUICK_SECONDS = 30.0, 4.0
STATED_SIZES, QUICK_SIZES = (4, 8, 16), (2, 4)
_SOURCES = 10
_QUERY = "SELECT grp, count(*) AS n, sum(v + {n}) AS total FROM pool.source_{source} GROUP BY grp"
_SAMPLE = """
SELECT now() AS ts,
       (SELECT active_workers FROM pgtrickle.worker_pool_status()) AS active,
       (SELECT max_workers FROM pgtrickle.worker_pool_status()) AS pool_size,
       (SELECT COUNT(*) FROM pgtrickle.parallel_job_status(5)
        WHERE status = 'QUEUED') AS queue_depth;
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """One second: the share of the pool that is in use, and the jobs that wait."""

    use: float
    queue: int


def run(
    database: Database,
    tables: int,
    sizes: tuple[int, ...],
    seconds: float,
    plot: Path | None,
    say: Callable[[str], None],
) -> Report:
    """Every size of the pool in turn; raises when a result is wrong."""
    samples: dict[int, list[Sample]] = {}
    rates: dict[int, float] = {}
    with connect(database.url) as conn:
        _prepare(conn, tables)
        for size in sizes:
            say(f"{size} workers")
            conn.execute("SELECT pgtrickle.set_config('max_dynamic_refresh_workers', %s)", (str(size),))
            with tempfile.TemporaryDirectory() as folder, fleet(database.url, Path(folder), 1, workers=size) as group:
                samples[size], rates[size] = _measure(database, conn, group, seconds)
        _await_quiet(conn)
        for n in range(0, tables, max(1, tables // 20)):
            check_equal(conn, sql.Identifier("pool", f"st_{n}"), _query(n), sql.SQL("grp, n, total"))
    if plot is not None:
        _draw(plot, tables, samples)
        say(f"drawn: {plot}")
    rows = [_row(size, taken, rates[size]) for size, taken in samples.items()]
    environment = {**database.environment, "rows": tables, "rounds": 1, "seconds": seconds}
    goals = [judge("samples of each size", min(map(len, samples.values())), "", "at least", seconds - 1, counts=True)]
    return Report("pool", environment, rows, goals)


def _query(n: int) -> str:
    return _QUERY.format(n=n, source=n % _SOURCES)


def _prepare(conn: Connection[Any], tables: int) -> None:
    conn.execute("CREATE SCHEMA pool")
    conn.execute("SELECT pgtrickle.set_config('event_driven_wake', 'on')")
    for source in range(_SOURCES):
        name = sql.Identifier("pool", f"source_{source}")
        conn.execute(sql.SQL("CREATE TABLE {} (id int PRIMARY KEY, grp int, v int)").format(name))
        conn.execute(sql.SQL("INSERT INTO {} SELECT n, n % 1000, n FROM generate_series(1, 5000) AS n").format(name))
    for n in range(tables):
        conn.execute(
            "SELECT pgtrickle.create_stream_table(%s, %s, schedule => 'calculated')", (f"pool.st_{n}", _query(n))
        )


def _measure(database: Database, conn: Connection[Any], group: Fleet, seconds: float) -> tuple[list[Sample], float]:
    compiled = "SELECT FROM pgtrickle.pgt_stream_tables WHERE program_state <> 'compiled' OR NOT is_populated"
    await_that(lambda: conn.execute(compiled).fetchone() is None, "the programs were not made", pause=0.5)
    is_over = threading.Event()
    writer = threading.Thread(target=_write, args=(database.url, is_over))
    writer.start()
    taken: list[Sample] = []
    try:
        before = _refreshes(conn)
        started = time.perf_counter()
        while (passed := time.perf_counter() - started) < seconds:
            row = conn.execute(_SAMPLE).fetchone()
            assert row is not None
            taken.append(Sample(row[1] / max(1, row[2]), row[3]))
            time.sleep(max(0.0, len(taken) - (time.perf_counter() - started)))
        done = _refreshes(conn) - before
        if not done:
            raise ValueError(f"nothing was refreshed in {passed:.0f} s: there is nothing to tell of a pool")
        return taken, done / passed
    finally:
        is_over.set()
        writer.join()


def _write(url: str, is_over: threading.Event) -> None:
    """A batch into every source, ten times a second."""
    with connect(url) as conn:
        turn = 0
        while not is_over.wait(0.1):
            turn += 1
            for source in range(_SOURCES):
                name = sql.Identifier("pool", f"source_{source}")
                update = sql.SQL("UPDATE {} SET v = v + 1 WHERE mod(id, 500) = %s").format(name)
                conn.execute(update, (turn % 500,))


def _await_quiet(conn: Connection[Any]) -> None:
    """By hand: no instance runs any more."""
    for (name,) in conn.execute("SELECT pgt_schema || '.' || pgt_name FROM pgtrickle.pgt_stream_tables").fetchall():
        conn.execute("SELECT pgtrickle.refresh_stream_table(%s)", (name,))


def _refreshes(conn: Connection[Any]) -> int:
    row = conn.execute("SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE status = 'COMPLETED'").fetchone()
    return int(row[0]) if row else 0


def _row(size: int, taken: list[Sample], rate: float) -> dict[str, Any]:
    use = statistics.mean(sample.use for sample in taken)
    queue = [sample.queue for sample in taken]
    return {
        "workers": size,
        "use_pct": round(100 * use, 1),
        "queue_median": statistics.median(queue),
        "queue_max": max(queue),
        "refreshes_per_s": round(rate, 1),
        "verdict": verdict(use, statistics.median(queue)),
    }


def verdict(use: float, queue: float) -> str:
    """What the guide makes of the use of a pool (0 to 1) and the depth of its queue.

    >>> verdict(0.95, 3), verdict(0.3, 0), verdict(0.6, 20), verdict(0.7, 2)
    ('too small', 'larger than it need be', 'the scheduler is the bottleneck', 'fits')
    """
    if use > 0.9 and queue > 0:
        return "too small"
    if queue > 10:
        return "the scheduler is the bottleneck"
    return "larger than it need be" if use < 0.5 else "fits"


def _draw(path: Path, tables: int, samples: dict[int, list[Sample]]) -> None:
    panels = [
        Panel("pool in use (%)", {f"{n} workers": [100 * s.use for s in taken] for n, taken in samples.items()}, 100.0),
        Panel("jobs queued", {f"{n} workers": [float(s.queue) for s in taken] for n, taken in samples.items()}),
    ]
    draw(path, f"{tables} stream tables", panels)
