"""The pieces of the one statement: its CTEs, what they say is to be written, and the MERGE that writes it."""

from __future__ import annotations

from trickle.ivm.program.layout import commented, indented
from trickle.ivm.program.parts import OPERATION, UNFOLDABLE, Apply, Target
from trickle.ivm.program.quote import ident


def named(apply: Apply) -> list[str]:
    """Every CTE with its law."""
    return [f"{commented(comment)}\n{ident(name)} AS (\n{indented(body)}\n)" for name, comment, body in apply.ctes]


def expected(apply: Apply) -> str:
    """How many rows `net` wants inserted, updated and deleted, and how many groups addition cannot follow."""
    deletions = apply.expected_deletions or f"count(*) FILTER (WHERE {OPERATION} = 'd')"
    return (
        f"count(*) FILTER (WHERE {OPERATION} = 'i'), count(*) FILTER (WHERE {OPERATION} IN ('u', 'x')),\n"
        f"        {deletions}, count(*) FILTER (WHERE {OPERATION} = '{UNFOLDABLE}')"
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
