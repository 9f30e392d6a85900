"""Change buffers as text, and signed rows added up."""

from __future__ import annotations

from collections.abc import Sequence

from trickle.errors import Ours
from trickle.ivm.algebra.relations import Change
from trickle.ivm.facts import ColumnFacts
from trickle.ivm.program.quote import ident

BUFFERS = "pgtrickle_changes"
NEW = (
    "b.xid >= __pgt_xmax AND b.xid <= __pgt_last AND b.xid <> __pgt_own_xid",
    "b.xid = ANY (__pgt_late) AND (b.xid <> __pgt_own_xid OR b.seq > __pgt_own_seq)"
    " AND b.xid >= __pgt_first AND b.xid <= __pgt_last",
)
"""Two index ranges, together exactly the rows that are new to the frontier: what was begun after it, and what is late.

The bounds `__pgt_first` and `__pgt_last` exclude nothing. They make the ranges look closed to the planner, which then
expects a small part of the buffer instead of a third of it, or of all that ten transactions wrote, and keeps following
indexes while a slow consumer holds a backlog.
"""
TO_READ = (NEW[0], f"__pgt_has_late AND {NEW[1]}")
"""The same under the lock of the frontier, where it is known whether anything can be late; mostly nothing can. Planned
over a small buffer the second range would be a scan, and stay one over all that a slow consumer keeps."""
BOUNDS = """__pgt_first xid8 := '0';
  __pgt_last xid8 := '18446744073709551615';"""
"""Declares the bounds."""

NONE = "__pgt_none"
"""A variable that is 0, which the planner does not know: of the numbers from 1 to it, it expects a thousand."""
_MANY, _FEW = "\0m", "\0f"  # Around what is for one of the two alone; no query has a NUL in it.

OWN = "b.xid = __pgt_own_xid AND b.seq > __pgt_own_seq"
"""What the transaction itself has written since a number of its own."""

OWN_IN_ORDER = "b.xid >= __pgt_own_xid AND b.xid <= __pgt_own_xid AND b.seq > __pgt_own_seq ORDER BY b.xid"
"""The same, looked for in index order: the planner believes such rows are common, and would scan the buffer."""


def change_body(rel: Change) -> str:
    """Read a change buffer: what is new to the frontier, or to a number within the transaction's own changes.

    Where changes are `many` there is one more arm. It is empty, and lets the planner expect them: the buffer's own
    statistics tell nothing, for it was mostly empty when they were made.
    """
    buffer = buffer_name(rel)
    columns = ", ".join(
        [
            *(f"b.c{facts.number} AS {ident(column.label)}" for column, facts in rel.scan.attributes),
            f"b.weight::int AS {ident(rel.weight.label)}",
        ]
    )
    arms = (OWN,) if rel.own else TO_READ
    read = "\nUNION ALL\n".join(f"SELECT {columns} FROM {buffer} b WHERE {arm}" for arm in arms)
    expected = f"\nUNION ALL\nSELECT {columns} FROM generate_series(1, {NONE}) LEFT JOIN {buffer} b ON false"
    return f"{read}{_MANY}{expected}{_MANY}"


def only_few(text: str) -> str:
    """Mark text that is for a small change alone."""
    return f"{_FEW}{text}{_FEW}"


def few(text: str) -> str:
    """What was rendered, for a small change."""
    return _without(text, _MANY).replace(_FEW, "")


def many(text: str) -> str:
    """The same for a large one."""
    return _without(text, _FEW).replace(_MANY, "")


def _without(text: str, edge: str) -> str:
    return "".join(text.split(edge)[::2])


def net_rows(typed: Sequence[tuple[str, str, ColumnFacts]], weight: str, weight_label: str, source: str) -> str:
    """Add up the weights of identical rows and drop those that cancel.

    Identical, not merely equal: 1.0 and 1.00 are equal and print differently, so types whose equality is
    coarser than identity are grouped by their text as well, and types without equality by their text alone.
    """
    outputs: list[str] = []
    keys: list[str] = []
    for value, label, facts in typed:
        if facts.comparable:
            keys.append(value)
            outputs.append(f"{value} AS {ident(label)}")
        else:
            outputs.append(f"{value}::text::{facts.base_type} AS {ident(label)}")
        if not facts.equal_is_identical or not facts.comparable:
            keys.append(f"{value}::text")
    outputs.append(f"sum({weight})::bigint AS {ident(weight_label)}")
    group = f"\nGROUP BY {', '.join(keys)}" if keys else ""
    return f"SELECT {', '.join(outputs)}\nFROM {source}{group}\nHAVING sum({weight}) <> 0"


def copies(weight: str) -> str:
    """A FROM item with a row for each copy of a row that stands `weight` times; none where that is not positive.

    Of generate_series the planner believes that it makes a thousand rows of each. Of this it believes what is mostly
    true: one; so whatever is joined with the copies is looked up by index.
    """
    return (
        f"LATERAL (SELECT FROM unnest(array_fill(1, ARRAY[greatest({weight}, 0)::int])) u(one) WHERE u.one = 1) copies"
    )


def buffer_name(rel: Change) -> str:
    """Qualified name of the buffer that holds the changes of a scanned table."""
    if rel.scan.table.buffer is None:
        raise Ours(f"{rel.scan.table.schema}.{rel.scan.table.name} is not captured")
    return ident(BUFFERS, f"changes_{rel.scan.table.buffer}")
