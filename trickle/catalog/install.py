"""Programs into PostgreSQL: compile a stream table's query and install what came out.

    facts ─▶ compile ─▶ hidden columns, stored view ─▶ program ─▶ full refresh ─▶ index ─▶ catalog ─▶ NOT NULL

A query without a delta rule is not an error: its stream table stays refreshed in full, and the catalog says why.
Readers see the rows of before until the rows of after are committed. Where somebody may be reading, what keeps readers
out is a short transaction of its own, which waits for them and holds nothing that they may come to want: first the
hidden columns, which come and go, last the columns that become NOT NULL. The fill is another, between the two. Should
it never come, the stream table is one without a program. Inside a caller's transaction all is one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from trickle.catalog.introspect import Connection, describe, describe_columns, read_facts
from trickle.errors import MissingFacts, NotFound, Unsupported
from trickle.ivm import COMPILER_VERSION, Facts, Program, Target, compile_query
from trickle.ivm.program.because import because
from trickle.ivm.program.parts import PROGRAMS
from trickle.ivm.program.quote import ident
from trickle.sql import load


@dataclass(frozen=True, slots=True)
class CompileOutcome:
    """What became of a compilation: `compiled`, or `full_only` with the reason."""

    state: str
    reason: str | None = None


def compile_and_install(conn: Connection, pgt_id: int) -> CompileOutcome:
    """Compile one stream table and install its program; fill the table if its storage changed or is empty.

    Works in transactions of its own, or in a savepoint of the caller's; then its readers wait for the caller.

    Raises:
        NotFound: there is no such stream table.
        psycopg.Error: the server refused; without a program, the stream table is refreshed in full as before.
    """
    outcome = None
    if conn.info.transaction_status is TransactionStatus.IDLE:
        with conn.transaction():
            outcome = _attempt(conn, pgt_id, staged=True)
    if outcome is None:
        with conn.transaction():
            outcome = _attempt(conn, pgt_id, staged=False)
    assert outcome is not None
    with conn.transaction():
        _declare(conn, pgt_id)
    return outcome


def _attempt(conn: Connection, pgt_id: int, *, staged: bool) -> CompileOutcome | None:
    """Compile and install; None when, `staged`, only the shape of the storage was prepared."""
    table = _table(conn, pgt_id)
    if table["refresh_mode"] == "FULL":
        return _settle(conn, table, "full_only", None, fill=not table["is_populated"])
    try:
        program = _compile(conn, table)
    except Unsupported as unsupported:
        return _settle(conn, table, "full_only", unsupported.reason, fill=not table["is_populated"])
    stored = _stored_query(conn, table["stored_query"], program)
    with _as_its_owner(conn, table):
        if (
            staged
            and table["is_populated"]
            and table["refresh_mode"] != "IMMEDIATE"
            and table["stored_query"] != stored
        ):
            _prepare(conn, table, program, stored)
            return None
        _install(conn, table, program, stored)
    return CompileOutcome("compiled")


@contextmanager
def _as_its_owner(conn: Connection, table: Mapping[str, Any]) -> Iterator[None]:
    """What is made for a stream table belongs to its owner, whoever of his members makes it.

    A program runs with the rights of whom it belongs to: a superuser's would lend them to whoever defines a query. An
    error takes the role back with the transaction.
    """
    if not table["is_anothers"]:
        yield
        return
    before = conn.execute("SELECT current_setting('role')").fetchone()
    conn.execute("SELECT set_config('role', %s, true)", [table["owner"]])
    yield
    conn.execute("SELECT set_config('role', %s, true)", before)


def _table(conn: Connection, pgt_id: int) -> dict[str, Any]:
    """Read and lock the catalog row. Writers of an IMMEDIATE stream table come to it the same way: their lock first."""
    conn.execute(load("queries/install_exclude_writers").encode(), {"pgt_id": pgt_id})
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(load("queries/install_stream_table").encode(), {"pgt_id": pgt_id}).fetchone()
    if row is None:
        raise NotFound(f"there is no stream table number {pgt_id}")
    return row


def _compile(conn: Connection, table: Mapping[str, Any]) -> Program:
    target = Target(
        table["pgt_id"],
        table["schema"],
        table["name"],
        immediate=table["refresh_mode"] == "IMMEDIATE",
        append_only=table["is_append_only"],
        partitioned=bool(table["partition_columns"]),
    )
    facts = read_facts(conn, table["view"], table["settings"])
    program = compile_facts(conn, facts, target)
    if _widen_capture(conn, facts, program):
        facts = read_facts(conn, table["view"], table["settings"])
        program = compile_facts(conn, facts, target)
    return program


def compile_facts(conn: Connection, facts: Facts, target: Target) -> Program:
    """Compile, describing to the compiler whatever types it turns out to need."""
    while True:
        try:
            return compile_query(facts, target)
        except MissingFacts as missing:
            facts = facts.with_types(describe(conn, missing.expressions))
            facts = facts.with_described(describe_columns(conn, missing.queries))


def _widen_capture(conn: Connection, facts: Facts, program: Program) -> bool:
    """Capture the columns that the program reads and no buffer has yet. Rows already buffered lack them,
    so the table is filled after this."""
    captured = {relation.oid: set(relation.captured) for relation in facts.relations}
    missing = {oid: n for oid, n in program.captured.items() if not set(n) <= captured[oid]}
    for oid, numbers in missing.items():
        conn.execute("SELECT pgtrickle._ensure_capture(%s::oid, %s::smallint[])", [oid, list(numbers)])
    return bool(missing)


def _prepare(conn: Connection, table: Mapping[str, Any], program: Program, stored: str) -> None:
    """Give the storage the shape of this program and leave the table without one: the next refresh in full fills it."""
    pgt_id = table["pgt_id"]
    conn.execute("SELECT pgtrickle._drop_states(%s)", [pgt_id])
    _reshape(conn, table, stored)
    conn.execute("SELECT pgtrickle._install_full(%s)", [pgt_id])
    _record(conn, pgt_id, "none", None, {**_explanation(program, stored), "states": []})


def _install(conn: Connection, table: Mapping[str, Any], program: Program, stored: str) -> None:
    """Put the storage's shape, the program and the filled table in place."""
    pgt_id = table["pgt_id"]
    reshaped = table["stored_query"] != stored
    restated = (table["state_queries"] or []) != [state.storage.query for state in program.states]
    if reshaped:
        _reshape(conn, table, stored)
    if restated:
        _restate(conn, pgt_id, program)
    if reshaped or restated:
        conn.execute("SELECT pgtrickle._install_full(%s)", [pgt_id])
    name, large = (ident(PROGRAMS, function) for function in program.names)
    count = ident(PROGRAMS, f"refresh_{pgt_id}_changes")
    _run(
        conn,
        program.function,
        program.large_function,
        program.count_function,
        f"REVOKE ALL ON FUNCTION {name}, {large}, {count} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {name}, {count} TO {_catalog_owner(conn)}",
    )
    _record(conn, pgt_id, "compiled", None, _explanation(program, stored))
    conn.execute("SELECT pgtrickle._restamp(%s)", [pgt_id])
    conn.execute("SELECT * FROM pgtrickle._refresh(%s, 'INITIAL', true)", [pgt_id])
    conn.execute(load("queries/install_effective").encode(), {"pgt_id": pgt_id})
    if program.storage.index and (reshaped or not table["is_indexed"]):
        _index(conn, table, program)
    if restated:
        _index_states(conn, pgt_id, program)


