"""The stored relation in the user's own words, where hidden columns can be had from what the user selects.

A full refresh reads the stored relation. Written back from the algebra its plan may be better or worse than that of
the query as it was written: a subquery that was taken apart is joined early, a CTE that is read twice stands there
twice. So both are handed on, and the server, which can estimate, chooses.
"""

from __future__ import annotations

from trickle.ivm.facts import Facts
from trickle.ivm.program.layout import indented
from trickle.ivm.program.parts import Storage
from trickle.ivm.program.quote import ident
from trickle.ivm.program.rows import HASH


def as_written(facts: Facts, storage: Storage) -> str | None:
    """Write the query that fills `storage`, with the user's query as it stands inside; None where that cannot be."""
    if not storage.hidden:
        return facts.query
    if storage.hidden != (HASH,):
        return None
    hashed = ", ".join(f"q.{ident(column.name)}" for column in facts.output if column.hashable)
    value = f"hash_record_extended(ROW({hashed}), 0)" if hashed else "0::bigint"
    columns = ", ".join(f"q.{ident(name)}" for name in storage.outputs)
    return f"SELECT {columns}, {value} AS {ident(HASH)}\nFROM (\n{indented(facts.query.rstrip().rstrip(';'))}\n) q"
