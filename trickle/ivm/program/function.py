"""The two PL/pgSQL functions around the one statement.

    peek       without a lock: is anything new? If not, nothing is locked, written or logged
    lock       the frontier's row; what is read from it stays in variables, so plans stay cached and ranges indexed
    permit     the executor checks the owner's SELECT right on every source, also where only buffers are read
    apply      one statement at one snapshot: changes → net → MERGE, with the frontier advanced beside it
    check      as many rows were written as the delta says, else an error: never silent drift

Where one source may have changed alone, the largest, its statement stands in a smaller form as well; that form asks by
its own snapshot whether it may, and else does nothing, not even move the frontier. So does the form of an append-only
stream table, which inserts what came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from trickle.ivm.facts import RelationFacts
from trickle.ivm.program.apply import expected, insert, merge, named
from trickle.ivm.program.changes import BOUNDS
from trickle.ivm.program.frame import (
    LOOKS_DECLARED,
    by_size,
    complain,
    create_large,
    create_program,
    either,
    large_from,
    large_name,
    looked_for,
    permit,
)
from trickle.ivm.program.layout import indented
from trickle.ivm.program.news import (
    can_be_late,
    changed,
    either_of,
    how_many_new,
    new_markers,
    read_frontier,
    seems_changed,
    taken_away,
)
from trickle.ivm.program.parts import Alone, Appended, Apply, Target
from trickle.ivm.program.state_ctes import faults


def function_texts(
    target: Target,
    apply: Apply,
    alone: Alone | None,
    appends: Appended | None,
    buffers: Sequence[int],
    sources: Sequence[RelationFacts],
    settings: Mapping[str, str],
) -> tuple[str, str]:
    """Write the CREATE FUNCTION statements of a differential refresh and of its part for large changes."""
    ids = ", ".join(str(b) for b in buffers)
    statement = either(
        _statement(target, apply, ids),
        _statement(target, alone.apply, ids, (_QUIET, changed(alone.others))) if alone else None,
    )
    call = (
        f"{large_name(target)}(__pgt_snapshot, __pgt_xmax, __pgt_late, __pgt_own_xid, __pgt_own_seq,"
        f" __pgt_has_late, {'__pgt_alone' if alone else 'false'})"
    )
    many = large_from(sources)
    state_faults = ", f.state_faults" if apply.states else ""
    outcome = f"""

SELECT f.own_seq, f.rows_inserted, f.rows_updated, f.rows_deleted, f.markers, f.unfoldable{state_faults}
INTO __pgt_counts
FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = {target.pgt_id};"""
    attempt = by_size(call, statement) + outcome
    if alone:
        attempt = _repeated(attempt)
    if appends:
        attempt = _appended_first(target, appends, buffers, ids, outcome, attempt)
    looks = f"""{_peek(buffers, alone, ids)} THEN
  RETURN ROW('NO_DATA', 0, 0, 0, NULL)::pgtrickle.refresh_outcome;
END IF;
{read_frontier(target)} FOR NO KEY UPDATE;
__pgt_has_late := {can_be_late(buffers)};
__pgt_large := coalesce({_COUNTED}, {how_many_new(buffers, many)}) > {many};"""
    body = f"""#variable_conflict use_column
DECLARE
  __pgt_snapshot pg_snapshot;
  __pgt_xmax xid8;
  {BOUNDS}
  __pgt_late xid8[];
  __pgt_has_late boolean;
  __pgt_own_xid xid8;
  __pgt_own_seq bigint;
  __pgt_written bigint;
  __pgt_counts record;{LOOKS_DECLARED}{_ALONE_DECLARED if alone else ""}{_APPENDS_DECLARED if appends else ""}
BEGIN
{indented(read_frontier(target))};
{indented(looked_for(looks))}
  {permit(sources)}

{indented(attempt)}
  IF __pgt_counts.markers > 0 THEN
    RETURN ROW('FULL_NEEDED', 0, 0, 0, 'a source was truncated')::pgtrickle.refresh_outcome;
  END IF;
  IF __pgt_counts.unfoldable > 0 THEN
    RETURN ROW('FULL_NEEDED', 0, 0, 0, 'a sum is not finite')::pgtrickle.refresh_outcome;
  END IF;
{indented(complain(target, _WRITTEN, " OR __pgt_counts.state_faults > 0" if apply.states else ""))}
  RETURN ROW({_ACTION if appends else "'DIFFERENTIAL'"}, {", ".join(_WRITTEN)},
             NULL)::pgtrickle.refresh_outcome;
