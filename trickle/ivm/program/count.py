"""The function that counts what is new in each buffer, for a stream table that chooses by it how to be refreshed.

Counting ends at a limit, so it never takes long, and with nothing new it is the program's own peek: one look at the
start of each range, in index order, without a lock. It may see an older frontier than the one in force and believe too
much to be new; the program decides again.
"""

from __future__ import annotations

from collections.abc import Sequence

from trickle.ivm.program.changes import BOUNDS, BUFFERS, NEW
from trickle.ivm.program.layout import dollar_tag, indented
from trickle.ivm.program.news import read_frontier
from trickle.ivm.program.parts import PROGRAMS, Target
from trickle.ivm.program.quote import ident


def count_name(target: Target) -> str:
    """Qualified name of the function that counts the changes of a stream table."""
    return ident(PROGRAMS, f"refresh_{target.pgt_id}_changes")


def count_text(target: Target, buffers: Sequence[int]) -> str:
    """Write the CREATE FUNCTION statement."""
    counts = ",\n    ".join(_count(buffer) for buffer in buffers)
    ids = ", ".join(str(buffer) for buffer in buffers)
    body = f"""#variable_conflict use_column
DECLARE
  __pgt_snapshot pg_snapshot;
  __pgt_xmax xid8;
  {BOUNDS}
  __pgt_late xid8[];
  __pgt_own_xid xid8;
  __pgt_own_seq bigint;
  __pgt_counts bigint[];
BEGIN
{indented(read_frontier(target))};
  SELECT EXISTS (
      SELECT FROM pgtrickle_changes.markers m WHERE m.source_id IN ({ids})
        AND pgtrickle.is_new(m.xid, m.seq, __pgt_snapshot, __pgt_own_xid, __pgt_own_seq)),
    ARRAY[
    {counts}]
  INTO truncated, __pgt_counts;
  IF 0 = ALL (__pgt_counts) THEN
    changed := '{{}}';
    RETURN;
  END IF;
  SELECT array_agg(u.id) FILTER (WHERE u.n > 0), sum(u.n)
  INTO changed, changes
  FROM unnest('{{{ids}}}'::int[], __pgt_counts) AS u(id, n);
END
"""
    tag = dollar_tag(body)
    return (
        f"CREATE OR REPLACE FUNCTION {count_name(target)}(\n"
        "  __pgt_limit bigint, OUT truncated boolean, OUT changed int[], OUT changes bigint)\n"
        "LANGUAGE plpgsql STABLE SECURITY DEFINER\n"
        "SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = force_generic_plan"
        f"\nSET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off\nAS {tag}\n{body}{tag}"
    )


def _count(buffer: int) -> str:
    """In index order, whatever the planner thinks of it: planned over an empty buffer it would choose to scan and sort,
    and go on to do so over the consumed rows of a full one."""
    table = ident(BUFFERS, f"changes_{buffer}")
    return "\n    + ".join(
        f"(SELECT count(*) FROM (SELECT FROM {table} b WHERE {condition} ORDER BY b.xid LIMIT __pgt_limit) x)"
        for condition in NEW
    )
