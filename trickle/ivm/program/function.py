"""The two PL/pgSQL functions around the one statement.

    peek       without a lock: is anything new? If not, nothing is locked, written or logged
    lock       the frontier's row; what is read from it stays in variables, so plans stay cached and ranges indexed
    permit     the executor checks the owner's SELECT right on every source, also where only buffers are read
    apply      one statement at one snapshot: changes → net → MERGE, with the frontier advanced beside it
    check      as many rows were written as the delta says, else an error: never silent drift

Where one source may have changed alone, the largest, its statement stands in a smaller form as well; that form asks by
its own snapshot whether it may, and else does nothing, not even move the frontier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trickle.ivm.facts import RelationFacts
from trickle.ivm.program.apply import expected, merge, named
from trickle.ivm.program.changes import BOUNDS, BUFFERS, NEW
from trickle.ivm.program.frame import (
    by_size,
    complain,
    create_large,
    create_program,
    either,
    large_from,
    large_name,
    permit,
)
from trickle.ivm.program.layout import indented
from trickle.ivm.program.parts import Alone, Apply, Target
from trickle.ivm.program.quote import ident
from trickle.ivm.program.state_ctes import faults


def function_texts(
    target: Target,
    apply: Apply,
    alone: Alone | None,
    buffers: Sequence[int],
    sources: Sequence[RelationFacts],
    settings: Mapping[str, str],
) -> tuple[str, str]:
    """Write the CREATE FUNCTION statements of a differential refresh and of its part for large changes."""
    ids = ", ".join(str(b) for b in buffers)
    statement = either(
        _statement(target, apply, ids), _statement(target, alone.apply, ids, alone.others) if alone else None
    )
    call = (
        f"{large_name(target)}(__pgt_snapshot, __pgt_xmax, __pgt_late, __pgt_own_xid, __pgt_own_seq,"
        f" {'__pgt_alone' if alone else 'false'})"
    )
    many = large_from(sources)
    state_faults = ", f.state_faults" if apply.states else ""
    attempt = f"""{by_size(_how_many_new(buffers, many), many, call, statement)}

SELECT f.own_seq, f.rows_inserted, f.rows_updated, f.rows_deleted, f.markers, f.unfoldable{state_faults}
INTO __pgt_counts
FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = {target.pgt_id};"""
    body = f"""#variable_conflict use_column
DECLARE
  __pgt_snapshot pg_snapshot;
  __pgt_xmax xid8;
  {BOUNDS}
  __pgt_late xid8[];
  __pgt_own_xid xid8;
  __pgt_own_seq bigint;
  __pgt_written bigint;
  __pgt_counts record;{_ALONE_DECLARED if alone else ""}
BEGIN
{indented(read_frontier(target))};
{indented(_peek(buffers, alone, ids))} THEN
    RETURN ROW('NO_DATA', 0, 0, 0, NULL)::pgtrickle.refresh_outcome;
  END IF;

{indented(read_frontier(target))} FOR NO KEY UPDATE;
  {permit(sources)}

{indented(_repeated(attempt) if alone else attempt)}
  IF __pgt_counts.markers > 0 THEN
    RETURN ROW('FULL_NEEDED', 0, 0, 0, 'a source was truncated')::pgtrickle.refresh_outcome;
  END IF;
  IF __pgt_counts.unfoldable > 0 THEN
    RETURN ROW('FULL_NEEDED', 0, 0, 0, 'a sum is not finite')::pgtrickle.refresh_outcome;
  END IF;
{indented(complain(target, _WRITTEN, " OR __pgt_counts.state_faults > 0" if apply.states else ""))}
  RETURN ROW('DIFFERENTIAL', {", ".join(_WRITTEN)},
             NULL)::pgtrickle.refresh_outcome;
END
"""
    arguments = (
        "\n  __pgt_snapshot pg_snapshot, __pgt_xmax xid8, __pgt_late xid8[], __pgt_own_xid xid8, __pgt_own_seq bigint,"
        " __pgt_alone boolean"
    )
    return (
        create_program(target, "", body, settings),
        create_large(target, arguments, f"\n  {BOUNDS}", statement, settings),
    )


_ALONE_DECLARED = """
  __pgt_alone boolean;"""
_WRITTEN = ("__pgt_counts.rows_inserted", "__pgt_counts.rows_updated", "__pgt_counts.rows_deleted")


def _repeated(attempt: str) -> str:
    """Try the statement for one source alone; it does nothing if by its own snapshot another one has changed."""
    return f"""LOOP
{indented(attempt)}
  EXIT WHEN NOT __pgt_alone OR __pgt_counts.own_seq IS DISTINCT FROM __pgt_own_seq;
  __pgt_alone := false;
