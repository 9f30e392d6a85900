"""What does an application pay for having its writes captured?

Two tables with the same rows, one of them the source of a stream table that reads every column. The same statements
go to both, in turns. COMMIT is outside the times of statements: it waits for the disk, which is the same for both
and would make every ratio look better. The writers of the throughput test commit, as writers do.

Beside the captured table the writers of the throughput test find two more: one whose statement trigger does nothing at
all, and one with the shortest capture trigger that can be written by hand (two rows, no index, nothing checked). No
trigger written in SQL can cost less than the first, and none that captures less than about the second. The writers
commit once as PostgreSQL does by default, waiting for the disk, and once with synchronous_commit off, where nothing
but the work itself is left to divide by. How long the disk is waited for differs between machines, and from one hour
to the next, and the share that is left with capture with it; so the time of a commit by itself stands beside. A share
is the median of pairs that were measured right after one another.

Single rows are written twice, by one session as by the writers: by statements that the server parses and plans each
time, as an application behind a pooler sends them (the goals about plain tables are about those), and by prepared ones,
where the same cost stands beside a smaller one.

Between rounds the changes are consumed, removed and vacuumed, as the worker and autovacuum do it (which is switched off
here, so that it falls on nobody's times): the tables and the buffer write into space that was freed before, like
everything that has run for a while.
"""

from __future__ import annotations

import random
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql

from benchmarks.measure import Samples, check_equal, in_turn, ratio, timed_ms
from benchmarks.report import Goal, Report, judge
from benchmarks.server import Database
from benchmarks.shapes import groups_for, load
from trickle import connect, embedded
from trickle.db import session
from trickle.worker.bench import Limits, Workbench
from trickle.worker.jobs import perform
from trickle.worker.protocol import Prune

COLUMNS = ("what", "table", "median_ms", "min_ms", "max_ms", "samples", "per_second", "times_plain")

STATED_ROWS = 1_000_000
_PLAIN, _CAPTURED = "plain", "captured"
_TABLES = (_PLAIN, _CAPTURED)
_EMPTY, _BY_HAND = "empty trigger", "by hand"
_WRITTEN = (_PLAIN, _CAPTURED, _EMPTY, _BY_HAND)
_OPERATIONS = ("INSERT", "UPDATE", "DELETE")
_SINGLE_GOAL = 1.3
_BULK_GOALS = {"INSERT": 2.0, "UPDATE": 1.5, "DELETE": 1.5}
_THROUGHPUT_GOAL = 0.75
_BY_HAND_GOAL = 0.85
_BULK_SIZES = (1_000, 10_000)
_BULKS = 4  # of each size in a round
_SLICES = 3  # of writers' throughput in a round, a second each
_COMMIT = "commit of one session"
_COMMITS = 100  # in a round
_WRITERS = 8
_DURABLE, _ASYNCHRONOUS = f"{_WRITERS} writers", f"{_WRITERS} prepared writers, asynchronous commit"
_SINGLES = (("single", False), ("prepared single", True))

_KEPT = "SELECT id, region, customer_id, amount, quantity FROM bench.captured"
_STATEMENTS = {
    "INSERT": (
        "INSERT INTO {table} SELECT id, 'region ' || 1 + id %% 5, 1 + id %% %(groups)s::int, id %% 1000, id %% 100"
        " FROM unnest(%(ids)s::int[]) AS id"
    ),
    "UPDATE": "UPDATE {table} SET amount = amount + 1, quantity = %(groups)s WHERE id = ANY (%(ids)s::int[])",
    "DELETE": "DELETE FROM {table} WHERE id = ANY (%(ids)s::int[])",
}
_ONE_ROW = {
    "INSERT": "INSERT INTO {table} VALUES (%(id)s, 'region 1', %(groups)s, 12.50, 3)",
    "UPDATE": "UPDATE {table} SET amount = amount + 1, quantity = %(groups)s WHERE id = %(id)s",
    "DELETE": "DELETE FROM {table} WHERE id = %(id)s",
}
_WRITER = """\\set id random(1, {rows})
UPDATE bench."{table}" SET amount = amount + 1 WHERE id = :id;
"""
_HAND_WRITTEN = {
    _EMPTY: "",
    _BY_HAND: "INSERT INTO bench.changed SELECT pg_current_xact_id(), -1, o.* FROM old_rows o"
    " UNION ALL SELECT pg_current_xact_id(), 1, n.* FROM new_rows n;",
}
_TRIGGER = """
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$ BEGIN {body} RETURN NULL; END $$;
CREATE TRIGGER capture AFTER UPDATE ON {table} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION {function}();
"""


@dataclass(frozen=True, slots=True)
class Writing:
    """How the writers send their statements, and whether their commits wait for the disk."""

    what: str
    protocol: str  # of pgbench
    synchronous_commit: str


