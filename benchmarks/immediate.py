"""What does a statement pay for bringing a stream table up to date before it ends?

Three tables with the same rows: one is nobody's source, one is captured for a DIFFERENTIAL stream table (refreshed
between rounds, outside the times), and one is the source of an IMMEDIATE stream table, a join with customers grouped
by customer. The same statements go to all three, in turns. A statement's time is that of its whole transaction, with
synchronous_commit off, seen from the client: there is no other moment at which an IMMEDIATE stream table is written.

The writers of the throughput test update random rows, so nearly always rows of different groups. One writer alone is
measured as well: what eight reach above it tells whether they wait for each other, within what the processors allow.
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

from psycopg import Connection, sql

from benchmarks.measure import Samples, check_equal, in_turn, ratio, timed_ms
from benchmarks.report import Goal, Report, judge
from benchmarks.server import Database
from benchmarks.shapes import groups_for, load
from trickle import connect, embedded

COLUMNS = ("what", "table", "median_ms", "min_ms", "max_ms", "samples", "per_second", "times_plain")

STATED_ROWS = 1_000_000
_PLAIN, _CAPTURED, _IMMEDIATE = "plain", "captured", "immediate"
_TABLES = (_PLAIN, _CAPTURED, _IMMEDIATE)
_MODES = {_CAPTURED: "DIFFERENTIAL", _IMMEDIATE: "IMMEDIATE"}
_SINGLE_GOAL_MS = 1.0
_BULK_GOAL_MS = 210.0
_WRITERS = 8
_WRITERS_GOAL = 1.2

_QUERY = (
    "SELECT c.id, c.name, sum(s.amount) AS total, count(*) AS sales"
    ' FROM bench."{table}" s JOIN bench.customers c ON c.id = s.customer_id GROUP BY c.id, c.name'
)
_OPERATIONS = ("INSERT", "UPDATE", "DELETE")
_ONE_ROW = {
    "INSERT": "INSERT INTO {table} VALUES (%(id)s, 'region 1', 1 + %(id)s %% %(groups)s, 12.50, 3)",
    "UPDATE": "UPDATE {table} SET amount = amount + 1 WHERE id = %(id)s",
    "DELETE": "DELETE FROM {table} WHERE id = %(id)s",
}
_BULK = {
    "INSERT": "INSERT INTO {table} SELECT id, 'region 1', 1 + id %% %(groups)s::int, 12.50, 3"
    " FROM unnest(%(ids)s::int[]) AS id",
    "UPDATE": "UPDATE {table} SET amount = amount + 1 WHERE id = ANY (%(ids)s::int[])",
    "DELETE": "DELETE FROM {table} WHERE id = ANY (%(ids)s::int[])",
}
_WRITER = """\\set id random(1, {rows})
UPDATE bench."{table}" SET amount = amount + 1 WHERE id = :id;
"""

Key = tuple[str, str]
Say = Callable[[str], None]


@dataclass(slots=True)
class Run:
    """One run: the session that writes, the keys that exist, and what was measured so far."""

    conn: Connection[Any]
    rows: int
    groups: int
    next_key: int
    draw: random.Random
    samples: Samples[Key] = field(default_factory=Samples)
    per_second: Samples[Key] = field(default_factory=Samples)


def run(database: Database, rows: int, rounds: int, say: Say) -> Report:
    with database.connect() as conn:
        say(f"loading {rows} rows, three times")
        _load(database, conn, rows)
        this = Run(conn, rows, groups_for(rows), rows + 1, random.Random(7))
        seconds = 3 if rows >= STATED_ROWS else 1
        for number in range(rounds):
            say(f"round {number + 1}: single rows, bulks, 1 and {_WRITERS} writers")
            _single_rows(this, max(60, 300 // rounds), number)
            _bulks(this, number)
            for table in in_turn(_TABLES, number):
                for writers in (1, _WRITERS):
                    this.per_second.add((_named(writers), table), _throughput(database, table, this, writers, seconds))
            _tidy(database, conn)
        say("comparing the stream tables with their queries")
        for table in _MODES:
            columns = sql.SQL("id, name, total, sales")
            check_equal(conn, sql.Identifier("bench", f"kept {table}"), _QUERY.format(table=table), columns)
    return Report(
        "immediate",
        {**database.environment, "rows": rows, "rounds": rounds},
        _rows(this),
        _goals(this, counts=rows >= STATED_ROWS),
    )


def _load(database: Database, conn: Connection[Any], rows: int) -> None:
    load(conn, rows)
    for table in _TABLES:
        made = sql.Identifier("bench", table)
        conn.execute(sql.SQL("CREATE TABLE {} (LIKE bench.sales INCLUDING ALL)").format(made))
        conn.execute(sql.SQL("INSERT INTO {} SELECT * FROM bench.sales").format(made))
    conn.execute("VACUUM (ANALYZE)")
    with connect(database.url) as client:
        for table, mode in _MODES.items():
            query = _QUERY.format(table=table)
            client.create_stream_table(f"bench.kept {table}", query, schedule="1h", refresh_mode=mode)
    conn.execute("VACUUM (ANALYZE)")


def _single_rows(this: Run, count: int, turn: int) -> None:
    for number in range(count):
        for operation in _OPERATIONS:
            key = this.draw.randint(1, this.rows) if operation == "UPDATE" else this.next_key + number
            for table in in_turn(_TABLES, turn + number):
                statement = sql.SQL(_ONE_ROW[operation]).format(table=sql.Identifier("bench", table))
                values = {"id": key, "groups": this.groups}
                this.samples.add((f"single {operation}", table), _statement_ms(this.conn, statement, values))
    this.next_key += count


def _bulks(this: Run, turn: int) -> None:
    """As many rows as there are groups, one in each."""
    size = this.groups
    added = list(range(this.next_key, this.next_key + size))
    this.next_key += size
    chosen = {"INSERT": added, "UPDATE": this.draw.sample(range(1, this.rows), size), "DELETE": added}
    for operation in _OPERATIONS:
        for table in in_turn(_TABLES, turn):
            statement = sql.SQL(_BULK[operation]).format(table=sql.Identifier("bench", table))
            values = {"ids": chosen[operation], "groups": this.groups}
            this.samples.add((f"bulk {operation}", table), _statement_ms(this.conn, statement, values))


def _statement_ms(conn: Connection[Any], statement: sql.Composed, values: dict[str, Any]) -> float:
    return timed_ms(lambda: conn.execute(statement, values, prepare=True))


def _throughput(database: Database, table: str, this: Run, writers: int, seconds: int) -> float:
    """Transactions per second of concurrent writers of single rows, told by pgbench."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "writer.sql")
        script.write_text(_WRITER.format(rows=this.rows, table=table), encoding="ascii")
        command = [
            *(str(embedded.tool("pgbench")), "--no-vacuum", "--protocol=prepared", f"--client={writers}"),
            *("--jobs=2", f"--time={seconds}", f"--random-seed={this.next_key}", f"--file={script}"),
            database.url,
        ]
        environment = {"PGOPTIONS": "-c synchronous_commit=off", "PATH": "/usr/bin:/bin"}
        told = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    found = re.search(r"tps = ([0-9.]+)", told.stdout)
    if told.returncode != 0 or found is None:
        raise RuntimeError(f"pgbench failed: {told.stderr.strip()}")
    return float(found.group(1))


