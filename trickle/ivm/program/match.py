"""Meeting rows by group keys, where NULL is a key value like any other.

`IS NOT DISTINCT FROM` can use neither hash joins nor indexes. Where a key may be NULL there are two arms: rows
whose keys are all present meet by `=`; the few with a NULL meet by `a = b OR (a IS NULL AND b IS NULL)`, and
that arm is not started at all when no touched key is NULL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Given, Rel
from trickle.ivm.algebra.scalars import Column, Scalar
from trickle.ivm.delta.restrict import Restriction, restrict
from trickle.ivm.facts import ColumnFacts
from trickle.ivm.program.parts import Target
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
    nullable = [k for k in keys if k.nullable]
    if not nullable:
        return f"{source}\nLEFT JOIN {target.table} s ON {equal}\nWHERE {condition}"
    present = " AND ".join(f"d.{ident(k.column.label)} IS NOT NULL" for k in nullable)
    absent = " OR ".join(f"d.{ident(k.column.label)} IS NULL" for k in nullable)
    either = " AND ".join(_null_safe(k) for k in keys)
    return (
        f"{source}\nLEFT JOIN {target.table} s ON {equal}\nWHERE {present} AND ({condition})\nUNION ALL\n"
        f"{source}\nLEFT JOIN {target.table} s ON {either}\n"
        f"WHERE ({absent}) AND ({condition})"
    )


def _null_safe(key: KeyColumn) -> str:
    stored, changed = f"s.{ident(key.stored)}", f"d.{ident(key.column.label)}"
    if not key.nullable:
        return f"{stored} = {changed}"
    return f"({stored} = {changed} OR ({stored} IS NULL AND {changed} IS NULL))"


def unchanged(new: str, old: str, facts: ColumnFacts | None) -> str:
    """Do two values look the same? Equality tells, except where equal values may look different."""
    if facts is None or (facts.comparable and facts.equal_is_identical):
        return f"{new} IS NOT DISTINCT FROM {old}"
    return f"{new}::text IS NOT DISTINCT FROM {old}::text"


def restricted(child: Rel, cte: str, keys: Sequence[KeyColumn], row: Column, numbering: Numbering) -> Rel:
    """Rows of `child`, as it is now, whose keys stand in a CTE; `row` is the CTE's number for the key."""
    given = Given(cte, (row, *(key.column for key in keys)))
    return restrict(child, [Restriction(k.value, k.column, k.nullable) for k in keys], given, numbering, (row,))
