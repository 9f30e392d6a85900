"""What does an instance cost when there are very many stream tables, of which few have something to do?

A database gets 100, then 1 000, then 10 000 stream tables, each over a source of its own. At each number one instance
runs, and these are taken:

    creation   milliseconds for each stream table, and until its program is made. A session makes a hundred: one that
               makes thousands keeps plans of each, and looks at all of them whenever anything is defined
    idle       processor time of the instance (the parent, its subprocesses, and the server's processes that serve
               them) while nobody writes, as a share of one core; for so long that all it does now and then is in it
    active     the same while each second one row is written to a part of the sources: the curve. What the subprocesses
               and their sessions take is the refreshes themselves; the parent and its two sessions are the scheduling
    memory     of the parent and of a subprocess, by stream table: what the largest number takes more than the smallest

Processor times are read from the operating system, by process, so the server has to run on this machine. Other than in
the other benchmarks it vacuums and analyses by itself: catalogs that grow a hundredfold and keep the statistics of an
empty database are nobody's.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from psycopg import Connection, sql

from benchmarks.fleet import Fleet, await_that, connect, fleet
from benchmarks.measure import check_equal
from benchmarks.report import Goal, Report, judge
from benchmarks.server import Database

COLUMNS = (
    "tables",
    "active",
    "create_ms",
    "compile_ms",
    "scheduling_pct",
    "refreshing_pct",
    "ms_per_active",
    "refreshes",
    "parent_mb",
    "child_mb",
)
SERVER = {"autovacuum": True}
STATED_TABLES = (100, 1000, 10_000)
QUICK_TABLES = (20, 100)
_BY_ONE_SESSION = 100
_SHARES = (0.001, 0.01, 0.1)
_SESSIONS = "SELECT pid, application_name ~ '_refresh' FROM pg_stat_activity WHERE application_name ^@ 'pg_trickle_'"
_QUERY = "SELECT grp, count(*) AS n, sum(v) AS total FROM scale.source_{n} GROUP BY grp"
STATED_SECONDS = 20.0
QUICK_SECONDS = 3.0
_IDLE_TIMES = 6  # as long as each of the others: the rarest chore of an instance comes every two minutes
_SETTLE_SECONDS = 5.0
_SETTLE_TABLES = 50  # so many are looked at for the first time in a second


class Meter:
    """Seconds of processor time since it was made: of deciding, and of doing.

    Sessions of subprocesses are exchanged, and a process that is gone cannot be asked: it wants to be read often.
    """

    def __init__(self, conn: Connection[Any], parent: psutil.Process) -> None:
        self._conn = conn
        self._parent = parent
        self._spent = {False: 0.0, True: 0.0}
        self._known = self._now()

    def read(self) -> None:
        """Add what those that are there now have spent since the last time."""
        before, self._known = self._known, self._now()
        for process, spent in self._known.items():
            self._spent[process[1]] += spent - before.get(process, 0.0)

    @property
    def scheduling(self) -> float:
        return self._spent[False]

    @property
    def refreshing(self) -> float:
        return self._spent[True]

    def _now(self) -> dict[tuple[int, bool], float]:
        """The time of each process, and whether it refreshes."""
        sessions = [(int(pid), bool(refreshes)) for pid, refreshes in self._conn.execute(_SESSIONS).fetchall()]
        children = [(child.pid, True) for child in self._parent.children()]
        processes = [(self._parent.pid, False), *children, *sessions]
        return {process: spent for process in processes if (spent := _cpu(process[0])) is not None}


def run(database: Database, numbers: tuple[int, ...], seconds: float, say: Callable[[str], None]) -> Report:
    """Every number of stream tables in turn, in one database; raises when something never comes to rest or is wrong."""
    rows: list[dict[str, Any]] = []
    made = 0
    with connect(database.url) as conn:
        conn.execute("CREATE SCHEMA scale")
        conn.execute("SELECT pgtrickle.set_config('event_driven_wake', 'on')")
        for number in numbers:
            say(f"creating {number} stream tables")
            started = time.perf_counter()
            for first in range(made, number, _BY_ONE_SESSION):
                with connect(database.url) as maker:
                    for n in range(first, min(first + _BY_ONE_SESSION, number)):
                        _create(maker, n)
            created = (time.perf_counter() - started) * 1000 / (number - made)
            with tempfile.TemporaryDirectory() as folder, fleet(database.url, Path(folder), 1, workers=2) as group:
                started = time.perf_counter()
                _await_compiled(conn, say)
                compiled = (time.perf_counter() - started) * 1000 / (number - made)
                made = number
                rows += _measure(conn, group, number, seconds, say, {"create_ms": created, "compile_ms": compiled})
        for n in range(0, made, max(1, made // 50)):
            check_equal(conn, sql.Identifier("scale", f"st_{n}"), _QUERY.format(n=n), sql.SQL("grp, n, total"))
    environment = {**database.environment, "rows": made, "rounds": 1, "seconds": seconds}
    return Report("scale", environment, rows, _goals(rows, counts=numbers == STATED_TABLES))


def _create(conn: Connection[Any], n: int) -> None:
    conn.execute(
        sql.SQL("CREATE TABLE {} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, grp int, v int)").format(
            sql.Identifier("scale", f"source_{n}")
        )
    )
    conn.execute(
        "SELECT pgtrickle.create_stream_table(%s, %s, schedule => 'calculated')", (f"scale.st_{n}", _QUERY.format(n=n))
    )


def _await_compiled(conn: Connection[Any], say: Callable[[str], None]) -> None:
    query = "SELECT count(*) FROM pgtrickle.pgt_stream_tables WHERE program_state <> 'compiled' OR NOT is_populated"
    left = _number(conn, query)
    while left:
        say(f"{left} programs are still to be made")
        for _ in range(20):
            time.sleep(0.5)
            if not _number(conn, query):
                return
        now = _number(conn, query)
        if now >= left:
            raise ValueError("no more programs are made")
        left = now


def _measure(
    conn: Connection[Any],
    group: Fleet,
    number: int,
    seconds: float,
    say: Callable[[str], None],
    made: dict[str, float],
) -> list[dict[str, Any]]:
    (instance,) = group.running.values()
    parent = psutil.Process(instance.process.pid)
    _await_asleep(conn)
    # Each is checked once by whoever comes to own it; that is not what an idle instance costs.
    time.sleep(_SETTLE_SECONDS + number / _SETTLE_TABLES)
    rows = []
    for share in (0.0, *_SHARES):
        active = round(number * share)
        if share and not active:
            continue
        say(f"{number} stream tables, {active} active")
        meter, refreshes = Meter(conn, parent), _refreshes(conn)
        started, lasts = time.perf_counter(), seconds if active else _IDLE_TIMES * seconds
        while (passed := time.perf_counter() - started) < lasts:
            for n in range(active):
                # Another part of them at each size: a source that was quiet for long is as good as one that was not.
                name = sql.Identifier("scale", f"source_{(n * 7 + round(share * 1000)) % number}")
                conn.execute(sql.SQL("INSERT INTO {} (grp, v) VALUES (%s, %s)").format(name), (n % 10, n))
            time.sleep(max(0.0, round(passed + 1) - (time.perf_counter() - started)))
            meter.read()
        lasted = time.perf_counter() - started
        rows.append(
            {
                "tables": number,
                "active": active,
                "scheduling_pct": round(100 * meter.scheduling / lasted, 2),
                "refreshing_pct": round(100 * meter.refreshing / lasted, 2),
                "ms_per_active": round(1000 * meter.scheduling / lasted / active, 2) if active else None,
                "refreshes": _refreshes(conn) - refreshes,
            }
            | ({name: round(value, 1) for name, value in made.items()} if not active else {})
            | ({"parent_mb": _mb(parent), "child_mb": max(map(_mb, parent.children()))} if not active else {})
        )
        _await_quiet(conn)
    return rows


def _cpu(pid: int) -> float | None:
    """Of all threads; nanoseconds of the scheduler where the system has them: a tick of 10 ms would hide much."""
    try:
        threads = Path(f"/proc/{pid}/task").iterdir()
        return sum(int((each / "schedstat").read_text(encoding="ascii").split()[0]) for each in threads) / 1e9
    except OSError:
        pass
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.NoSuchProcess:
        return None
    return float(times.user + times.system)


def _mb(process: psutil.Process) -> float:
    return round(float(process.memory_info().rss) / (1 << 20), 1)


def _refreshes(conn: Connection[Any]) -> int:
    return _number(conn, "SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE status = 'COMPLETED'")


def _await_asleep(conn: Connection[Any]) -> None:
    query = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = pgtrickle._bell_class()::bigint"
        " AND mode = 'ExclusiveLock'"
    )
    wanted = _number(conn, "SELECT count(DISTINCT pgtrickle._bell(source_id)) FROM pgtrickle.pgt_dependencies")
    await_that(lambda: _number(conn, query) == wanted, "the instance did not come to rest", pause=0.2)


def _await_quiet(conn: Connection[Any]) -> None:
    pending = "SELECT FROM pgtrickle.pending() WHERE has_changes"
    await_that(lambda: conn.execute(pending).fetchone() is None, "changes were left over", pause=0.5)
    _await_asleep(conn)


def _number(conn: Connection[Any], query: str) -> int:
    row = conn.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


def _goals(rows: list[dict[str, Any]], *, counts: bool) -> list[Goal]:
    idle = {row["tables"]: row for row in rows if not row["active"]}
    goals = [
        judge(
            f"{number} stream tables, nobody writes: processor time of the instance",
            row["scheduling_pct"] + row["refreshing_pct"],
            "% of a core",
            "at most",
            2.0,
            counts=counts,
        )
        for number, row in idle.items()
    ]
    fewest, most = min(idle), max(idle)
    for what in ("parent_mb", "child_mb"):
        grown = (idle[most][what] - idle[fewest][what]) * 1024 / (most - fewest)
        goals.append(judge(f"memory of a stream table, {what}", grown, "kB", "at most", 20.0, counts=False))
    return goals
