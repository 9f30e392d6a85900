"""How long does it take to bring the answers of a known set of queries up to date after a change?

Each query is kept twice over the same tables: by a stream table that is refreshed differentially, and by one that is
refreshed in full; with `--mode AUTO` the first one chooses between the two at each refresh. A batch changes all the
tables, then both are brought up to date, in turns, and timed. As in `refresh`, a batch of the same size that is not
timed comes before it, since plans are made anew after each VACUUM (ANALYZE). After the last round every result is
compared with its query.

Unlike the shapes of `refresh`, these queries are not ours: one that cannot be kept differentially, or goes wrong, is
not left out. It is told in its row (`compiled`, `wrong`), the others are still reported, and the run fails. What is
refreshed in full either way counts into the geometric mean as what it is, about 1.
"""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql

from benchmarks.contenders import Mode, StreamTables, relation
from benchmarks.measure import ResultsDiffer, Samples, check_equal, in_turn, timed_ms
from benchmarks.refresh import Say
from benchmarks.report import Goal, Report, judge
from benchmarks.server import Database
from benchmarks.shapes import Shape
from trickle.errors import TrickleError
from trickle.worker.protocol import Outcome

COLUMNS = (
    "query",
    "compiled",
    "strategy",
    "changed",
    "rows",
    "full_ms",
    "kept_ms",
    "slowest_ms",
    "in_full",
    "times_faster",
    "result_changed",
    "wrong",
)
_LEAST_GOAL = 0.9  # at most 1.1 times as slow as in full

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Rate:
    """How much a batch changes: as its name says it, and in the suite's own unit for each unit of size."""

    name: str
    amount: float
    faster: float | None = None
    """How many times faster than in full the queries shall be kept, as a geometric mean."""

    def at(self, size: float) -> int:
        return max(1, round(self.amount * size))


@dataclass(frozen=True, slots=True)
class Suite:
    """A set of queries, the tables they ask, and what changes in these between two refreshes."""

    name: str
    load: Callable[[Connection[Any], float], None]
    """Create and fill the tables, of a size."""
    apply: Callable[[Connection[Any], int, int], None]
    """Apply the batch of a number, with an amount of changes."""
    rates: tuple[Rate, ...]
    facts: str
    """The table whose rows tell how large the database is."""
    stated_size: float
    """From which size on the goals hold."""

    @property
    def queries(self) -> Path:
        return Path(__file__).with_name(f"{self.name}_queries")


@dataclass(frozen=True, slots=True)
class Program:
    """What became of a query's compilation: how it is kept, or the reason why it is not."""

    state: str
    reason: str | None
    strategy: str | None


@dataclass(slots=True)
class Run:
    """One run: who takes part, and what was found so far."""

    suite: Suite
    conn: Connection[Any]
    size: float
    queries: Sequence[Shape]
    contenders: Sequence[StreamTables]
    batches: int = 0
    samples: Samples[Key] = field(default_factory=Samples)
    programs: dict[str, Program] = field(default_factory=dict)
    results: dict[str, tuple[int, str]] = field(default_factory=dict)
    changes: dict[tuple[str, str], int] = field(default_factory=dict)
    fallbacks: dict[str, str] = field(default_factory=dict)
    in_full: dict[tuple[str, str], int] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def kept(self) -> str:
        """The contender that is compared with the full refresh."""
        return self.contenders[0].name

    @property
    def standing(self) -> list[Shape]:
        """The queries that nothing is wrong with so far."""
        return [query for query in self.queries if query.name not in self.wrong]


def chosen(suite: Suite, names: str | None) -> tuple[Shape, ...]:
    """The queries named in a comma-separated list (q01,q05); all of them without one."""
    found = {
        path.stem: Shape(path.stem, path.read_text(), (), None, 0.0) for path in sorted(suite.queries.glob("q*.sql"))
    }
    if names is None:
        return tuple(found.values())
    wanted = names.split(",")
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise ValueError(f"no such query: {', '.join(unknown)}; there are {', '.join(found)}")
    return tuple(found[name] for name in wanted)


