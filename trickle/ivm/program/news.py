"""What is new to a frontier, as text: the variables that tell, and tests that look for it in index order."""

from __future__ import annotations

from collections.abc import Sequence

from trickle.ivm.program.changes import BUFFERS, NEW, OWN_IN_ORDER, TO_READ
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


def can_be_late(buffers: Sequence[int]) -> str:
    """Under the lock of the frontier: can anything be new that its snapshot did not see at its end?

    Whoever it saw at work may have committed since, or do so at any moment. Whoever advanced it has ended, or it is
    this transaction: what that one wrote afterwards is there to be seen by now.
    """
    own = (f"(SELECT true FROM {_buffer(buffer)} b WHERE {OWN_IN_ORDER} LIMIT 1) IS TRUE" for buffer in buffers)
    return either_of(["cardinality(__pgt_late) > 1", *own])


def how_many_new(buffers: Sequence[int], enough: int) -> str:
    """How many captured rows there are to read; counting ends where the change is known to be large.

    The conditions are those of the statement that reads them, so the planner expects as few rows and follows the index.
    """
    return " + ".join(
        f"(SELECT count(*) FROM (SELECT FROM {_buffer(buffer)} b WHERE {condition}"
        f" ORDER BY b.xid LIMIT {enough + 1}) x)"
        for buffer in buffers
        for condition in TO_READ
    )


def new_markers(output: str, ids: str) -> str:
    """Select from the marks of truncated sources that are new."""
    return (
        f"SELECT {output} FROM pgtrickle_changes.markers m WHERE m.source_id IN ({ids})"
        " AND pgtrickle.is_new(m.xid, m.seq, __pgt_snapshot, __pgt_own_xid, __pgt_own_seq)"
    )


def seems_changed(buffers: Sequence[int]) -> list[str]:
    """Tests of which one holds if anything in these buffers is new; without the lock of the frontier."""
    return [_first(buffer, new) for buffer in buffers for new in NEW]


def changed(buffers: Sequence[int]) -> list[str]:
    """Tests of which one holds if anything in these buffers is new."""
    return [_first(buffer, new) for buffer in buffers for new in TO_READ]


def taken_away(buffers: Sequence[int]) -> list[str]:
    """Tests of which one holds if something new in these buffers is a row that went."""
    return [_first(buffer, f"{new} AND b.weight < 0") for buffer in buffers for new in TO_READ]


def either_of(tests: Sequence[str]) -> str:
    """Does one of the tests hold?"""
    return "\n    OR ".join(tests)


def _first(buffer: int, condition: str) -> str:
    """Is there such a row? Asked for in index order; EXISTS would drop the ORDER BY."""
    return f"(SELECT true FROM {_buffer(buffer)} b WHERE {condition} ORDER BY b.xid LIMIT 1) IS TRUE"


def _buffer(buffer: int) -> str:
    return ident(BUFFERS, f"changes_{buffer}")
