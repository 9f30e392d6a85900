"""How long after a commit does the stream table show it, and what do the writers pay for that?

One instance runs with the low-latency profile. Writers, in a process of their own, commit single rows at a rate. The
server notes when each transaction committed (`track_commit_timestamp`), and the row versions of source and stream table
name their transactions (`xmin`): the time between the commit of a row and the commit of the refresh that brought it is
read from both afterwards, for every row, on one clock. No reader and no trigger takes part while it is measured.

    rates     one stream table over one source, at 1, 100 and 1 000 commits per second
    chain     ten stream tables, each reading the one before; the time until the last one shows the row
    wide      three levels of twenty; until all twenty of the last level show it
    diamond   two stream tables over one source, and one that joins them

What writers pay is asked twice. At each rate, the same load is offered without wake: what is committed then is the
measure. And sixteen writers whose commits wait for the disk write as fast as they can, with wake, without, and with a
trigger that notifies in every commit, which is what makes commits wait for each other.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection, sql

from benchmarks.failover import percentile
from benchmarks.fleet import Fleet, await_that, connect, fleet
from benchmarks.measure import check_equal
from benchmarks.report import Goal, Report, judge
from benchmarks.server import Database
from benchmarks.writers import write

COLUMNS = ("what", "wake", "commits", "per_second", "refreshes", "p50_ms", "p90_ms", "p99_ms", "max_ms")

STATED_SECONDS = 30.0
QUICK_SECONDS = 3.0
_RATES = (1, 100, 1000)
_SESSIONS = 4
_PROFILE = {"scheduler_interval_ms": "200", "event_driven_wake": "on", "tiered_scheduling": "on"}
_LATENCIES = """
SELECT extract(epoch FROM max(pg_xact_commit_timestamp(k.xmin) - pg_xact_commit_timestamp(s.xmin)))::float8 * 1000
  FROM latency.{source} AS s
  JOIN ({shown}) AS k USING (id)
 WHERE s.id > {since}
 GROUP BY s.id
HAVING count(*) = {times}
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """Stream tables over one source: the last ones are those that are waited for."""

    name: str
    queries: tuple[tuple[str, str], ...]
    last: tuple[str, ...]
    rate: float
    p50: float | None
    p99: float | None

    @property
    def source(self) -> str:
        return f"{self.name}_source"


def run(database: Database, seconds: float, names: str | None, say: Callable[[str], None]) -> Report:
    """Every shape, or those of a comma-separated list; raises when a result is wrong or something never arrives."""
    rows: list[dict[str, Any]] = []
    goals: list[Goal] = []
    counts = seconds >= STATED_SECONDS
    chosen = _chosen(names)
    with connect(database.url) as conn:
        if conn.execute("SHOW track_commit_timestamp").fetchone() != ("on",):
            raise ValueError("the server must have track_commit_timestamp = on: that is how latency is measured")
        conn.execute("CREATE SCHEMA latency")
        for name, value in _PROFILE.items():
            conn.execute("SELECT pgtrickle.set_config(%s, %s)", (name, value))
        with tempfile.TemporaryDirectory() as folder, fleet(database.url, Path(folder), 1, workers=4) as group:
            for shape in chosen:
                say(shape.name)
                _create(conn, shape)
                row = _measure(database, conn, shape, seconds)
                rows.append(row)
                goals += _goals(shape, row, counts=counts)
                if shape.last == ("kept",):
                    rows.append(_without_wake(database, conn, group, shape, seconds))
                    goals.append(
                        judge(
                            f"{shape.name}: throughput of writers, of that without wake",
                            row["per_second"] / rows[-1]["per_second"],
                            "times",
                            "at least",
                            0.9,
                            counts=counts,
                        )
                    )
                _drop(conn, shape)
            if names is None:
                say("writers as fast as they can")
                rows += _unbridled(database, conn, group, seconds)
                goals.append(_serialisation(rows, counts=counts))
    environment = {**database.environment, "rows": 0, "rounds": 1, "seconds": seconds, "profile": _PROFILE}
    return Report("latency", environment, rows, goals)


def _chosen(names: str | None) -> list[Shape]:
    found = {shape.name: shape for shape in (*map(_rated, _RATES), _chain(), _wide(), _diamond())}
    wanted = list(found) if names is None else names.split(",")
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise ValueError(f"no such shape: {', '.join(unknown)}; there are {', '.join(found)}")
    return [found[name] for name in wanted]