def _stored_query(conn: Connection, former: str | None, program: Program) -> str:
    """The query to fill the storage by: the one it is filled by already, else the cheaper one by the planner."""
    if program.as_written is None or former == program.storage.query:
        return program.storage.query
    if former == program.as_written:
        return former
    return min((program.storage.query, program.as_written), key=lambda query: estimated_cost(conn, query))


def estimated_cost(conn: Connection, query: str) -> float:
    """What the planner expects the query to cost, in its own units."""
    row = conn.execute(f"EXPLAIN (FORMAT JSON) {query}".encode()).fetchone()
    return float(row[0][0]["Plan"]["Total Cost"]) if row is not None else 0.0


def _reshape(conn: Connection, table: Mapping[str, Any], query: str) -> None:
    """Give the storage the hidden columns of this program, and no others, and a view that computes them."""
    pgt_id = table["pgt_id"]
    conn.execute("SELECT pgtrickle._lock_storage(%s::bigint::oid)", [table["storage"]])
    storage = ident(table["schema"], table["name"])
    stored = ident(PROGRAMS, f"stored_{pgt_id}")
    dropped = [
        f"ALTER TABLE {storage} DROP COLUMN {ident(name)}" for name in _names(conn, "install_stale_columns", pgt_id)
    ]
    freed = [
        f"ALTER TABLE {storage} ALTER COLUMN {ident(name)} DROP NOT NULL"
        for name in _names(conn, "install_certain_columns", pgt_id)
    ]
    _run(
        conn,
        *_names(conn, "install_stale_objects", pgt_id),
        *dropped,
        *freed,
        f"CREATE VIEW {stored} AS\n{query}",
    )
    for name, type_ in _pairs(conn, "install_hidden_columns", pgt_id):
        _run(conn, f"ALTER TABLE {storage} ADD COLUMN {ident(name)} {type_}")


def _restate(conn: Connection, pgt_id: int, program: Program) -> None:
    """Give the program its own tables, empty, each beside a view that fills it."""
    conn.execute("SELECT pgtrickle._drop_states(%s)", [pgt_id])
    for state in program.states:
        view = ident(PROGRAMS, f"state_query_{pgt_id}_{state.number}")
        _run(
            conn,
            f"CREATE VIEW {view} AS\n{state.storage.query}",
            f"CREATE TABLE {state.table} AS TABLE {view} WITH NO DATA",
        )


