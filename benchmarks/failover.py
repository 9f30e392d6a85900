"""How long does nobody work on a stream table when an instance fails?

Three instances with every setting at its default share some stream tables. Again and again one of them is killed,
loses its lock session, is frozen with its subprocesses (SIGSTOP), or the server is restarted under all of them. From
outside, every millisecond or so, pg_locks tells when all claims are held again, none by the victim's old session, and
the history tells when the first of the stream tables that were concerned has been refreshed after that. A source is
written just before, and again if the victim has left nothing to refresh.

The time of a server restart begins when the server takes connections again. After each event the fleet is brought
back to three instances that have their shares, and the next one comes after a random pause, so that it meets every
phase of ticks and waits. At the end every stream table is compared with its query.
"""

from __future__ import annotations

import math
import random
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg import Connection, sql

from benchmarks.fleet import Claims, Fleet, await_that, connect, fleet
from benchmarks.measure import check_equal
from benchmarks.report import Goal, Report, judge
from benchmarks.server import Database

COLUMNS = ("what", "kills", "held_p50", "held_p99", "held_max", "refreshed_p50", "refreshed_p99", "refreshed_max")

STATED_KILLS = 100
QUICK_KILLS = 5
_INSTANCES = 3
_TABLES = 24
_QUERY = "SELECT count(*) AS n, sum(v + {number}) AS total FROM failover.source"
_SINCE = """
SELECT EXISTS (SELECT FROM pgtrickle.pgt_refresh_history AS h
               WHERE h.status = 'COMPLETED' AND h.start_time >= %(since)s AND h.pgt_id = ANY (%(theirs)s))
"""
_LEFT = "SELECT EXISTS (SELECT FROM pgtrickle.pending(%(theirs)s::bigint[]) WHERE has_changes)"
KILLED, TERMINATED, FROZEN, RESTARTED = "kill -9", "lock session terminated", "SIGSTOP", "server restart"
# Milliseconds. The first refresh is counted from the moment when all claims are held.
_HELD_GOALS = {KILLED: 250.0, TERMINATED: 250.0, FROZEN: 5000.0}
_REFRESHED_GOAL = 1000.0


@dataclass(slots=True)
class Times:
    """Milliseconds without an owner, and from then to the first refresh, of one kind of failure."""

    held: list[float] = field(default_factory=list)
    refreshed: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Failure:
    """What is done to a victim, and how it is undone when the times have been taken."""

    name: str
    strike: Callable[[Fleet, str, int], float]  # the moment from which time counts
    heal: Callable[[Fleet, str], None]


def run(database: Database, kills: int, say: Callable[[str], None]) -> Report:
    """Every kind of failure `kills` times; raises when claims stay without an owner or a result is wrong."""
    _prepare(database)
    times: dict[str, Times] = {}
    with tempfile.TemporaryDirectory() as folder, fleet(database.url, Path(folder), _INSTANCES) as group:
        for failure in _failures(database):
            times[failure.name] = Times()
            for number in range(kills):
                _once(database, group, failure, times[failure.name])
                say(f"{failure.name} {number + 1}/{kills}: {times[failure.name].held[-1]:.0f} ms")
        _check(database)
    environment = {**database.environment, "rows": _TABLES, "rounds": kills, "instances": _INSTANCES}
    return Report("failover", environment, _rows(times), _goals(times, counts=kills >= STATED_KILLS))


def _prepare(database: Database) -> None:
    with connect(database.url) as conn:
        conn.execute("CREATE SCHEMA failover")
        conn.execute("CREATE TABLE failover.source (id int PRIMARY KEY, v int NOT NULL)")
        conn.execute("INSERT INTO failover.source SELECT n, n FROM generate_series(1, 1000) AS n")
        for number in range(_TABLES):
            conn.execute(
                "SELECT pgtrickle.create_stream_table(%s, %s, schedule => '1s')",
                (f"failover.st_{number}", _QUERY.format(number=number)),
            )