def run(
    suite: Suite,
    database: Database,
    size: float,
    rounds: int,
    queries: Sequence[Shape],
    say: Say,
    mode: Mode = "DIFFERENTIAL",
) -> Report:
    with database.connect() as conn:
        say(f"loading {suite.name}, size {size:g}")
        suite.load(conn, size)
        conn.execute("CREATE SCHEMA bench")
        kept = StreamTables.open(database, mode)
        full = StreamTables.open(database, "FULL")
        try:
            this = Run(suite, conn, size, queries, (kept, full))
            _create(this, say)
            for number in range(rounds):
                _round(this, number, say)
            say("comparing every result with its query")
            for query in this.standing:
                _check(this, query)
        finally:
            kept.close()
            full.close()
        about = {"mode": mode, "size": size, "rows": _count(conn, sql.Identifier(suite.facts)), "rounds": rounds}
    return Report(suite.name, {**database.environment, **about}, _rows(this), _goals(this))


def failed(report: Report) -> bool:
    return any(row.get("wrong") for row in report.rows)


def _create(this: Run, say: Say) -> None:
    for query in this.queries:
        say(f"creating {query.name}")
        try:
            for contender in this.contenders:
                contender.create(query)
        except (psycopg.Error, TrickleError) as error:
            _fail(this, query, "could not be created", error, say)
            continue
        this.programs[query.name] = _program(this, query)
        this.results[query.name] = _result(this, query)
    this.conn.execute("VACUUM (ANALYZE)")


def _program(this: Run, query: Shape) -> Program:
    row = this.conn.execute(
        "SELECT program_state, program_reason, program_explain ->> 'strategy' FROM pgtrickle.pgt_stream_tables"
        " WHERE pgt_id = %s",
        (this.contenders[0].pgt_ids[query.name],),
    ).fetchone()
    return Program(*row) if row else Program("none", None, None)


def _round(this: Run, number: int, say: Say) -> None:
    for rate in this.suite.rates:
        say(f"round {number + 1}: {rate.name} changed")
        _apply_batch(this, rate)
        for query in this.standing:
            _bring_up_to_date(this, query, this.contenders[0], say)
        for query in this.standing:
            # The other one as well: what it would have to catch up with is the batch before.
            _bring_up_to_date(this, query, this.contenders[1], say)
            this.results[query.name] = _result(this, query)
        _apply_batch(this, rate)
        for query in this.standing:
            for contender in in_turn(this.contenders, number):
                taken = _bring_up_to_date(this, query, contender, say, rate)
                if taken is not None:
                    this.samples.add((query.name, rate.name, contender.name), taken)
        for query in this.standing:
            _note_change(this, query, rate)
        this.contenders[0].prune()
        # In place of autovacuum, whose workers would fall on whoever is timed at the moment.
        this.conn.execute("VACUUM (ANALYZE)")


def _apply_batch(this: Run, rate: Rate) -> None:
    this.suite.apply(this.conn, this.batches, rate.at(this.size))
    this.batches += 1


def _bring_up_to_date(
    this: Run, query: Shape, contender: StreamTables, say: Say, rate: Rate | None = None
) -> float | None:
    """Refresh and say how long that took; what was done at a rate is counted."""
    if query.name in this.wrong:
        return None
    outcomes: list[Outcome] = []
    try:
        taken = timed_ms(lambda: outcomes.append(contender.refresh(query)))
    except psycopg.Error as error:
        _fail(this, query, f"{contender.name} refresh after batch {this.batches - 1}", error, say)
        return None
    reason = outcomes[0].reason
    if reason and this.programs[query.name].state == "compiled":
        this.fallbacks.setdefault(query.name, reason)
    if rate is not None and contender.name == this.kept and outcomes[0].action == "FULL":
        this.in_full[query.name, rate.name] = this.in_full.get((query.name, rate.name), 0) + 1
    return taken