def _rated(rate: int) -> Shape:
    query = "SELECT id, writer FROM latency.{source} WHERE writer >= 0"
    return Shape(f"rate_{rate}", (("kept", query),), ("kept",), rate, 10.0, 50.0)


def _chain() -> Shape:
    first = ("chain_1", "SELECT id, writer FROM latency.{source}")
    rest = tuple((f"chain_{n}", f"SELECT id, writer FROM latency.chain_{n - 1}") for n in range(2, 11))
    return Shape("chain", (first, *rest), ("chain_10",), 2, 60.0, None)


def _wide() -> Shape:
    levels = [("", "latency.{source}"), ("wide_1", ""), ("wide_2", "")]
    queries = []
    for level in range(1, len(levels) + 1):
        for n in range(20):
            above = "latency.{source}" if level == 1 else f"latency.wide_{level - 1}_{n}"
            queries.append((f"wide_{level}_{n}", f"SELECT id, writer + {n} AS writer FROM {above}"))
    return Shape("wide", tuple(queries), tuple(f"wide_3_{n}" for n in range(20)), 1, 250.0, None)


def _diamond() -> Shape:
    sides = [(side, f"SELECT id, writer AS {side} FROM latency.{{source}}") for side in ("left_side", "right_side")]
    join = "SELECT id, left_side, right_side FROM latency.left_side JOIN latency.right_side USING (id)"
    return Shape("diamond", (*sides, ("meeting", join)), ("meeting",), 2, 20.0, None)


def _create(conn: Connection[Any], shape: Shape) -> None:
    name = sql.Identifier("latency", shape.source)
    conn.execute(
        sql.SQL("CREATE TABLE {} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, writer int)").format(name)
    )
    for table, query in shape.queries:
        conn.execute(
            "SELECT pgtrickle.create_stream_table(%s, %s, schedule => 'calculated')",
            (f"latency.{table}", query.format(source=shape.source)),
        )
    compiled = "SELECT FROM pgtrickle.pgt_stream_tables WHERE program_state <> 'compiled' OR NOT is_populated"
    await_that(lambda: conn.execute(compiled).fetchone() is None, "the programs were not made", pause=0.1)
    # Sessions have plans to make and buffers to vacuum before anything is usual.
    for _ in range(20):
        conn.execute(sql.SQL("INSERT INTO {} (writer) VALUES (0)").format(name))
        time.sleep(0.05)
    _await_shown(conn, shape)


def _drop(conn: Connection[Any], shape: Shape) -> None:
    for table, _ in reversed(shape.queries):
        conn.execute("SELECT pgtrickle.drop_stream_table(%s)", (f"latency.{table}",))
    conn.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier("latency", shape.source)))


def _measure(
    database: Database, conn: Connection[Any], shape: Shape, seconds: float, wake: str = "on"
) -> dict[str, Any]:
    since = _number(conn, sql.SQL("SELECT max(id) FROM {}").format(sql.Identifier("latency", shape.source)))
    refreshes = _number(conn, "SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE status = 'COMPLETED'")
    sessions = min(_SESSIONS, max(1, round(shape.rate)))
    # At one commit in a second a short run would see three of them.
    lasting = max(seconds, min(2 * seconds, 20 / shape.rate))
    done = write(database.url, f"latency.{shape.source}", rate=shape.rate, seconds=lasting, sessions=sessions)
    _await_shown(conn, shape)
    shown = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT id, xmin FROM {}").format(sql.Identifier("latency", table)) for table in shape.last
    )
    query = sql.SQL(_LATENCIES).format(
        source=sql.Identifier(shape.source), shown=shown, since=sql.Literal(since), times=sql.Literal(len(shape.last))
    )
    times = [float(ms) for (ms,) in conn.execute(query).fetchall()]
    after = _number(conn, "SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE status = 'COMPLETED'")
    for table, text in shape.queries:
        relation = sql.Identifier("latency", table)
        columns = sql.SQL("id, left_side, right_side") if table == "meeting" else sql.SQL("*")
        check_equal(conn, relation, text.format(source=shape.source), columns)
    return {
        "what": shape.name,
        "wake": wake,
        "commits": done.commits,
        "per_second": round(done.rate, 1),
        "refreshes": after - refreshes,
        "p50_ms": round(statistics.median(times), 2),
        "p90_ms": round(percentile(times, 0.9), 2),
        "p99_ms": round(percentile(times, 0.99), 2),
        "max_ms": round(max(times), 2),
    }


