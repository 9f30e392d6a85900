"""The pieces of the one statement: its CTEs, what they say is to be written, and the MERGE that writes it."""

from __future__ import annotations

from collections.abc import Sequence

from trickle.ivm.program.layout import commented, indented
from trickle.ivm.program.parts import OPERATION, UNFOLDABLE, Apply, Target
from trickle.ivm.program.quote import ident
from trickle.ivm.program.state_ctes import state_ctes, unfoldable


def named(apply: Apply, guard: str = "") -> list[str]:
    """Every CTE with its law, those of state tables first; `guard` is a condition without which nothing is written."""
    own = [_cte(name, comment, body) for name, comment, body in apply.ctes]
    return _state_ctes(apply, own, guard) + own


def _cte(name: str, comment: str, body: str, how: str = "") -> str:
    head = f"{commented(comment)}\n" if comment else ""
    return f"{head}{ident(name)} AS {how}(\n{indented(body)}\n)"


def _state_ctes(apply: Apply, readers: Sequence[str], guard: str) -> list[str]:
    """The CTEs of all state tables: what is written, and of the ways to read them those that are used."""
    made = [cte for state, kept in apply.states for cte in state_ctes(state, kept, guard)]
    used: list[str] = []
    texts = list(readers)
    for cte in reversed(made):
        if not cte.reads or any(ident(cte.name) in text for text in texts):
            used.insert(0, _cte(cte.name, cte.comment, cte.body, "NOT MATERIALIZED " if cte.reads else ""))
            texts.append(cte.body)
    return used


def expected(apply: Apply) -> str:
    """How many rows `net` wants inserted, updated and deleted, and how many groups addition cannot follow."""
    deletions = apply.expected_deletions or f"count(*) FILTER (WHERE {OPERATION} = 'd')"
    return (
        f"count(*) FILTER (WHERE {OPERATION} = 'i'), count(*) FILTER (WHERE {OPERATION} IN ('u', 'x')),\n"
        f"        {deletions}, count(*) FILTER (WHERE {OPERATION} = '{UNFOLDABLE}'){unfoldable(apply.states)}"
    )


def merge(target: Target, apply: Apply, net: str) -> str:
    """Write the rows of `net`, called `n` there, into the storage."""
    columns = [ident(c) for c in apply.storage.columns]
    values = ", ".join(f"n.{c}" for c in columns)
    clauses = [f"WHEN MATCHED AND n.{OPERATION} = 'd' THEN DELETE"]
    if apply.updated:
        settings = ", ".join(f"{ident(c)} = n.{ident(c)}" for c in apply.updated)
        clauses.append(f"WHEN MATCHED AND n.{OPERATION} = 'u' THEN UPDATE SET {settings}")
    clauses.append(f"WHEN NOT MATCHED AND n.{OPERATION} = 'i' THEN INSERT ({', '.join(columns)}) VALUES ({values})")
    return f"MERGE INTO {target.table} t USING {net} ON {apply.match}\n" + "\n".join(clauses) + ";"


def insert(target: Target, apply: Apply, net: str) -> str:
    """Write the rows of `net`, which are all new, into the storage."""
    columns = [ident(c) for c in apply.storage.columns]
    values = ", ".join(f"n.{c}" for c in columns)
    return f"INSERT INTO {target.table} ({', '.join(columns)}) SELECT {values} FROM {net};"