def _failures(database: Database) -> list[Failure]:
    def kill(group: Fleet, victim: str, _: int) -> float:
        group.running[victim].process.send_signal(signal.SIGKILL)
        return time.perf_counter()

    def terminate(_: Fleet, __: str, pid: int) -> float:
        with connect(database.url) as conn:
            conn.execute("SELECT pg_terminate_backend(%s)", (pid,))
            return time.perf_counter()

    def freeze(group: Fleet, victim: str, _: int) -> float:
        group.running[victim].freeze()
        return time.perf_counter()

    def restart(_: Fleet, __: str, ___: int) -> float:
        database.restart()
        return time.perf_counter()

    def replace(group: Fleet, victim: str) -> None:
        group.kill(victim)
        group.start()

    def nothing(_: Fleet, __: str) -> None:
        return

    found = [
        Failure(KILLED, kill, replace),
        Failure(TERMINATED, terminate, nothing),
        Failure(FROZEN, freeze, lambda group, victim: group.running[victim].thaw()),
    ]
    return [*found, Failure(RESTARTED, restart, nothing)] if database.may_restart else found


def _once(database: Database, group: Fleet, failure: Failure, times: Times) -> None:
    with connect(database.url) as conn:
        claims = Claims(conn)
        sessions = claims.await_shares(set(group.running))
        victim = random.choice(sorted(sessions))
        theirs = [pgt_id for pgt_id, pid in claims.holders().items() if pid == sessions[victim]]
        time.sleep(random.uniform(1.0, 3.0))
        _write(conn)
        asked, server_now = time.perf_counter(), _now(conn)
    struck = failure.strike(group, victim, sessions[victim])
    with connect(database.url) as conn:
        held = Claims(conn).await_all(without=sessions[victim])
        times.held.append((held - struck) * 1000)
        # Nothing that the victim did before it was struck counts.
        parameters = {"since": server_now + timedelta(seconds=struck - asked), "theirs": theirs}
        if not _is_true(conn, _SINCE, parameters) and not _is_true(conn, _LEFT, parameters):
            _write(conn)  # the victim was quick enough to refresh what was written before
        done = await_that(
            lambda: _is_true(conn, _SINCE, parameters),
            "nothing was refreshed",
            pause=0.005,
        )
        times.refreshed.append((done - held) * 1000)
        _write(conn)
    failure.heal(group, victim)


def _is_true(conn: Connection[Any], query: str, parameters: dict[str, object]) -> bool:
    row = conn.execute(query.encode(), parameters).fetchone()
    return row is not None and bool(row[0])


def _now(conn: Connection[Any]) -> datetime:
    row = conn.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None and isinstance(row[0], datetime)
    return row[0]


def _write(conn: Connection[Any]) -> None:
    conn.execute("UPDATE failover.source SET v = v + 1 WHERE id <= 10")


def _check(database: Database) -> None:
    with connect(database.url) as conn:
        await_that(
            lambda: conn.execute("SELECT FROM pgtrickle.pending() WHERE has_changes").fetchone() is None,
            "changes were left over",
            pause=0.1,
        )
        for number in range(_TABLES):
            relation = sql.Identifier("failover", f"st_{number}")
            check_equal(conn, relation, _QUERY.format(number=number), sql.SQL("n, total"))


def percentile(samples: list[float], share: float) -> float:
    """The smallest sample that is not less than this share of all of them.

    >>> percentile([3.0, 1.0, 2.0], 0.5)
    2.0
    """
    return sorted(samples)[max(0, math.ceil(share * len(samples)) - 1)]


def _rows(times: dict[str, Times]) -> list[dict[str, Any]]:
    return [
        {"what": what, "kills": len(taken.held)}
        | {
            f"{name}_{word}": round(percentile(samples, share), 1)
            for name, samples in (("held", taken.held), ("refreshed", taken.refreshed))
            for word, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
        }
        for what, taken in times.items()
    ]


def _goals(times: dict[str, Times], *, counts: bool) -> list[Goal]:
    found = []
    for what, limit in _HELD_GOALS.items():
        taken = times[what]
        held, refreshed = percentile(taken.held, 0.99), percentile(taken.refreshed, 0.99)
        found.append(judge(f"{what}: all claims held again, p99", held, "ms", "at most", limit, counts=counts))
        name = f"{what}: from then to the first refresh, p99"
        found.append(judge(name, refreshed, "ms", "at most", _REFRESHED_GOAL, counts=counts))
    return found
