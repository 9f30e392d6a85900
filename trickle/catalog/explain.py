"""How a query would be kept, without creating anything: it is bound, compiled against the database, and forgotten.

Sources that are not captured yet are taken for captured, so nothing is locked and nobody has to own them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from trickle.catalog.install import compile_facts, estimated_cost
from trickle.catalog.introspect import Connection, read_facts
from trickle.errors import Unsupported
from trickle.ivm import Facts, Program, Target
from trickle.ivm.lookups import Lookup
from trickle.ivm.program.because import because


def explain_query(conn: Connection, query: str) -> Mapping[str, Any]:
    """Compile a query without creating anything.

    Returns:
        canonical and estimated_cost, and either what the compiler made of it or the reason why it is refreshed in full.
    """
    with conn.transaction(force_rollback=True):
        row = conn.execute(
            "SELECT pgtrickle._bind_query('explain_query', 'the query', %s, current_setting('search_path'))::int8",
            [query],
        ).fetchone()
        facts = read_facts(conn, row[0] if row is not None else 0)
        explained: dict[str, Any] = {
            "canonical": facts.query,
            "estimated_cost": f"{estimated_cost(conn, facts.query):.2f} in full, in units of the planner",
        }
        try:
            program = compile_facts(conn, captured(facts), Target(0, "public", "explained"))
        except Unsupported as unsupported:
            return {**explained, "reason": unsupported.reason}
        return {**explained, **_made(conn, program)}


def captured(facts: Facts) -> Facts:
    """The same facts with every table captured whole, in buffers with numbers that nothing has yet."""
    last = max((relation.buffer or 0 for relation in facts.relations), default=0)
    relations = tuple(
        dataclasses.replace(
            relation,
            buffer=relation.buffer or last + place,
            captured=tuple(column.number for column in relation.columns),
        )
        if relation.kind in ("r", "p")
        else relation
        for place, relation in enumerate(facts.relations, 1)
    )
    return dataclasses.replace(facts, relations=relations)


def _made(conn: Connection, program: Program) -> dict[str, Any]:
    return {
        "strategy": program.strategy,
        "recomputed": list(because(program.strategy, determinised=program.determinised, states=len(program.states))),
        "algebra": program.algebra,
        "delta": program.delta,
        "state": [*program.storage.hidden, *(state.storage.query for state in program.states)],
        "lineage": {
            output: [f"{origin.schema}.{origin.table}.{origin.column}" for origin in origins]
            for output, origins in program.lineage
        },
        "missing_indexes": missing_indexes(conn, program.lookups),
        "program": program.function,
    }


def missing_indexes(conn: Connection, lookups: tuple[Lookup, ...]) -> list[str]:
    """The commands that make the indexes which these lookups miss."""
    asked = Jsonb([dataclasses.asdict(lookup) for lookup in lookups])
    return [row[0] for row in conn.execute("SELECT statement FROM pgtrickle._missing_indexes(%s)", [asked])]
