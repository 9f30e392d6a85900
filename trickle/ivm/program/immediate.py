"""The functions of a stream table that is kept IMMEDIATE: its program runs inside the transactions that write.

    peek       among what the statement has written: is anything new, and has one source alone changed?
    lock       first of all, so that the statement below sees everything that is committed by then
    apply      one statement: own changes → net → MERGE
    check      as many rows were written as the delta says

Two writers may work side by side where neither reads what the other writes: both change the largest source alone, the
change reads that source nowhere but in the buffer, and the stored rows they touch differ. Whatever else one source's
change is computed from stands still meanwhile, because a writer of another source shuts everybody out. So there are
three locks, all held until the transaction ends: the stream table's, shared or exclusive, and one for each touched key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trickle.ivm.facts import RelationFacts
from trickle.ivm.program.apply import expected, merge, named
from trickle.ivm.program.changes import BUFFERS, OWN_IN_ORDER
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
from trickle.ivm.program.locking import keys_statement, lock_statements
from trickle.ivm.program.parts import Alone, Apply, Designated, Target
from trickle.ivm.program.quote import ident
from trickle.ivm.program.state_ctes import faults


def immediate_texts(
    target: Target,
    apply: Apply,
    alone: Alone | None,
    designated: Designated | None,
    buffers: Sequence[int],
    sources: Sequence[RelationFacts],
    settings: Mapping[str, str],
) -> tuple[str, str]:
    """Write the CREATE FUNCTION statements of an immediate refresh and of its part for large changes."""
    statement = either(_statement(target, apply), _statement(target, alone.apply) if alone else None)
    call = f"{large_name(target)}(__pgt_own_xid, __pgt_own_seq, __pgt_alone)"
    many = large_from(sources)
    attempt = by_size(call, statement)
    looks = f"""__pgt_alone := {_quiet(alone)};
IF NOT ({_any_new(buffers)}) THEN
  RETURN ROW('NO_DATA', 0, 0, 0, NULL)::pgtrickle.refresh_outcome;
END IF;
__pgt_large := {_how_many(buffers, many)} > {many};"""
    body = f"""#variable_conflict use_column
DECLARE
  __pgt_own_xid xid8 := pg_current_xact_id();
  __pgt_alone boolean;
  __pgt_keys int[];
  __pgt_key int;
  __pgt_held int;
  __pgt_written bigint;
  __pgt_counts bigint[];{LOOKS_DECLARED}
BEGIN
  IF EXISTS (SELECT FROM pgtrickle_changes.markers m WHERE m.source_id IN ({", ".join(map(str, buffers))})
             AND m.xid = __pgt_own_xid AND m.seq > __pgt_own_seq) THEN
    RETURN ROW('FULL_NEEDED', 0, 0, 0, 'a source was truncated')::pgtrickle.refresh_outcome;
  END IF;
{indented(looked_for(looks))}
{indented(_isolation(target, designated))}

{indented(lock_statements(target, designated, keys_statement(target, designated)))}
  IF NOT EXISTS (SELECT FROM pgtrickle.pgt_stream_tables s
                 WHERE s.pgt_id = {target.pgt_id} AND s.updated_at = __pgt_asked) THEN
    RETURN ROW('CHANGED', 0, 0, 0, NULL)::pgtrickle.refresh_outcome;
  END IF;
  {permit(sources)}

{indented(attempt if _pairs_are_real(designated, buffers) else _guarded(attempt, designated))}
  __pgt_counts := current_setting('pg_trickle.counts')::bigint[];
  IF __pgt_counts[4] > 0 THEN
    RETURN ROW('FULL_NEEDED', 0, 0, 0, 'a sum is not finite')::pgtrickle.refresh_outcome;
  END IF;
{indented(complain(target, _COUNTS, " OR coalesce(__pgt_counts[5], 0) > 0"))}
  RETURN ROW('IMMEDIATE', {", ".join(_COUNTS)}, NULL)::pgtrickle.refresh_outcome;
END
"""
    return (
        create_program(target, "__pgt_own_seq bigint, __pgt_asked timestamptz", body, settings),
        create_large(target, "__pgt_own_xid xid8, __pgt_own_seq bigint, __pgt_alone boolean", "", statement, settings),
    )


_COUNTS = ("__pgt_counts[1]", "__pgt_counts[2]", "__pgt_counts[3]")


def _statement(target: Target, apply: Apply) -> str:
    """The one statement. What it means to write goes into a setting: the MERGE itself can return nothing."""
    changing = any(kept is not None for _, kept in apply.states)
    checked = f",\n        {faults(apply.states)}" if changing else ""
    counted = (
        "-- what the change says is to be written\n"
        "counted AS MATERIALIZED (\n"
        f"  SELECT set_config('pg_trickle.counts', (SELECT ARRAY[{expected(apply)}{checked}]::text FROM net), true)"
        " IS NOT NULL AS done\n)"
    )
    body = ",\n".join([*named(apply), counted])
    return f"WITH\n{body}\n{merge(target, apply, '(SELECT * FROM net WHERE (SELECT c.done FROM counted c)) n')}"


def _own(buffer: int) -> str:
    table = ident(BUFFERS, f"changes_{buffer}")
    return f"(SELECT true FROM {table} b WHERE {OWN_IN_ORDER} LIMIT 1) IS TRUE"


def _any_new(buffers: Sequence[int]) -> str:
    return "\n    OR ".join(_own(buffer) for buffer in buffers)


def _quiet(alone: Alone | None) -> str:
    if alone is None:
        return "true"
    return "NOT (\n    " + "\n    OR ".join(_own(buffer) for buffer in alone.others) + ")"


def _how_many(buffers: Sequence[int], enough: int) -> str:
    return " + ".join(
        f"(SELECT count(*) FROM (SELECT FROM {ident(BUFFERS, f'changes_{buffer}')} b WHERE {OWN_IN_ORDER}"
        f" LIMIT {enough + 1}) x)"
        for buffer in buffers
    )


def _isolation(target: Target, designated: Designated | None) -> str:
    """An old snapshot is enough only where nothing is read but the change and the rows it is added to: those rows
    make a concurrent change known by themselves, when they are written."""
    if designated is not None and designated.self_contained:
        return "-- an old snapshot will do: whoever else has changed a row that is written here makes that fail"
    return (
        "IF current_setting('transaction_isolation') <> 'read committed' THEN\n"
        f"  PERFORM pgtrickle._refuse_isolation({target.pgt_id});\nEND IF;"
    )


def _pairs_are_real(designated: Designated | None, buffers: Sequence[int]) -> bool:
    """Does the change combine only rows that the query has met or meets? Then it fails only if the query does."""
    return designated is not None and len(buffers) == 1


def _guarded(attempt: str, designated: Designated | None) -> str:
    """Where two sources change at once, an old row may meet a new one that the query never shows it: an expression
    that fails over such a pair says nothing of the query. One source alone needs no subtransaction."""
    guarded = f"""BEGIN
{indented(attempt)}
EXCEPTION WHEN data_exception OR cardinality_violation THEN
  RETURN ROW('FULL_NEEDED', 0, 0, 0, 'the change could not be computed: ' || SQLERRM)::pgtrickle.refresh_outcome;
END;"""
    if designated is None:
        return guarded
    return f"IF __pgt_alone THEN\n{indented(attempt)}\nELSE\n{indented(guarded)}\nEND IF;"
