"""Who takes part in `refresh`: ways to keep the answer of a query in a relation of its own.

Each creates its relation once, makes ready (not timed), then brings it up to date and says how long that took.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from psycopg import Connection, sql

from benchmarks import changes, floors
from benchmarks.measure import timed_ms
from benchmarks.server import Database
from benchmarks.shapes import Shape
from trickle import connect
from trickle.catalog.stream_tables import get_stream_table
from trickle.db import session
from trickle.worker.bench import Limits, Workbench
from trickle.worker.jobs import perform
from trickle.worker.protocol import Outcome, Prune, Refresh

Mode = Literal["AUTO", "DIFFERENTIAL", "FULL"]


class NotDifferential(Exception):
    """A stream table was refreshed in another way than the one under measurement."""


class Contender(Protocol):
    """A way to keep results up to date."""

    @property
    def name(self) -> str: ...

    @property
    def incremental(self) -> bool:
        """Whether it works on the change; otherwise it computes everything anew."""

    def create(self, shape: Shape) -> None: ...

    def make_ready(self, shape: Shape) -> None: ...

    def update_ms(self, shape: Shape) -> float: ...


def relation(contender: Contender, shape: Shape) -> sql.Identifier:
    return sql.Identifier("bench", f"{shape.name}_{contender.name}")


@dataclass(slots=True)
class StreamTables:
    """Trickle, driven as its worker drives it: one long-lived session, one call per refresh."""

    name: str
    mode: Mode
    database: Database
    bench: Workbench
    pgt_ids: dict[str, int] = field(default_factory=dict)

    @classmethod
    def open(cls, database: Database, mode: Mode) -> StreamTables:
        conn = session.connect(database.url)
        conn.execute("SET synchronous_commit = off")  # as every other contender has it
        return cls(mode.lower(), mode, database, Workbench.prepare(conn, pooled=False, limits=Limits()))

    @property
    def incremental(self) -> bool:
        return self.mode == "DIFFERENTIAL"

    def create(self, shape: Shape) -> None:
        name = f"bench.{shape.name}_{self.name}"
        with connect(self.database.url) as client:
            client.create_stream_table(name, shape.query, schedule="1h", refresh_mode=self.mode)
            self.pgt_ids[shape.name] = get_stream_table(client.connection, name).pgt_id

    def make_ready(self, shape: Shape) -> None:
        """Nothing, capture has done it; but let its session hear which tables the benchmark has just emptied."""
        self.bench.conn.execute("SELECT 1")

    def update_ms(self, shape: Shape) -> float:
        outcomes: list[Outcome] = []
        milliseconds = timed_ms(lambda: outcomes.append(self.refresh(shape)))
        if outcomes[0].action != self.mode:
            raise NotDifferential(
                f"{shape.name} was refreshed {outcomes[0].action}, not {self.mode}: {outcomes[0].reason}"
            )
        return milliseconds

    def catch_up(self, shape: Shape) -> None:
        self.make_ready(shape)
        self.refresh(shape)

    def refresh(self, shape: Shape) -> Outcome:
        return perform(Refresh(self.pgt_ids[shape.name]), self.bench)

    def prune(self) -> None:
        """What the worker does in the background, once every reader has seen the changes."""
        for (source_id,) in self.bench.conn.execute("SELECT source_id FROM pgtrickle.pgt_change_tracking").fetchall():
            perform(Prune(source_id), self.bench)

    def close(self) -> None:
        self.bench.close()


@dataclass(slots=True)
class MaterializedView:
    """PostgreSQL's own; with CONCURRENTLY readers need not wait.

    It has a unique index on its key, as CONCURRENTLY requires, and as the stream table and the floor have: who keeps
    a million rows wants to find one. What REFRESH takes without any index is shown beside it.
    """

    conn: Connection[Any]
    name: Literal["refresh", "concurrently", "refresh_unindexed"]
    incremental: bool = False

    def create(self, shape: Shape) -> None:
        made = relation(self, shape)
        self.conn.execute(sql.SQL("CREATE MATERIALIZED VIEW {} AS {}").format(made, sql.SQL(shape.query)))
        if self.name != "refresh_unindexed":
            key = sql.SQL(", ").join(map(sql.Identifier, shape.key))
            self.conn.execute(sql.SQL("CREATE UNIQUE INDEX ON {} ({})").format(made, key))
        self.conn.execute(sql.SQL("VACUUM (ANALYZE) {}").format(made))

    def make_ready(self, shape: Shape) -> None:
        """Nothing: it computes everything anew."""

    def update_ms(self, shape: Shape) -> float:
        how = sql.SQL("CONCURRENTLY ") if self.name == "concurrently" else sql.SQL("")
        statement = sql.SQL("REFRESH MATERIALIZED VIEW {}{}").format(how, relation(self, shape))
        return timed_ms(lambda: self.conn.execute(statement))


@dataclass(slots=True)
class Floor:
    """The hand-written apply; see `floors`."""

    conn: Connection[Any]
    name: str = "floor"
    incremental: bool = True
    seen: dict[str, int] = field(default_factory=dict)

    def create(self, shape: Shape) -> None:
        made = relation(self, shape)
        key = sql.SQL(", ").join(map(sql.Identifier, shape.key))
        self.conn.execute(sql.SQL("CREATE TABLE {} AS {}").format(made, sql.SQL(shape.query)))
        self.conn.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(made, key))
        self.conn.execute(sql.SQL("VACUUM (ANALYZE) {}").format(made))

    def make_ready(self, shape: Shape) -> None:
        self.seen[shape.name] = floors.fill_buffer(self.conn, self.seen.get(shape.name, 0))

    def update_ms(self, shape: Shape) -> float:
        return timed_ms(lambda: floors.apply(self.conn, shape.name))

    def catch_up(self, shape: Shape) -> None:
        self.make_ready(shape)
        self.update_ms(shape)


@dataclass(slots=True)
class PgIvm:
    """The extension pg_ivm maintains within the writing statement.

    So its time is what a batch takes on a table with the view more than on one without. Each view has a copy of the
    table to itself: several on one table would pay for each other.
    """

    conn: Connection[Any]
    name: str = "pg_ivm"
    incremental: bool = True
    batch: int = 0
    plain_ms: float | None = None

    def create(self, shape: Shape) -> None:
        copies = [self._copy(shape)] + ([] if self._exists("sales_plain") else ["sales_plain"])
        for copy in copies:
            made = sql.Identifier("bench", copy)
            self.conn.execute(sql.SQL("CREATE TABLE {} (LIKE bench.sales INCLUDING ALL)").format(made))
            self.conn.execute(sql.SQL("INSERT INTO {} SELECT * FROM bench.sales").format(made))
            self.conn.execute(sql.SQL("VACUUM (ANALYZE) {}").format(made))
        self.conn.execute("SELECT pgivm.create_immv(%s, %s)", (f"bench.{shape.name}_{self.name}", self.query(shape)))

    def new_batch(self, number: int) -> None:
        self.batch = number
        self.plain_ms = None

    def make_ready(self, shape: Shape) -> None:
        if self.plain_ms is None:
            self.plain_ms = self._apply_ms("sales_plain")

    def update_ms(self, shape: Shape) -> float:
        return max(self._apply_ms(self._copy(shape)) - (self.plain_ms or 0.0), 0.0)

    def _apply_ms(self, table: str) -> float:
        return timed_ms(lambda: changes.apply(self.conn, sql.Identifier("bench", table), self.batch))

    def _copy(self, shape: Shape) -> str:
        return f"sales_of_{shape.name}"

    def query(self, shape: Shape) -> str:
        return shape.query.replace("bench.sales", f"bench.{self._copy(shape)}")

    def _exists(self, table: str) -> bool:
        row = self.conn.execute("SELECT to_regclass(%s) IS NOT NULL", (f"bench.{table}",)).fetchone()
        return bool(row and row[0])


def pg_ivm_is_here(conn: Connection[Any]) -> bool:
    return conn.execute("SELECT FROM pg_extension WHERE extname = 'pg_ivm'").fetchone() is not None