def _without_wake(
    database: Database, conn: Connection[Any], group: Fleet, shape: Shape, seconds: float
) -> dict[str, Any]:
    with _Asleep(conn, group):
        return _measure(database, conn, shape, seconds, wake="off")


class _Asleep:
    """While it lasts, writers wake nobody."""

    def __init__(self, conn: Connection[Any], group: Fleet) -> None:
        self._conn = conn
        self._group = group

    def __enter__(self) -> None:
        self._set("off")

    def __exit__(self, *_: object) -> None:
        self._set("on")

    def _set(self, value: str) -> None:
        self._conn.execute("SELECT pgtrickle.set_config('event_driven_wake', %s)", (value,))
        for instance in self._group.running.values():
            instance.reload()
        held = (
            "SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = pgtrickle._bell_class()::bigint"
            " AND mode = 'ExclusiveLock'"
        )
        await_that(
            lambda: (self._conn.execute(held).fetchone() is not None) == (value == "on"),
            "the instance did not follow the setting",
            pause=0.05,
        )


def _unbridled(database: Database, conn: Connection[Any], group: Fleet, seconds: float) -> list[dict[str, Any]]:
    """Sixteen writers whose commits wait for the disk, in turns: a disk that is busy for a while is so for all."""
    shape = Shape("unbridled", (("kept", "SELECT id, writer FROM latency.{source}"),), ("kept",), 0, None, None)
    _create(conn, shape)
    name = sql.Identifier("latency", shape.source)
    conn.execute(
        "CREATE FUNCTION latency.tell() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_notify('latency', ''); RETURN NULL; END $$"
    )
    rates: dict[str, list[float]] = {"on": [], "off": [], "NOTIFY in every commit": []}
    for _ in range(3):
        for wake in rates:
            notifies = wake not in ("on", "off")
            if notifies:
                tell = "CREATE TRIGGER tell AFTER INSERT ON {} FOR EACH STATEMENT EXECUTE FUNCTION latency.tell()"
                conn.execute(sql.SQL(tell).format(name))
            if wake != "on":
                with _Asleep(conn, group):
                    rates[wake].append(_write_freely(database, shape, seconds))
            else:
                rates[wake].append(_write_freely(database, shape, seconds))
            if notifies:
                conn.execute(sql.SQL("DROP TRIGGER tell ON {}").format(name))
            _await_shown(conn, shape)
            conn.execute(sql.SQL("VACUUM (ANALYZE) {}").format(name))
    _drop(conn, shape)
    return [
        {"what": shape.name, "wake": wake, "per_second": round(statistics.median(taken), 1)}
        for wake, taken in rates.items()
    ]


def _write_freely(database: Database, shape: Shape, seconds: float) -> float:
    table = f"latency.{shape.source}"
    lasting = min(seconds, 5.0)
    return write(database.url, table, rate=0, seconds=lasting, sessions=16, synchronous_commit="on").rate


def _await_shown(conn: Connection[Any], shape: Shape) -> None:
    newest = sql.SQL("SELECT max(id) FROM {}")
    wanted = _number(conn, newest.format(sql.Identifier("latency", shape.source)))
    for table in shape.last:
        query = newest.format(sql.Identifier("latency", table))
        await_that(lambda query=query: _number(conn, query) == wanted, f"{table} did not follow", pause=0.05)  # type: ignore[misc]


def _number(conn: Connection[Any], query: str | sql.Composed) -> int:
    row = conn.execute(query.encode() if isinstance(query, str) else query).fetchone()
    return int(row[0] or 0) if row else 0


def _goals(shape: Shape, row: dict[str, Any], *, counts: bool) -> list[Goal]:
    found = []
    for word, limit in (("p50", shape.p50), ("p99", shape.p99)):
        if limit is not None:
            name = f"{shape.name}: from commit to visible, {word}"
            found.append(judge(name, row[f"{word}_ms"], "ms", "at most", limit, counts=counts))
    return found


def _serialisation(rows: list[dict[str, Any]], *, counts: bool) -> Goal:
    rates = {row["wake"]: row["per_second"] for row in rows if row["what"] == "unbridled"}
    name = "sixteen writers as fast as they can: with wake, of that without"
    return judge(name, rates["on"] / rates["off"], "times", "at least", 0.9, counts=counts)
