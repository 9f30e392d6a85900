"""A trial: stream tables over a world, refreshed after each batch of statements and compared with their queries.

What a trial insists on, for each stream table after each refresh:

- it was compiled, and the refresh was differential unless a source was truncated;
- it equals its query as a bag; columns of types whose equal values print alike also by their text;
- hidden counters are never negative;
- refreshing again says NO_DATA and touches no row (the `xmin` and place of every row stay).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

import trickle
from property.worlds import quoted
from trickle.catalog.install import compile_and_install
from trickle.errors import TrickleError

_numbers = itertools.count(1)

# Types whose equal values are printed alike; every other type is compared by value alone.
EXACT = frozenset(
    {"integer", "smallint", "bigint", "text", "character varying", "boolean", "date", "timestamp with time zone"}
    | {"uuid", "bytea", "integer[]", "text[]", "mood", "positive", "character"}
)
# Types without equality can only be compared by text.
TEXTUAL = frozenset({"json", "json[]", "xml", "point", "point[]", "polygon"})
# What no addition can follow: NaN − NaN is not zero.
FULL_FOR_GOOD = frozenset({"a sum is not finite"})


class Wrong(AssertionError):
    """A stream table breaks its promise: it differs, or its refresh fails."""


class NotCompiled(AssertionError):
    """A query of the class that compiles was not compiled."""


@dataclass(slots=True)
class StreamTable:
    """A stream table under trial."""

    name: str
    query: str
    pgt_id: int = 0

    @property
    def sql(self) -> str:
        return quoted(self.name)


@dataclass(slots=True)
class Trial:
    """One client, one schema, and everything that was run, for the report of a failure."""

    client: trickle.Client
    schema: str
    mode: str = "DIFFERENTIAL"
    script: list[str] = field(default_factory=list)
    stream_tables: list[StreamTable] = field(default_factory=list)

    @property
    def connection(self) -> psycopg.Connection[Any]:
        return self.client.connection

    def run(self, statement: str) -> bool:
        """Run a statement; one that breaks a constraint or overflows has no effect, which is fine."""
        try:
            self.connection.execute(statement.encode())
        except (psycopg.errors.IntegrityError, psycopg.errors.DataError, psycopg.errors.CardinalityViolation) as error:
            self.script.append(f"-- refused: {statement};  -- {error}")
            return False
        self.script.append(f"{statement};")
        return True

    def create(self, name: str, query: str, *, compiled: bool = True) -> StreamTable:
        """Create a stream table; its query belongs to the class that compiles, unless said otherwise."""
        made = StreamTable(name, query)
        mode = self.mode if compiled else "AUTO"
        self.script.append(f"SELECT pgtrickle.create_stream_table('{name}', $q${query}$q$, refresh_mode => '{mode}');")
        self.client.create_stream_table(f"{self.schema}.{quoted(name)}", query, refresh_mode=mode)
        row = self.connection.execute(
            "SELECT pgt_id, program_state, program_reason FROM pgtrickle.pgt_stream_tables"
            " WHERE pgt_schema = %s AND pgt_name = %s",
            (self.schema, name),
        ).fetchone()
        if row is None or (compiled and row[1] != "compiled"):
            raise NotCompiled(f"{row}: {query}")
        made.pgt_id = row[0]
        self.stream_tables.append(made)
        self.compare(made)
        return made

    def can(self, statement: str) -> bool:
        """Can this server do this at all? Done if so."""
        try:
            self.connection.execute(statement.encode())
        except (psycopg.errors.FeatureNotSupported, psycopg.errors.SyntaxError):
            return False
        return True

    def refresh(self, table: StreamTable, *, may_be_full: bool = False) -> str:
        """Refresh, compare, and see that a second refresh finds nothing to do. An IMMEDIATE one is right already."""
        if self.mode == "IMMEDIATE" and not may_be_full:
            self.compare(table)
        self.script.append(f"SELECT pgtrickle.refresh_stream_table('{table.name}');")
        outcome = self._refresh(table)
        may_be_full = may_be_full or outcome.reason in FULL_FOR_GOOD
        if outcome.action not in ("NO_DATA", "DIFFERENTIAL") and not (may_be_full and outcome.action == "FULL"):
            raise Wrong(f"{table.name}: refreshed {outcome}")
        self.compare(table)
        self._compile_like_a_worker(table)
        before = self._places(table)
        again = self._refresh(table)
        if again.action != "NO_DATA" or before != self._places(table):
            raise Wrong(f"{table.name}: a refresh with nothing new did {again}")
        return str(outcome.action)

    def _compile_like_a_worker(self, table: StreamTable) -> None:
        """A program that has become stale is compiled anew by the next worker that comes by."""
        stale = "SELECT 1 FROM pgtrickle.pgt_stream_tables WHERE pgt_id = %s AND program_state = 'stale'"
        if self.connection.execute(stale, (table.pgt_id,)).fetchone():
            compile_and_install(self.connection, table.pgt_id)

    def compare(self, table: StreamTable) -> None:
        """Compare with the query, at one snapshot, in one statement."""
        outputs, hidden = self._columns(table)
        targets = ", ".join(
            f"{quoted(name)}::text" if type in EXACT | TEXTUAL or type.startswith("numeric(") else quoted(name)
            for name, type in outputs
        )
        query = f"SELECT {targets} FROM ({table.query}) q"
        stored = f"SELECT {targets} FROM {table.sql}"
        differences = self.connection.execute(
            (
                f"(SELECT 'missing', q::text FROM ({query} EXCEPT ALL {stored}) q) UNION ALL"
                f" (SELECT 'extra', q::text FROM ({stored} EXCEPT ALL {query}) q)"
            ).encode()
        ).fetchall()
        if differences:
            raise Wrong(f"{table.name} differs from {table.query}:\n" + "\n".join(map(str, differences)))
        self._compare_states(table)
        for name in hidden:
            if name.startswith("__pgt_count"):
                self._require_none(table, f"{quoted(name)} < 0 OR {quoted(name)} IS NULL")

    def _compare_states(self, table: StreamTable) -> None:
        """What the program keeps for itself is right as well, to the last hidden column."""
        kept = "SELECT state::text, view::text FROM pgtrickle._state_tables(%s)"
        for state, view in self.connection.execute(kept, (table.pgt_id,)).fetchall():
            wrong = f"(TABLE {view} EXCEPT ALL TABLE {state}) UNION ALL (TABLE {state} EXCEPT ALL TABLE {view})"
            texts = [f"SELECT s::text FROM {name} s" for name in (view, state)]
            try:
                differences = self.connection.execute(wrong.encode()).fetchall()
            except psycopg.errors.UndefinedFunction:  # a column of a type without equality
                wrong = "({0} EXCEPT ALL {1}) UNION ALL ({1} EXCEPT ALL {0})".format(*texts)
                differences = self.connection.execute(wrong.encode()).fetchall()
            if differences:
                raise Wrong(f"{state} of {table.query} is not what {view} says:\n{differences}")

    def _require_none(self, table: StreamTable, condition: str) -> None:
        rows = self.connection.execute(f"SELECT * FROM {table.sql} WHERE {condition}".encode()).fetchall()
        if rows:
            raise Wrong(f"{table.name} has rows where {condition}: {rows}")

    def _refresh(self, table: StreamTable) -> trickle.RefreshOutcome:
        try:
            return self.client.refresh_stream_table(f"{self.schema}.{table.sql}")
        except TrickleError as error:
            raise Wrong(f"{table.name} cannot be refreshed: {error}") from error

    def _columns(self, table: StreamTable) -> tuple[list[tuple[str, str]], list[str]]:
        found = self.connection.execute(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = (SELECT pgt_relid FROM pgtrickle.pgt_stream_tables WHERE pgt_id = %s)"
            " AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            (table.pgt_id,),
        ).fetchall()
        outputs = [(name, _exactness(type)) for name, type in found if not name.startswith("__pgt_")]
        return outputs, [name for name, _ in found if name.startswith("__pgt_")]

    def _places(self, table: StreamTable) -> Counter[tuple[Any, ...]]:
        statement = f"SELECT ctid::text, xmin::text FROM {table.sql}"
        return Counter(self.connection.execute(statement.encode()).fetchall())


def _exactness(type: str) -> str:
    """The type without its schema, and without modifiers unless they make it exact."""
    name = type.rsplit(".", 1)[-1] if "." in type else type
    return name if name.startswith("numeric(") else name.split("(")[0]


@contextmanager
def trial(client: trickle.Client, setup: Sequence[str], mode: str = "DIFFERENTIAL") -> Iterator[Trial]:
    """A fresh schema, and all of it gone afterwards; a failure brings its script along."""
    made = Trial(client, f"world_{next(_numbers)}", mode)
    connection = client.connection
    connection.execute(f"CREATE SCHEMA {made.schema}".encode())
    connection.execute(f"SET search_path = {made.schema}".encode())
    try:
        for statement in setup:
            if not made.run(statement):
                raise Wrong(f"the setup is wrong: {statement}")
        yield made
        _drop(made)
    except BaseException as error:
        error.add_note("\n".join(made.script))
        with suppress(psycopg.Error, TrickleError):
            _drop(made)
        raise


def _drop(made: Trial) -> None:
    """Drop everything, the readers before what they read."""
    made.connection.rollback()
    while made.stream_tables:
        table = made.stream_tables.pop()
        made.client.drop_stream_table(f"{made.schema}.{table.sql}")
    made.connection.execute("SET search_path = public")
    made.connection.execute(f"DROP SCHEMA {made.schema} CASCADE".encode())