END LOOP;"""


def read_frontier(target: Target) -> str:
    """Read what tells new rows from old ones into variables.

    New is what was written by transactions that the frontier had not seen begin; and of those it saw at work or,
    having advanced it themselves, not at their end, what it did not see. These may come late.
    """
    return f"""SELECT f.snapshot, pg_snapshot_xmax(f.snapshot),
  ARRAY(SELECT pg_snapshot_xip(f.snapshot)) || f.own_xid, f.own_xid, f.own_seq
INTO STRICT __pgt_snapshot, __pgt_xmax, __pgt_late, __pgt_own_xid, __pgt_own_seq
FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = {target.pgt_id}"""


def _how_many_new(buffers: Sequence[int], enough: int) -> str:
    """How many captured rows there are to read; counting ends where the change is known to be large."""
    return " + ".join(
        f"(SELECT count(*) FROM (SELECT FROM {ident(BUFFERS, f'changes_{buffer}')} b WHERE {condition}"
        f" ORDER BY b.xid LIMIT {enough + 1}) x)"
        for buffer in buffers
        for condition in ("b.xid >= __pgt_xmax", "b.xid = ANY (__pgt_late)")
    )


def _peek(buffers: Sequence[int], alone: Alone | None, ids: str) -> str:
    """Is nothing new? And if one source may have changed alone: have the others not?"""
    markers = f"EXISTS ({_new_markers('1', ids)})"
    if alone is None:
        return f"IF NOT ({_any([*_tests(buffers), markers])})"
    largest = [buffer for buffer in buffers if buffer not in alone.others]
    others = _any([*_tests(alone.others), markers])
    return f"__pgt_alone := NOT ({others});\nIF __pgt_alone AND NOT ({_any(_tests(largest))})"


def _any(tests: Sequence[str]) -> str:
    return "\n    OR ".join(tests)


def _tests(buffers: Sequence[int]) -> list[str]:
    return [_first(ident(BUFFERS, f"changes_{buffer}"), new) for buffer in buffers for new in NEW]


def _first(table: str, condition: str) -> str:
    """Is there such a row? Asked for in index order: the planner believes such rows are common and scans the
    table from its start, where the consumed ones lie; EXISTS would drop the ORDER BY."""
    return f"(SELECT true FROM {table} b WHERE {condition} ORDER BY b.xid LIMIT 1) IS TRUE"


def _new_markers(output: str, ids: str) -> str:
    return (
        f"SELECT {output} FROM pgtrickle_changes.markers m WHERE m.source_id IN ({ids})"
        " AND pgtrickle.is_new(m.xid, m.seq, __pgt_snapshot, __pgt_own_xid, __pgt_own_seq)"
    )


def _statement(target: Target, apply: Apply, ids: str, others: Sequence[int] = ()) -> str:
    """The one statement: every CTE with its law, the frontier, and the MERGE; done only if the `others` stand still."""
    ctes = named(apply, _ALONE if others else "")
    if others:
        tests = _any(_tests(others))
        law = "-- has nothing else changed, by the snapshot of this very statement?"
        ctes.insert(0, f"{law}\nquiet AS MATERIALIZED (\n  SELECT NOT (\n    {tests}) AS alone\n)")
    ctes.append(
        "-- the new frontier: snapshot of this statement, and its place in its transaction\n"
        + _frontier(target, apply, ids, alone=bool(others))
    )
    net = f"(SELECT * FROM net WHERE {_ALONE}) n" if others else "net n"
    body = ",\n".join(ctes)
    return f"WITH\n{body}\n{merge(target, apply, net)}"


_ALONE = "(SELECT q.alone FROM quiet q)"


def _frontier(target: Target, apply: Apply, ids: str, *, alone: bool) -> str:
    changing = [pair for pair in apply.states if pair[1] is not None]
    checked = f",\n    state_faults = {faults(apply.states)}" if changing else ""
    return f"""frontier AS (
  UPDATE pgtrickle.pgt_frontiers SET
    snapshot = pg_current_snapshot(), own_xid = pg_current_xact_id(),
    own_seq = nextval('pgtrickle_changes.change_seq'),
    (rows_inserted, rows_updated, rows_deleted, unfoldable) = (
      SELECT {expected(apply)}
      FROM net),
    markers = ({_new_markers("count(*)", ids)}){checked}
  WHERE pgt_id = {target.pgt_id}{f" AND {_ALONE}" if alone else ""}
)"""
