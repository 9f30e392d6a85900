"""How long does it take to put a stream table back from a snapshot, and what does the next refresh have to do?

The stream table holds a row for each sale. It is put back where nothing is left of it, where one row in a hundred has
changed since the snapshot, and where nothing has. Beside it stands what one would do without a snapshot: a refresh in
full. After each restore a hundred more sales change, the next refresh must be a differential one, and the result is
compared with the query.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection, sql

from benchmarks.measure import Samples, check_equal, timed_ms
from benchmarks.report import Goal, Report, judge
from benchmarks.server import Database
from benchmarks.shapes import load
from trickle import connect

COLUMNS = ("what", "before", "median_ms", "min_ms", "max_ms", "samples")

STATED_ROWS = 1_000_000
_GOAL_MS = 5_000.0
_NAME = "bench.kept_sales"
_QUERY = (
    "SELECT s.id, s.region, s.customer_id, c.name, s.amount, s.quantity"
    " FROM bench.sales s JOIN bench.customers c ON c.id = s.customer_id"
)
_COLUMNS = sql.SQL("id, region, customer_id, name, amount, quantity")
_SITUATIONS = ("empty", "1 % changed", "the same")
_EMPTY = (
    "SELECT set_config('pg_trickle.refreshing', pgt_id::text, true) FROM pgtrickle.pgt_stream_tables; "
    "TRUNCATE bench.kept_sales"
)
_REFRESH = "SELECT r.action FROM pgtrickle.pgt_stream_tables s, pgtrickle._refresh(s.pgt_id, 'MANUAL', %s) r"

Key = tuple[str, str]
Say = Callable[[str], None]


class NotContinued(Exception):
    """The refresh after a restore had to read everything again."""


@dataclass(slots=True)
class Run:
    """One run: the session, and what was measured so far."""

    conn: Connection[Any]
    rows: int
    samples: Samples[Key] = field(default_factory=Samples)


def run(database: Database, rows: int, rounds: int, say: Say) -> Report:
    with database.connect() as conn:
        say(f"loading {rows} rows")
        load(conn, rows)
        with connect(database.url) as client:
            client.create_stream_table(_NAME, _QUERY, schedule="1h", refresh_mode="DIFFERENTIAL")
        conn.execute("VACUUM (ANALYZE)")
        this = Run(conn, rows)
        for number in range(rounds):
            say(f"round {number + 1}: {', '.join(_SITUATIONS)}")
            for situation in _SITUATIONS:
                _measure(this, situation, number)
    about = {**database.environment, "rows": rows, "rounds": rounds}
    return Report("restore", about, _rows(this), _goals(this, counts=rows >= STATED_ROWS))


def _measure(this: Run, situation: str, number: int) -> None:
    conn = this.conn
    snapshot = "bench.snapshot"
    taken = timed_ms(lambda: conn.execute("SELECT pgtrickle.snapshot_stream_table(%s, %s)", (_NAME, snapshot)))
    this.samples.add(("snapshot", "–"), taken)
    if situation == "1 % changed":
        _change(this, max(1, this.rows // 100), number)
        conn.execute(_REFRESH, (False,))
    elif situation == "empty":
        with conn.transaction():
            conn.execute(_EMPTY)
    put = timed_ms(lambda: conn.execute("SELECT pgtrickle.restore_from_snapshot(%s, %s)", (_NAME, snapshot)))
    this.samples.add(("restore", situation), put)
    _change(this, 100, number + 1)
    row: Any = None

    def refresh() -> None:
        nonlocal row
        row = conn.execute(_REFRESH, (False,)).fetchone()

    this.samples.add(("next refresh", situation), timed_ms(refresh))
    if row != ("DIFFERENTIAL",):
        raise NotContinued(f"after a restore over {situation} the next refresh was {row}")
    check_equal(conn, sql.Identifier("bench", "kept_sales"), _QUERY, _COLUMNS)
    conn.execute("SELECT pgtrickle.drop_snapshot(%s)", (snapshot,))
    if situation == "empty":
        with conn.transaction():
            conn.execute(_EMPTY)
        this.samples.add(("full refresh", situation), timed_ms(lambda: conn.execute(_REFRESH, (True,))))
    conn.execute("SELECT pgtrickle._prune(source_id, 1000000) FROM pgtrickle.pgt_change_tracking")
    conn.execute("VACUUM (ANALYZE)")


def _change(this: Run, count: int, number: int) -> None:
    this.conn.execute(
        "UPDATE bench.sales SET amount = amount + 1 WHERE id %% %s = %s",
        (max(1, this.rows // count), number % max(1, this.rows // count)),
    )


def _rows(this: Run) -> list[dict[str, Any]]:
    return [
        {"what": what, "before": before, **this.samples.summary((what, before))} for what, before in this.samples.times
    ]


def _goals(this: Run, *, counts: bool) -> list[Goal]:
    return [
        judge(f"put back, before: {situation}", this.samples.median(("restore", situation)), "ms", "at most", _GOAL_MS,
              counts=counts)
        for situation in _SITUATIONS
    ]  # fmt: skip