END
"""
    arguments = (
        "\n  __pgt_snapshot pg_snapshot, __pgt_xmax xid8, __pgt_late xid8[], __pgt_own_xid xid8, __pgt_own_seq bigint,"
        " __pgt_has_late boolean, __pgt_alone boolean"
    )
    return (
        create_program(target, "", body, settings),
        create_large(target, arguments, f"\n  {BOUNDS}", statement, settings),
    )


_COUNTED = "nullif(current_setting('pg_trickle.counted', true), '')::bigint"
"""How many changes whoever calls the program has counted, if it has: that is near enough."""
_ALONE_DECLARED = """
  __pgt_alone boolean;"""
_APPENDS_DECLARED = """
  __pgt_taken boolean;
  __pgt_added boolean;"""
_ACTION = """CASE WHEN __pgt_added THEN 'APPEND_ONLY' WHEN __pgt_taken THEN 'NOT_APPEND_ONLY' ELSE 'DIFFERENTIAL' END"""
_WRITTEN = ("__pgt_counts.rows_inserted", "__pgt_counts.rows_updated", "__pgt_counts.rows_deleted")


def _repeated(attempt: str) -> str:
    """Try the statement for one source alone; it does nothing if by its own snapshot another one has changed."""
    return f"""LOOP
{indented(attempt)}
  EXIT WHEN NOT __pgt_alone OR __pgt_counts.own_seq IS DISTINCT FROM __pgt_own_seq;
  __pgt_alone := false;
END LOOP;"""


def _appended_first(
    target: Target, appends: Appended, buffers: Sequence[int], ids: str, outcome: str, attempt: str
) -> str:
    """While the table is append-only and no row went, try to insert what came; it does nothing if by its own snapshot
    a row went or another source has changed. Then, or when the table is append-only no more, the usual statement."""
    others = [*changed(appends.others), f"EXISTS ({new_markers('1', ids)})"]
    taken = taken_away(buffers)
    law = "was nothing taken away, and has no other source changed, by the snapshot of this very statement?"
    insertion = _statement(target, appends.apply, ids, (law, [*others, *taken]), insert)
    looks = f"""__pgt_taken := __pgt_added AND (
    {either_of(taken)});
__pgt_added := __pgt_added AND NOT (__pgt_taken
    OR {either_of(others)});"""
    return f"""SELECT coalesce(bool_or(s.is_append_only), false) INTO __pgt_added
FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = {target.pgt_id};
{looked_for(looks)}
IF __pgt_added THEN
{indented(insertion)}
  GET DIAGNOSTICS __pgt_written = ROW_COUNT;
{indented(outcome.strip())}
  __pgt_added := __pgt_counts.own_seq IS DISTINCT FROM __pgt_own_seq;
END IF;
IF NOT __pgt_added THEN
{indented(attempt)}
END IF;"""


def _peek(buffers: Sequence[int], alone: Alone | None, ids: str) -> str:
    """Is nothing new? And if one source may have changed alone: have the others not?"""
    markers = f"EXISTS ({new_markers('1', ids)})"
    if alone is None:
        return f"IF NOT ({either_of([*seems_changed(buffers), markers])})"
    largest = [buffer for buffer in buffers if buffer not in alone.others]
    others = either_of([*seems_changed(alone.others), markers])
    return f"__pgt_alone := NOT ({others});\nIF __pgt_alone AND NOT ({either_of(seems_changed(largest))})"


_QUIET = "has nothing else changed, by the snapshot of this very statement?"


def _statement(
    target: Target,
    apply: Apply,
    ids: str,
    unless: tuple[str, Sequence[str]] | None = None,
    write: Callable[[Target, Apply, str], str] = merge,
) -> str:
    """The one statement: every CTE with its law, the frontier, and the MERGE; nothing is done if a test of `unless`
    holds, which comes with the question that the tests answer."""
    ctes = named(apply, _ALONE if unless else "")
    if unless:
        law, tests = unless
        ctes.insert(0, f"-- {law}\nquiet AS MATERIALIZED (\n  SELECT NOT (\n    {either_of(tests)}) AS alone\n)")
    ctes.append(
        "-- the new frontier: snapshot of this statement, and its place in its transaction\n"
        + _frontier(target, apply, ids, alone=bool(unless))
    )
    net = f"(SELECT * FROM net WHERE {_ALONE}) n" if unless else "net n"
    body = ",\n".join(ctes)
    return f"WITH\n{body}\n{write(target, apply, net)}"


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
    markers = ({new_markers("count(*)", ids)}){checked}
  WHERE pgt_id = {target.pgt_id}{f" AND {_ALONE}" if alone else ""}
)"""
