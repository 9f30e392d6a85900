"""Which locks a writer takes before it brings an IMMEDIATE stream table up to date.

    exclusive     any change that reads, from a table, what another writer may be changing
    shared        the designated source has changed alone, and its change reads it nowhere but in the buffer;
                  beside it an exclusive lock for each key of the stored rows that it touches

Advisory locks, not LOCK TABLE: SHARE ROW EXCLUSIVE on the storage would wait for every VACUUM and keep it out.
"""

from __future__ import annotations

from trickle.ivm.algebra.relations import Change, Rel, Scan
from trickle.ivm.algebra.walk import children
from trickle.ivm.program.apply import named
from trickle.ivm.program.changes import BUFFERS, OWN_IN_ORDER
from trickle.ivm.program.layout import indented
from trickle.ivm.program.parts import Apply, Designated, Target
from trickle.ivm.program.quote import ident

TABLE_LOCKS = 1953655660
"""First number of the lock of a stream table; the second is its own number."""
KEY_LOCKS = 1953655659
"""First number of the lock of a key; the second is a hash of the stream table's number and the key."""
MOST_KEYS = 64
"""The server's lock table is shared by all: a statement that touches more takes the whole stream table."""
MOST_HELD = 1_000
"""So does a statement of a transaction that has taken as many, one after the other."""


def confined(apply: Apply, oid: int) -> bool:
    """Does the change of this source read the source nowhere but in its buffer, and no state table, which is shared?"""
    return not apply.states and apply.touched is not None and apply.delta is not None and not _reads(apply.delta, oid)


def _reads(rel: Rel, oid: int) -> bool:
    stack = [rel]
    while stack:
        found = stack.pop()
        if isinstance(found, Scan) and found.table.oid == oid:
            return True
        if not isinstance(found, Change):
            stack.extend(children(found))
    return False


def keys_statement(target: Target, designated: Designated | None) -> str:
    """The keys of the stored rows that the change touches, as numbers, each once, in one order for all writers."""
    if designated is None or designated.apply.touched is None or not designated.apply.touched.columns:
        return ""
    touched = designated.apply.touched
    names = [name for name, _, _ in designated.apply.ctes]
    ctes = ",\n".join(named(designated.apply)[: names.index(touched.cte) + 1])
    row = ", ".join(f"k.{ident(column)}" for column in touched.columns)
    hashed = f"(hash_record_extended(ROW({row}), {target.pgt_id}) & 2147483647)::int"
    chosen = f"SELECT DISTINCT {hashed} FROM {ident(touched.cte)} k ORDER BY 1"
    return f"__pgt_keys := ARRAY(\n  WITH\n{indented(ctes)}\n  {chosen});"


def lock_statements(target: Target, designated: Designated | None, keys: str) -> str:
    """Take the locks; the number of captured rows decides first, so that nobody has to trade a lock for a stronger."""
    everything = f"PERFORM pg_advisory_xact_lock({TABLE_LOCKS}, {target.pgt_id});"
    if designated is None:
        return everything
    shared = f"PERFORM pg_advisory_xact_lock_shared({TABLE_LOCKS}, {target.pgt_id});"
    if not keys:
        return f"IF __pgt_alone THEN\n  {shared}\nELSE\n  {everything}\nEND IF;"
    table = ident(BUFFERS, f"changes_{designated.buffer}")
    few = f"(SELECT count(*) FROM (SELECT FROM {table} b WHERE {OWN_IN_ORDER} LIMIT {MOST_KEYS + 1}) x) <= {MOST_KEYS}"
    return f"""IF __pgt_alone AND {few} THEN
  {shared}
{indented(keys)}
  __pgt_held := coalesce(nullif(current_setting('pg_trickle.keys_held', true), '')::int, 0) + cardinality(__pgt_keys);
  IF cardinality(__pgt_keys) > {MOST_KEYS} OR __pgt_held > {MOST_HELD} THEN
    {everything}
  ELSE
    PERFORM set_config('pg_trickle.keys_held', __pgt_held::text, true);
    FOREACH __pgt_key IN ARRAY __pgt_keys LOOP
      PERFORM pg_advisory_xact_lock({KEY_LOCKS}, __pgt_key);
    END LOOP;
  END IF;
ELSE
  {everything}
END IF;"""
