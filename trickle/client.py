"""The Python API: one connection, and a method for each thing a user does with stream tables.

    import trickle

    with trickle.connect("postgresql://localhost/shop") as client:
        client.create_stream_table(
            "order_totals", "SELECT customer_id, sum(amount) AS total FROM orders GROUP BY customer_id"
        )
        client.refresh_stream_table("order_totals")

Every method calls the SQL API, so what Python and psql do is the same; Python adds the compiler, which makes
a new stream table differential at once. A client is for one thread at a time. Errors are those of
`trickle.errors`; the database's own error, with its SQLSTATE, is the `__cause__`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import Connection, sql
from psycopg.rows import tuple_row

from trickle.catalog import stream_tables
from trickle.catalog.explain import explain_query
from trickle.catalog.install import compile_and_install
from trickle.catalog.places import place_of_error
from trickle.catalog.sqlstates import translated
from trickle.catalog.status import StreamTableStatus, read_every_status, read_status
from trickle.catalog.verify import RefreshOutcome, VerifyResult, refresh, verify
from trickle.db import session
from trickle.errors import DefinitionError, TryAgain

__all__ = ["Client", "RefreshOutcome", "StreamTableStatus", "VerifyResult", "connect"]

# A verification holds one snapshot; a refresh by somebody else in between makes it start again.
_VERIFY_ATTEMPTS = 20
_LONGEST_PAUSE_SECONDS = 1.0


def connect(url: str = "") -> Client:
    """Open a client; an empty `url` leaves the choice to libpq's variables (PGHOST, PGSERVICE, …)."""
    with translated("connect"):
        return Client(session.connect(url, role="client"))