def _tidy(database: Database, conn: Connection[Any]) -> None:
    """What a worker and autovacuum do meanwhile: refresh, prune, vacuum."""
    with connect(database.url) as client:
        client.refresh_stream_table(f"bench.kept {_CAPTURED}")
    conn.execute("SELECT pgtrickle._prune(source_id, 1000000) FROM pgtrickle.pgt_change_tracking")
    conn.execute("VACUUM")


def _named(writers: int) -> str:
    return f"{writers} writer{'s' if writers > 1 else ''}"


def _rows(this: Run) -> list[dict[str, Any]]:
    nothing = {"median_ms": None, "min_ms": None, "max_ms": None}
    found = []
    for what, table in this.samples.times:
        times = ratio(this.samples.median((what, table)), this.samples.median((what, _PLAIN)))
        found.append(_row(what, table, {**this.samples.summary((what, table)), "per_second": None}, times))
    for what, table in this.per_second.times:
        tps = this.per_second.median((what, table)) or 0.0
        times = ratio(tps, this.per_second.median((what, _PLAIN)))
        samples = len(this.per_second.times[what, table])
        found.append(_row(what, table, {**nothing, "samples": samples, "per_second": round(tps, 1)}, times))
    return found


def _row(what: str, table: str, figures: dict[str, Any], times: float | None) -> dict[str, Any]:
    return {"what": what, "table": table, **figures, "times_plain": None if times is None else round(times, 3)}


def _goals(this: Run, *, counts: bool) -> list[Goal]:
    found = []
    for kind, limit in (("single", _SINGLE_GOAL_MS), ("bulk", _BULK_GOAL_MS)):
        for operation in _OPERATIONS:
            median = this.samples.median((f"{kind} {operation}", _IMMEDIATE))
            found.append(judge(f"{kind} {operation}: median", median, "ms", "at most", limit, counts=counts))
    one, many = (this.per_second.median((_named(writers), _IMMEDIATE)) for writers in (1, _WRITERS))
    found.append(
        judge(
            f"{_WRITERS} writers: per second, times one",
            ratio(many, one),
            "×",
            "at least",
            _WRITERS_GOAL,
            counts=counts,
        )
    )
    return found
