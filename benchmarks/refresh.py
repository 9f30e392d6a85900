"""How long does it take to bring a result up to date after a change?

Every batch is applied once, and then every contender brings every shape up to date, in turns. Before it comes another
of its size that is not timed, since whoever keeps plans has to make them anew after each VACUUM (ANALYZE). All but the
largest batches come several in a row, each shape has rows of its own, and a sample is the median of a row: who computes
everything anew takes part in the last of them only, since it reads a million rows and leaves everybody else a cache in
which nothing is found. A last row tells what Trickle does afterwards in the background: removing the changes that all
its readers have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from psycopg import Connection, sql

from benchmarks import changes, floors
from benchmarks.changes import Rate
from benchmarks.contenders import Contender, Floor, MaterializedView, PgIvm, StreamTables, pg_ivm_is_here, relation
from benchmarks.measure import Samples, check_equal, in_turn, ratio, round_trips, timed_ms
from benchmarks.report import Goal, Report, judge
from benchmarks.server import Database
from benchmarks.shapes import Shape, groups_for, load

STATED_ROWS = 1_000_000
COLUMNS = ("shape", "changed", "contender", "median_ms", "min_ms", "max_ms", "samples", "times_faster_than_refresh")

# These take as long whatever has changed; beyond this size one rate stands for all.
_SAME_AT_EVERY_RATE = ("concurrently", "refresh_unindexed")
_EVERY_RATE_ROWS = 200_000
_IDLE_SAMPLES = 10
_IDLE_GOAL_MS = 1.0
_IDLE_GOAL_ROUND_TRIPS = 2
_FLOOR_GOAL = 1.5

Key = tuple[str, str, str]
Say = Callable[[str], None]


@dataclass(slots=True)
class Run:
    """One run: who takes part, and what was measured so far."""

    conn: Connection[Any]
    rows: int
    shapes: Sequence[Shape]
    differential: StreamTables
    contenders: Sequence[Contender]
    samples: Samples[Key] = field(default_factory=Samples)
    round_trips: int = 0


def run(database: Database, rows: int, rounds: int, shapes: Sequence[Shape], say: Say) -> Report:
    with database.connect() as conn:
        say(f"loading {rows} rows")
        load(conn, rows)
        changes.create(conn)
        floors.create_capture(conn)
        differential = StreamTables.open(database, "DIFFERENTIAL")
        full = StreamTables.open(database, "FULL")
        try:
            contenders = _contenders(conn, differential, full)
            for shape in shapes:
                say(f"creating {shape.name}: {', '.join(c.name for c in contenders)}")
                for contender in contenders:
                    contender.create(shape)
            conn.execute("VACUUM (ANALYZE)")
            this = Run(conn, rows, shapes, differential, contenders)
            for number in range(rounds):
                _round(this, number, is_last=number == rounds - 1, say=say)
        finally:
            differential.close()
            full.close()
    return Report("refresh", {**database.environment, "rows": rows, "rounds": rounds}, _rows(this), _goals(this))


def _contenders(conn: Connection[Any], differential: StreamTables, full: StreamTables) -> list[Contender]:
    found: list[Contender] = [
        differential,
        Floor(conn),
        MaterializedView(conn, "refresh"),
        MaterializedView(conn, "refresh_unindexed"),
        full,
        MaterializedView(conn, "concurrently"),
    ]
    return [*found, PgIvm(conn)] if pg_ivm_is_here(conn) else found


def _round(this: Run, number: int, *, is_last: bool, say: Say) -> None:
    for rate in changes.rates(this.rows):
        say(f"round {number + 1}: {rate.name} changed")
        _warm_up(this, rate)
        taking_part = [c for c in this.contenders if _takes_part(c, rate, this.rows)]
        for shapes in _in_rows(this.shapes, rate):
            _catch_up(this, shapes)
            _measure_batches(this, rate, shapes, taking_part, number)
            if is_last:
                say(f"comparing every result with its query: {', '.join(shape.name for shape in shapes)}")
                _check_all(this, rate, shapes, taking_part)
        _catch_up(this, this.shapes)
        floors.forget_captured(this.conn)
        this.samples.add(("every", rate.name, "prune"), timed_ms(this.differential.prune))
        # In place of autovacuum, whose workers would fall on whoever is timed at the moment.
        this.conn.execute("VACUUM (ANALYZE)")
        for shape in this.shapes:
            _measure_idle(this, shape)


def _check_all(this: Run, rate: Rate, shapes: Sequence[Shape], taking_part: Sequence[Contender]) -> None:
    for shape in shapes:
        for contender in taking_part:
            if _is_checked(contender, rate, this.rows):
                _check(this.conn, contender, shape)


def _in_rows(shapes: Sequence[Shape], rate: Rate) -> Sequence[Sequence[Shape]]:
    """Who is brought up to date after the same batches: all, or each after small ones of its own."""
    return [shapes] if rate.batches == 1 else [[shape] for shape in shapes]


def _catch_up(this: Run, shapes: Sequence[Shape]) -> None:
    """Not timed: what a shape has not seen of the batches of others."""
    for shape in shapes:
        for contender in this.contenders:
            if isinstance(contender, (StreamTables, Floor)) and contender.incremental:
                contender.catch_up(shape)


def _measure_batches(
    this: Run, rate: Rate, shapes: Sequence[Shape], taking_part: Sequence[Contender], number: int
) -> None:
    taken: Samples[Key] = Samples()
    changes.draw(this.conn, rate.rows, groups_for(this.rows), rate.batches)
    for batch in range(rate.batches):
        changes.apply(this.conn, sql.Identifier("bench", "sales"), batch)
        now = [c for c in taking_part if c.incremental or batch == rate.batches - 1]
        for contender in now:
            if isinstance(contender, PgIvm):
                contender.new_batch(batch)
        for shape in shapes:
            for contender in in_turn(now, number + batch):
                contender.make_ready(shape)
                taken.add((shape.name, rate.name, contender.name), contender.update_ms(shape))
    for key, times in taken.times.items():
        this.samples.add(key, median(times))


def _warm_up(this: Run, rate: Rate) -> None:
    """A batch like the one to come, not timed: the first refresh after ANALYZE plans anew; most are not the first."""
    if rate.rows > this.rows // 100:
        return
    changes.draw(this.conn, rate.rows, groups_for(this.rows))
    changes.apply(this.conn, sql.Identifier("bench", "sales"))
    _catch_up(this, this.shapes)
    floors.forget_captured(this.conn)


def _takes_part(contender: Contender, rate: Rate, rows: int) -> bool:
    return contender.name not in _SAME_AT_EVERY_RATE or rows <= _EVERY_RATE_ROWS or rate.name == "1 %"


def _is_checked(contender: Contender, rate: Rate, rows: int) -> bool:
    """Stream tables after every kind of batch; the others once, when they took part for the last time."""
    last = [other.name for other in changes.rates(rows) if _takes_part(contender, other, rows)][-1]
    return isinstance(contender, StreamTables) or rate.name == last


def _measure_idle(this: Run, shape: Shape) -> None:
    """A refresh that finds nothing to do."""

    def refresh() -> object:
        return this.differential.refresh(shape)

    for _ in range(_IDLE_SAMPLES):
        this.samples.add((shape.name, "nothing", "differential"), timed_ms(refresh))
    this.round_trips = max(this.round_trips, round_trips(this.differential.bench.conn, refresh))


def _check(conn: Connection[Any], contender: Contender, shape: Shape) -> None:
    # Only the columns of the query: a stream table may have hidden ones behind them.
    described = conn.execute(sql.SQL("SELECT * FROM ({}) q LIMIT 0").format(sql.SQL(shape.query))).description
    columns = sql.SQL(", ").join(sql.Identifier(column.name) for column in described or ())
    query = shape.query
    if isinstance(contender, PgIvm):
        query = contender.query(shape)
    check_equal(conn, relation(contender, shape), query, columns)


def _rows(this: Run) -> list[dict[str, Any]]:
    found = []
    changed = {rate.name: rate.rows for rate in changes.rates(this.rows)} | {"nothing": 0}
    for shape, rate, contender in sorted(this.samples.times, key=lambda key: _order(this, key)):
        summary = this.samples.summary((shape, rate, contender))
        plain = this.samples.median((shape, rate, "refresh"))
        faster = ratio(plain, summary["median_ms"])
        found.append(
            {
                "shape": shape,
                "changed": rate,
                "changed_rows": changed[rate],
                "contender": contender,
                **summary,
                "times_faster_than_refresh": None if faster is None else round(faster, 2),
            }
        )
    return found


def _order(this: Run, key: Key) -> tuple[int, int, int]:
    shapes = [*(shape.name for shape in this.shapes), "every"]
    rates = [*(rate.name for rate in changes.rates(this.rows)), "nothing"]
    names = [*(contender.name for contender in this.contenders), "prune"]
    return shapes.index(key[0]), rates.index(key[1]), names.index(key[2])


def _goals(this: Run) -> list[Goal]:
    counts = this.rows >= STATED_ROWS
    found = []
    for shape in this.shapes:
        few = _faster(this, shape, "100 rows", than="refresh")
        if shape.faster_after_100_rows is not None:
            name = f"{shape.name}: 100 rows changed, times faster than REFRESH"
            found.append(judge(name, few, "×", "at least", shape.faster_after_100_rows, counts=counts))
    for shape in this.shapes:
        some = _faster(this, shape, "1 %", than="refresh")
        name = f"{shape.name}: 1 % changed, times faster than REFRESH"
        found.append(judge(name, some, "×", "at least", shape.faster_after_1_percent, counts=counts))
    for shape in this.shapes:
        slower = this.samples.median_ratio((shape.name, "1 %", "differential"), (shape.name, "1 %", "floor"))
        name = f"{shape.name}: 1 % changed, times the hand-written apply"
        found.append(judge(name, slower, "×", "at most", _FLOOR_GOAL, counts=counts))
    for shape in this.shapes:
        idle = this.samples.median((shape.name, "nothing", "differential"))
        found.append(judge(f"{shape.name}: nothing changed, median", idle, "ms", "at most", _IDLE_GOAL_MS, counts=True))
    trips = float(this.round_trips)
    found.append(judge("nothing changed, round trips", trips, "", "at most", _IDLE_GOAL_ROUND_TRIPS, counts=True))
    return found


def _faster(this: Run, shape: Shape, rate: str, *, than: str) -> float | None:
    return this.samples.median_ratio((shape.name, rate, than), (shape.name, rate, "differential"))