class Client:
    """A connection to a database in which Trickle's catalog is installed; usable as a context manager."""

    def __init__(self, connection: Connection[Any]) -> None:
        self.connection = connection

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        self.connection.close()

    def create_stream_table(
        self,
        name: str,
        query: str,
        schedule: str = "calculated",
        refresh_mode: str = "AUTO",
        **options: Any,
    ) -> StreamTableStatus:
        """Create, capture, compile and fill; nothing is left behind when one of these fails.

        `options` are the further arguments of pgtrickle.create_stream_table; `initialize=False` leaves the
        stream table empty until its first refresh.
        """
        asked = {"schedule": schedule, "refresh_mode": refresh_mode, **options}
        return self._create("create_stream_table", name, query, asked, drop_on_failure=True)

    def create_stream_table_if_not_exists(self, name: str, query: str, **options: Any) -> StreamTableStatus:
        """Create unless a stream table of this name exists, which is then left as it is."""
        with translated("create", self.connection):
            existing = stream_tables.find_stream_table(self.connection, name)
        return self.create_stream_table(name, query, **options) if existing is None else self.status(name)

    def create_or_replace_stream_table(self, name: str, query: str, **options: Any) -> StreamTableStatus:
        """Create, or change an existing stream table to this definition; its identity and readers stay."""
        with translated("create", self.connection):
            existing = stream_tables.find_stream_table(self.connection, name)
        if existing is None:
            return self.create_stream_table(name, query, **options)
        return self._create("create_or_replace_stream_table", name, query, options, drop_on_failure=False)

    def alter_stream_table(self, name: str, **changes: Any) -> StreamTableStatus:
        """Change what is named (query, schedule, refresh_mode, status, tier, …); the rest stays."""
        with self._defining("alter", changes.get("query")):
            if "IMMEDIATE" in (str(changes.get(key, "")).upper() for key in ("refresh_mode", "schedule")):
                # Refused by the compiler, it stays as it was.
                with self.connection.transaction():
                    self._call("alter_stream_table", {"name": name, **changes})
                    self._compile_if_needed(name)
            else:
                self._call("alter_stream_table", {"name": name, **changes})
                self._compile_if_needed(name)
        return self.status(name)

    def drop_stream_table(self, name: str, cascade: bool = False) -> None:
        """Drop a stream table; with `cascade` also those that read it."""
        with translated("drop", self.connection):
            self._call("drop_stream_table", {"name": name, "cascade": cascade})

    def refresh_stream_table(self, name: str, full: bool = False) -> RefreshOutcome:
        """Bring a stream table up to date now; `full` recomputes it whatever has changed."""
        with translated("refresh", self.connection):
            return refresh(self.connection, stream_tables.get_stream_table(self.connection, name), full=full)

    def resume_stream_table(self, name: str) -> StreamTableStatus:
        """Let a suspended or failed stream table be refreshed again."""
        with translated("resume", self.connection):
            self._call("resume_stream_table", {"name": name})
        return self.status(name)

    def pause(self, names: Sequence[str]) -> None:
        """Stop the scheduled refreshes of stream tables, once those in progress have ended.

        Raises:
            TryAgain: one took longer than the setting `scheduler_drain_timeout`; nothing is paused.
        """
        with translated("pause", self.connection):
            self._call("pause_scheduler", {"nodes": [*names]})

    def resume(self, names: Sequence[str] | None = None) -> None:
        """Let stream tables that were paused be refreshed again: these, or all."""
        with translated("resume", self.connection):
            if names:
                self._call("resume_scheduler", {"nodes": [*names]})
            else:
                self._call("resume_all", {})

    def drain(self, timeout_seconds: int = 60) -> bool:
        """Pause every stream table that is refreshed; False, and nothing paused, when one in progress takes longer."""
        with translated("drain", self.connection), session.stated_isolation(self.connection):
            row = self.connection.execute("SELECT pgtrickle.drain(%s)", (timeout_seconds,)).fetchone()
            return bool(row and row[0])

    def is_drained(self) -> bool:
        """Whether nothing is refreshed until somebody asks for it."""
        with translated("drain", self.connection):
            row = self.connection.execute("SELECT pgtrickle.is_drained()").fetchone()
            return bool(row and row[0])

    def status(self, name: str) -> StreamTableStatus:
        """How one stream table is doing."""
        with translated("status", self.connection):
            return read_status(self.connection, name)

    def list(self) -> tuple[StreamTableStatus, ...]:
        """How every stream table is doing, by schema and name."""
        with translated("list", self.connection):
            return read_every_status(self.connection)

    def history(self, name: str, max_rows: int = 20) -> tuple[Mapping[str, Any], ...]:
        """The latest refreshes of one stream table, newest first."""
        with translated("history", self.connection):
            return stream_tables.refresh_history(self.connection, name, max_rows)

    def explain(self, name: str) -> Mapping[str, str | None]:
        """How a stream table is maintained: its query, algebra, delta, program, and why FULL if it is."""
        with translated("explain", self.connection), self.connection.cursor(row_factory=tuple_row) as cursor:
            return dict(cursor.execute("SELECT property, value FROM pgtrickle.explain_st(%s)", (name,)))

    def explain_query(self, query: str) -> Mapping[str, Any]:
        """How a query would be maintained, without creating anything: text, or lists of text, by stage."""
        with self._defining("define", query):
            return dict(explain_query(self.connection, query))

    def verify(self, name: str) -> VerifyResult:
        """Refresh and compare with the defining query, both at one snapshot, on a live system."""
        for attempt in range(1, _VERIFY_ATTEMPTS + 1):
            try:
                with translated("verify", self.connection):
                    return verify(self.connection, name)
            except TryAgain:
                if attempt == _VERIFY_ATTEMPTS or self.connection.closed:
                    raise
                time.sleep(random.uniform(0, min(_LONGEST_PAUSE_SECONDS, 0.02 * 2**attempt)))
        raise AssertionError("the loop above returns or raises")

    def _create(
        self, function: str, name: str, query: str, options: Mapping[str, Any], drop_on_failure: bool
    ) -> StreamTableStatus:
        """Create empty first and fill in a later transaction: writers wait for neither compiler nor fill."""
        initialize = bool(options.get("initialize", True))
        with self._defining("create", query):
            self._call(function, {"name": name, "query": query, **options, "initialize": False})
            if initialize:
                try:
                    self._compile_if_needed(name)
                except BaseException:
                    if drop_on_failure:
                        self._undo_create(name)
                    raise
        return self.status(name)

    @contextmanager
    def _defining(self, operation: str, query: str | None) -> Iterator[None]:
        """Translated errors, with the place in the query as a note where the server can tell it."""
        try:
            with translated(operation, self.connection):
                yield
        except DefinitionError as error:
            place = place_of_error(self.connection, query) if query else None
            if place:
                error.add_note(place)
            raise

    def _undo_create(self, name: str) -> None:
        """Best effort: with the connection gone, the next worker fills what has been created."""
        try:
            self._call("drop_stream_table", {"name": name})
        except psycopg.Error:
            return

    def _compile_if_needed(self, name: str) -> None:
        """Compile what has no program, or wants another. One that is IMMEDIATE must have one: else each write would
        recompute it."""
        record = stream_tables.get_stream_table(self.connection, name)
        has_program = record.program_state not in ("none", "stale") and record.program_version is not None
        if has_program and record.is_populated:
            return
        if record.refresh_mode != "IMMEDIATE":
            compile_and_install(self.connection, record.pgt_id)
            return
        with self.connection.transaction():
            outcome = compile_and_install(self.connection, record.pgt_id)
            if outcome.state != "compiled":
                raise DefinitionError(
                    f"unsupported operator for IMMEDIATE mode: {record.name} ({outcome.reason})",
                    hint="use refresh_mode FULL, or DIFFERENTIAL, with a schedule",
                )

    def _call(self, function: str, arguments: Mapping[str, Any]) -> None:
        """SELECT pgtrickle.function(name => …), so that arguments not given keep the server's defaults."""
        given = {key: value for key, value in arguments.items() if value is not None}
        pairs = [sql.SQL("{} => {}").format(sql.Identifier(key), sql.Placeholder(key)) for key in given]
        statement = sql.SQL("SELECT {}({})").format(sql.Identifier("pgtrickle", function), sql.SQL(", ").join(pairs))
        try:
            with session.stated_isolation(self.connection):
                self.connection.execute(statement, given)
        except psycopg.errors.UndefinedFunction as error:
            # With a context the server was already inside the function, and means one that the query calls.
            if error.diag.context:
                raise
            raise DefinitionError(
                f"{function} does not take these options, or not with these types: {', '.join(given)}"
            ) from error
