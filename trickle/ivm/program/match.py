"""Meeting rows by group keys, where NULL is a key value like any other.

`IS NOT DISTINCT FROM` can use neither hash joins nor indexes. Where a key may be NULL there are two arms: rows
whose keys are all present meet by `=`; the few with a NULL meet by `a = b OR (a IS NULL AND b IS NULL)`, and
that arm is not started at all when no touched key is NULL. PostgreSQL reads `IS NOT DISTINCT FROM NULL` as a plain
test for NULL, while `IS NULL` is true of a row of NULLs, which is another key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.properties import origins
from trickle.ivm.algebra.relations import Given, Rel
from trickle.ivm.algebra.scalars import Column, Scalar
from trickle.ivm.delta.restrict import Restriction, restrict
from trickle.ivm.facts import ColumnFacts
from trickle.ivm.program.changes import only_few
from trickle.ivm.program.parts import Root, Target, Touched
from trickle.ivm.program.quote import ident


@dataclass(frozen=True, slots=True)
class KeyColumn:
    """A group key: its column, how it is computed from the aggregate's input, and where it is stored."""

    column: Column
    value: Scalar
    stored: str
    nullable: bool


def against_stored(cte: str, target: Target, keys: Sequence[KeyColumn], outputs: str, condition: str) -> str:
    """Put each row of a CTE (called `d`) beside the stored row of its key (called `s`), or NULLs."""
    source = f"SELECT {outputs}\nFROM {ident(cte)} d"
    if not keys:
        return f"{source}\nLEFT JOIN {target.table} s ON true\nWHERE {condition}"
    equal = " AND ".join(f"s.{ident(k.stored)} = d.{ident(k.column.label)}" for k in keys)
    system = "s.ctid, s.tableoid" if target.partitioned else "s.ctid"
    # However many groups the planner expects to be touched, where little has changed each of them is looked up.
    found = f"LATERAL (SELECT {system}, s.* FROM {target.table} s WHERE {equal}{only_few(' OFFSET 0')}) s"
    nullable = [k for k in keys if k.nullable]
    if not nullable:
        return f"{source}\nLEFT JOIN {found} ON true\nWHERE {condition}"
    present = " AND ".join(f"d.{ident(k.column.label)} IS DISTINCT FROM NULL" for k in nullable)
    absent = " OR ".join(f"d.{ident(k.column.label)} IS NOT DISTINCT FROM NULL" for k in nullable)
    either = " AND ".join(_null_safe(k) for k in keys)
    return (
        f"{source}\nLEFT JOIN {found} ON true\nWHERE {present} AND ({condition})\nUNION ALL\n"
        f"{source}\nLEFT JOIN {target.table} s ON {either}\n"
        f"WHERE ({absent}) AND ({condition})"
    )


def _null_safe(key: KeyColumn) -> str:
    stored, changed = f"s.{ident(key.stored)}", f"d.{ident(key.column.label)}"
    if not key.nullable:
        return f"{stored} = {changed}"
    return f"({stored} = {changed} OR ({stored} IS NOT DISTINCT FROM NULL AND {changed} IS NOT DISTINCT FROM NULL))"


def unchanged(new: str, old: str, facts: ColumnFacts | None) -> str:
    """Do two values look the same? Equality tells, except where equal values may look different."""
    if facts is None or (facts.comparable and facts.equal_is_identical):
        return f"{new} IS NOT DISTINCT FROM {old}"
    return f"{new}::text IS NOT DISTINCT FROM {old}::text"


def restricted(child: Rel, cte: str, keys: Sequence[KeyColumn], row: Column, numbering: Numbering) -> Rel:
    """Rows of `child`, as it is now, whose keys stand in a CTE; `row` is the CTE's number for the key."""
    given = Given(cte, (row, *(key.column for key in keys)))
    return restrict(child, [Restriction(k.value, k.column, k.nullable) for k in keys], given, numbering, (row,))


def touched_groups(cte: str, keys: Sequence[KeyColumn], root: Root, child: Rel) -> Touched | None:
    """The groups in a CTE, if every key can be hashed: then equal keys hash alike, however they are spelled."""
    outputs = {facts.name: facts.hashable for facts in root.facts.output}
    inputs = origins(child)

    def hashable(key: KeyColumn) -> bool:
        if key.stored in outputs:
            return outputs[key.stored]
        return key.value.column in inputs and inputs[key.value.column].hashable

    if not keys or not all(hashable(key) for key in keys):
        return None
    return Touched(cte, tuple(key.column.label for key in keys))