def _index(conn: Connection, table: Mapping[str, Any], program: Program) -> None:
    """Index what stored rows are found by; made after the fill, which is cheaper than keeping it up."""
    storage = program.storage
    # A unique index of a partitioned table has to have what its rows are parted by.
    parted_by = [name for name in table["partition_columns"] if storage.unique and name not in storage.index]
    table_name, pgt_id = ident(table["schema"], table["name"]), table["pgt_id"]
    _create_index(conn, table_name, f"__pgt_key_{pgt_id}", (*storage.index, *parted_by), unique=storage.unique)
    if storage.lookups:
        _create_index(conn, table_name, f"__pgt_walk_{pgt_id}", storage.lookups)


def _declare(conn: Connection, pgt_id: int) -> None:
    """Declare NOT NULL what the program keeps so, for stream tables over this one."""
    table = _undeclared(conn, pgt_id)
    if table is None:
        return
    with _as_its_owner(conn, table):
        conn.execute("SELECT pgtrickle._lock_storage(%s::bigint::oid)", [table["storage"]])
        # Once more: who changed the program meanwhile changed the storage with it, and from here nobody can.
        table = _undeclared(conn, pgt_id)
        if table is not None:
            certain = ", ".join(f"ALTER COLUMN {ident(name)} SET NOT NULL" for name in table["columns"])
            _run(conn, f"ALTER TABLE {ident(table['schema'], table['name'])} {certain}")


def _undeclared(conn: Connection, pgt_id: int) -> dict[str, Any] | None:
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(load("queries/install_undeclared_columns").encode(), {"pgt_id": pgt_id}).fetchone()
    return row if row is not None and row["columns"] else None


def _index_states(conn: Connection, pgt_id: int, program: Program) -> None:
    """Index the program's own tables by what their rows are found by, and tell the planner their size."""
    for state in program.states:
        storage, name = state.storage, f"__pgt_state_{pgt_id}_{state.number}"
        if storage.index:
            _create_index(conn, state.table, f"{name}_key", storage.index, unique=storage.unique)
        if storage.lookups:
            _create_index(conn, state.table, f"{name}_walk", storage.lookups)
        if state.order:
            _run(conn, f"CREATE INDEX {ident(f'{name}_order')} ON {state.table} ({', '.join(state.order)})")
        _run(conn, f"ANALYZE {state.table}")


def _create_index(conn: Connection, table: str, name: str, columns: Sequence[str], *, unique: bool = False) -> None:
    conn.execute("SELECT pgtrickle._index(%s::regclass, %s, %s, %s)", [table, name, list(columns), unique])


def _explanation(program: Program, stored: str) -> dict[str, Any]:
    """What `explain` shows of a program; the stored query tells the next compilation whether the shape changed."""
    return {
        "strategy": program.strategy,
        "algebra": program.algebra,
        "delta": program.delta,
        "stored": stored,
        "determinised": program.determinised,
        "because": because(program.strategy, determinised=program.determinised, states=len(program.states)),
        "appends": program.appends,
        "lineage": _lineage(program),
        "certain": list(program.storage.certain),
        "lookups": [dataclasses.asdict(lookup) for lookup in program.lookups],
        "states": [state.storage.query for state in program.states],
    }


def _lineage(program: Program) -> list[dict[str, str]]:
    """One entry for each column and origin; a column that is computed from none has an entry without."""
    return [
        {"output": output, **origin}
        for output, origins in program.lineage
        for origin in [dataclasses.asdict(o) for o in origins] or [{}]
    ]


def _settle(
    conn: Connection, table: Mapping[str, Any], state: str, reason: str | None, *, fill: bool
) -> CompileOutcome:
    """Leave the table to full refreshes, and say why."""
    _record(conn, table["pgt_id"], state, reason, None)
    conn.execute("SELECT pgtrickle._restamp(%s)", [table["pgt_id"]])
    if fill:
        conn.execute("SELECT * FROM pgtrickle._refresh(%s, 'INITIAL', true)", [table["pgt_id"]])
    return CompileOutcome(state, reason)


def _record(conn: Connection, pgt_id: int, state: str, reason: str | None, explain: Mapping[str, Any] | None) -> None:
    conn.execute(
        load("queries/install_state").encode(),
        {
            "pgt_id": pgt_id,
            "state": state,
            "version": COMPILER_VERSION,
            "reason": reason,
            "explain": Jsonb(explain) if explain is not None else None,
        },
    )


def _catalog_owner(conn: Connection) -> str:
    row = conn.execute("SELECT pgtrickle._catalog_owner()").fetchone()
    return ident(row[0]) if row is not None else "CURRENT_USER"


def _run(conn: Connection, *statements: str) -> None:
    """Execute generated statements; every name and literal in them went through the compiler's quoting."""
    for statement in statements:
        conn.execute(statement.encode())


def _names(conn: Connection, query: str, pgt_id: int) -> list[str]:
    return [row[0] for row in conn.execute(load(f"queries/{query}").encode(), {"pgt_id": pgt_id})]


def _pairs(conn: Connection, query: str, pgt_id: int) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in conn.execute(load(f"queries/{query}").encode(), {"pgt_id": pgt_id})]
