"""What is new to a frontier, as text: the variables that tell, and tests that look for it in index order."""

from __future__ import annotations

from collections.abc import Sequence

from trickle.ivm.program.changes import BUFFERS, NEW
from trickle.ivm.program.parts import Target
from trickle.ivm.program.quote import ident


def read_frontier(target: Target) -> str:
    """Read what tells new rows from old ones into variables.

    New is what was written by transactions that the frontier had not seen begin; and of those it saw at work or,
    having advanced it themselves, not at their end, what it did not see. These may come late.
    """
    return f"""SELECT f.snapshot, pg_snapshot_xmax(f.snapshot),
  ARRAY(SELECT pg_snapshot_xip(f.snapshot)) || f.own_xid, f.own_xid, f.own_seq
INTO STRICT __pgt_snapshot, __pgt_xmax, __pgt_late, __pgt_own_xid, __pgt_own_seq
FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = {target.pgt_id}"""


def how_many_new(buffers: Sequence[int], enough: int) -> str:
    """How many captured rows there are to read; counting ends where the change is known to be large.

    The conditions are those of the statement that reads them, so the planner expects as few rows and follows the index.
    """
    return " + ".join(
        f"(SELECT count(*) FROM (SELECT FROM {ident(BUFFERS, f'changes_{buffer}')} b WHERE {condition}"
        f" ORDER BY b.xid LIMIT {enough + 1}) x)"
        for buffer in buffers
        for condition in NEW
    )


def new_markers(output: str, ids: str) -> str:
    """Select from the marks of truncated sources that are new."""
    return (
        f"SELECT {output} FROM pgtrickle_changes.markers m WHERE m.source_id IN ({ids})"
        " AND pgtrickle.is_new(m.xid, m.seq, __pgt_snapshot, __pgt_own_xid, __pgt_own_seq)"
    )


def changed(buffers: Sequence[int]) -> list[str]:
    """Tests of which one holds if anything in these buffers is new."""
    return [_first(buffer, new) for buffer in buffers for new in NEW]


def taken_away(buffers: Sequence[int]) -> list[str]:
    """Tests of which one holds if something new in these buffers is a row that went."""
    return [_first(buffer, f"{new} AND b.weight < 0") for buffer in buffers for new in NEW]


def either_of(tests: Sequence[str]) -> str:
    """Does one of the tests hold?"""
    return "\n    OR ".join(tests)


def _first(buffer: int, condition: str) -> str:
    """Is there such a row? Asked for in index order; EXISTS would drop the ORDER BY."""
    table = ident(BUFFERS, f"changes_{buffer}")
    return f"(SELECT true FROM {table} b WHERE {condition} ORDER BY b.xid LIMIT 1) IS TRUE"