def _fail(this: Run, query: Shape, what: str, error: Exception, say: Say) -> None:
    this.wrong[query.name] = f"{what}: {type(error).__name__}: {error}"
    say(f"{query.name}: {this.wrong[query.name]}")


def _note_change(this: Run, query: Shape, rate: Rate) -> None:
    result = _result(this, query)
    if result != this.results[query.name]:
        this.changes[query.name, rate.name] = this.changes.get((query.name, rate.name), 0) + 1
    this.results[query.name] = result


def _result(this: Run, query: Shape) -> tuple[int, str]:
    """How many rows the result has, and a digest by which to know it again."""
    statement = sql.SQL("SELECT q::text FROM (SELECT {} FROM {}) q ORDER BY 1").format(
        _columns(this.conn, query), relation(this.contenders[1], query)
    )
    rows = [text for (text,) in this.conn.execute(statement)]
    return len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _check(this: Run, query: Shape) -> None:
    columns = _columns(this.conn, query)
    for contender in this.contenders:
        try:
            check_equal(this.conn, relation(contender, query), query.query, columns)
        except ResultsDiffer as error:
            this.wrong[query.name] = str(error)


def _columns(conn: Connection[Any], query: Shape) -> sql.Composable:
    """The columns of the query: a stream table may have hidden ones behind them."""
    described = conn.execute(sql.SQL("SELECT * FROM ({}) q LIMIT 0").format(sql.SQL(query.query))).description
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in described or ())


def _count(conn: Connection[Any], table: sql.Identifier) -> int:
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
    return int(row[0]) if row else 0


def _rows(this: Run) -> list[dict[str, Any]]:
    return [_row(this, query, rate) for rate in this.suite.rates for query in this.queries]


def _row(this: Run, query: Shape, rate: Rate) -> dict[str, Any]:
    program = this.programs.get(query.name)
    taken = len(this.samples.times.get((query.name, rate.name, this.kept), []))
    slowest = max(this.samples.times.get((query.name, rate.name, this.kept), []), default=None)
    return {
        "query": query.name,
        "changed": rate.name,
        "compiled": "yes" if program and program.state == "compiled" else "no",
        "reason": program.reason if program else None,
        "strategy": program.strategy if program else None,
        "fallback": this.fallbacks.get(query.name),
        "rows": this.results[query.name][0] if query.name in this.results else None,
        "full_ms": _rounded(this.samples.median((query.name, rate.name, "full"))),
        "kept_ms": _rounded(this.samples.median((query.name, rate.name, this.kept))),
        "slowest_ms": _rounded(slowest),
        "in_full": f"{this.in_full.get((query.name, rate.name), 0)} of {taken}",
        "times_faster": _rounded(_faster(this, query, rate)),
        "samples": taken,
        "result_changed": f"{this.changes.get((query.name, rate.name), 0)} of {taken}",
        "wrong": this.wrong.get(query.name),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _faster(this: Run, query: Shape, rate: Rate) -> float | None:
    if query.name in this.wrong:
        return None
    return this.samples.median_ratio((query.name, rate.name, "full"), (query.name, rate.name, this.kept))


def _goals(this: Run) -> list[Goal]:
    counts = this.size >= this.suite.stated_size
    found = []
    for rate in this.suite.rates:
        ratios = [ratio for query in this.queries if (ratio := _faster(this, query, rate)) is not None]
        mean = statistics.geometric_mean(ratios) if ratios else None
        name = f"{rate.name} changed, times faster than in full, geometric mean"
        found.append(judge(name, mean, "×", "at least", rate.faster or 1.0, counts=counts and rate.faster is not None))
        name = f"{rate.name} changed, times faster than in full, least"
        found.append(judge(name, min(ratios, default=None), "×", "at least", _LEAST_GOAL, counts=counts))
    compiled = sum(program.state == "compiled" for program in this.programs.values())
    name = "queries that are kept differentially"
    found.append(judge(name, compiled, "", "at least", len(this.queries), counts=True))
    return found