_WRITINGS = (
    Writing(_DURABLE, "simple", "on"),
    Writing(f"{_WRITERS} prepared writers", "prepared", "on"),
    Writing(_ASYNCHRONOUS, "prepared", "off"),
)

Key = tuple[str, str]
Say = Callable[[str], None]


@dataclass(slots=True)
class Run:
    """One run: the session that writes, which keys exist, and what was measured so far."""

    conn: Connection[Any]
    groups: int
    keys: list[int]
    next_key: int
    draw: random.Random
    samples: Samples[Key] = field(default_factory=Samples)
    per_second: Samples[Key] = field(default_factory=Samples)

    def take_keys(self, operation: str, count: int) -> list[int]:
        """New keys for an INSERT, existing ones for an UPDATE, and for a DELETE ones that exist no more."""
        if operation == "INSERT":
            made = list(range(self.next_key, self.next_key + count))
            self.next_key += count
            self.keys += made
            return made
        if operation == "UPDATE":
            return self.draw.sample(self.keys, count)
        self.draw.shuffle(self.keys)
        taken = self.keys[-count:]
        del self.keys[-count:]
        return taken


def run(database: Database, rows: int, rounds: int, say: Say) -> Report:
    with database.connect() as conn:
        say(f"loading {rows} rows, twice")
        groups = _load(database, conn, rows)
        this = Run(conn, groups, list(range(1, rows + 1)), rows + 1, random.Random(7))
        # Deletes must leave enough rows to work on in a small run.
        sizes = [min(size, rows // 10) for size in _BULK_SIZES]
        for number in range(rounds):
            say(f"round {number + 1}: single rows, bulks, {_WRITERS} writers")
            for what, prepare in _SINGLES:
                _single_rows(this, what, prepare, count=max(100, 500 // rounds), turn=number)
            for turn in range(number, number + _BULKS):
                for what, size in zip(_bulk_names(), sizes, strict=True):
                    _bulk(this, what, size, turn)
            for writing in _WRITINGS:
                for turn in range(number, number + _SLICES):
                    for table in in_turn(_WRITTEN, turn):
                        this.per_second.add((writing.what, table), _throughput(database, table, this, writing))
            _commits(database, this)
            _check_copies(this)
            _prune(database)
            conn.execute("DELETE FROM bench.changed")
            conn.execute("VACUUM")
        say("comparing the stream table with its query")
        _check_kept(database, conn)
    return Report(
        "capture",
        {**database.environment, "rows": rows, "rounds": rounds},
        _rows(this),
        _goals(this, counts=rows >= STATED_ROWS),
    )


def _load(database: Database, conn: Connection[Any], rows: int) -> int:
    load(conn, rows)
    for table in _WRITTEN:
        made = sql.Identifier("bench", table)
        conn.execute(sql.SQL("CREATE TABLE {} (LIKE bench.sales INCLUDING ALL)").format(made))
        conn.execute(sql.SQL("INSERT INTO {} SELECT * FROM bench.sales").format(made))
    conn.execute("CREATE TABLE bench.committed (number int)")
    conn.execute("CREATE TABLE bench.changed AS SELECT '1'::xid8 AS xid, 1 AS weight, * FROM bench.sales WHERE false")
    for table, body in _HAND_WRITTEN.items():
        trigger = sql.SQL(_TRIGGER).format(
            function=sql.Identifier("bench", f"{table} trigger"),
            table=sql.Identifier("bench", table),
            body=sql.SQL(body),
        )
        conn.execute(trigger)
    with connect(database.url) as client:
        client.create_stream_table("bench.kept", _KEPT, schedule="1h", refresh_mode="DIFFERENTIAL")
    conn.execute("VACUUM (ANALYZE)")
    return groups_for(rows)


def _single_rows(this: Run, what: str, prepare: bool, count: int, turn: int) -> None:
    for operation in _OPERATIONS:
        for number, key in enumerate(this.take_keys(operation, count)):
            for table in in_turn(_TABLES, turn + number):
                statement = sql.SQL(_ONE_ROW[operation]).format(table=sql.Identifier("bench", table))
                taken = _statement_ms(this.conn, statement, {"id": key, "groups": this.groups}, prepare)
                this.samples.add((f"{what} {operation}", table), taken)


def _bulk(this: Run, what: str, size: int, turn: int) -> None:
    for operation in _OPERATIONS:
        parameters = {"ids": this.take_keys(operation, size), "groups": this.groups}
        for table in in_turn(_TABLES, turn):
            statement = sql.SQL(_STATEMENTS[operation]).format(table=sql.Identifier("bench", table))
            taken = _statement_ms(this.conn, statement, parameters, prepare=False)
            this.samples.add((f"{what} {operation}", table), taken)


def _statement_ms(conn: Connection[Any], statement: sql.Composed, parameters: dict[str, Any], prepare: bool) -> float:
    with conn.transaction():
        return timed_ms(lambda: conn.execute(statement, parameters, prepare=prepare))


def _commits(database: Database, this: Run) -> None:
    """What it takes to commit a row of one column, when nobody else writes."""
    with psycopg.connect(database.url) as conn:
        for number in range(_COMMITS):
            conn.execute("INSERT INTO bench.committed VALUES (%s)", (number,))
            this.samples.add((_COMMIT, _PLAIN), timed_ms(conn.commit))


def _throughput(database: Database, table: str, this: Run, writing: Writing) -> float:
    """Transactions per second of concurrent writers of single rows, told by pgbench."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "writer.sql")
        script.write_text(_WRITER.format(rows=this.next_key - 1, table=table), encoding="ascii")
        command = [
            *(str(embedded.tool("pgbench")), "--no-vacuum", f"--protocol={writing.protocol}", f"--client={_WRITERS}"),
            *("--jobs=2", "--time=1", f"--random-seed={this.next_key}", f"--file={script}"),
            database.url,
        ]
        environment = {"PGOPTIONS": f"-c synchronous_commit={writing.synchronous_commit}", "PATH": "/usr/bin:/bin"}
        told = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    found = re.search(r"tps = ([0-9.]+)", told.stdout)
    if told.returncode != 0 or found is None:
        raise RuntimeError(f"pgbench failed: {told.stderr.strip()}")
    return float(found.group(1))


def _check_copies(this: Run) -> None:
    """Both tables were written alike; what the random writers did may differ in one column."""
    columns = sql.SQL("id, region, customer_id, quantity")
    check_equal(
        this.conn,
        sql.Identifier("bench", _CAPTURED),
        "SELECT id, region, customer_id, quantity FROM bench.plain",
        columns,
    )


def _prune(database: Database) -> None:
    """Refresh and remove what was seen, as a worker would: a buffer that only grows is nobody's."""
    with connect(database.url) as client:
        client.refresh_stream_table("bench.kept")
    bench = Workbench.prepare(session.connect(database.url), pooled=False, limits=Limits())
    try:
        for (source_id,) in bench.conn.execute("SELECT source_id FROM pgtrickle.pgt_change_tracking").fetchall():
            perform(Prune(source_id), bench)
    finally:
        bench.close()


def _check_kept(database: Database, conn: Connection[Any]) -> None:
    with connect(database.url) as client:
        client.refresh_stream_table("bench.kept")
    columns = sql.SQL("id, region, customer_id, amount, quantity")
    check_equal(conn, sql.Identifier("bench", "kept"), _KEPT, columns)


def _bulk_names() -> list[str]:
    return [f"bulk of {size}" for size in _BULK_SIZES]


def _rows(this: Run) -> list[dict[str, Any]]:
    found = []
    for what, table in this.samples.times:
        times = ratio(this.samples.median((what, table)), this.samples.median((what, _PLAIN)))
        found.append(
            {
                "what": what,
                "table": table,
                **this.samples.summary((what, table)),
                "per_second": None,
                "times_plain": None if times is None else round(times, 3),
            }
        )
    for what, table in this.per_second.times:
        tps = this.per_second.median((what, table))
        times = this.per_second.median_ratio((what, table), (what, _PLAIN))
        found.append(
            {
                "what": what,
                "table": table,
                "median_ms": None,
                "min_ms": None,
                "max_ms": None,
                "samples": len(this.per_second.times[what, table]),
                "per_second": None if tps is None else round(tps, 1),
                "times_plain": None if times is None else round(times, 3),
            }
        )
    return found


def _goals(this: Run, *, counts: bool) -> list[Goal]:
    limits = {f"single {operation}": _SINGLE_GOAL for operation in _OPERATIONS}
    limits |= {f"{name} {operation}": _BULK_GOALS[operation] for name in _bulk_names() for operation in _OPERATIONS}
    found = []
    for what, limit in limits.items():
        times = ratio(this.samples.median((what, _CAPTURED)), this.samples.median((what, _PLAIN)))
        name = f"{what}: median with capture, times plain"
        found.append(judge(name, times, "×", "at most", limit, counts=counts))
    shares = (
        (_DURABLE, _PLAIN, "plain", _THROUGHPUT_GOAL),
        (_ASYNCHRONOUS, _BY_HAND, "a trigger written by hand", _BY_HAND_GOAL),
    )
    for what, table, words, limit in shares:
        share = this.per_second.median_ratio((what, _CAPTURED), (what, table))
        name = f"{what}: throughput with capture, share of {words}"
        found.append(judge(name, share, "×", "at least", limit, counts=counts))
    return found
