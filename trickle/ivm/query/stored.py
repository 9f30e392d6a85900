"""Tables → Scan, where every change of them is captured."""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from trickle.errors import Unmaintainable
from trickle.ivm.algebra.relations import Scan
from trickle.ivm.facts import Facts, RelationFacts
from trickle.ivm.query.reading import Reading


def relation(facts: Facts, item: pb.RangeVar) -> RelationFacts:
    """What is known of the relation that a name in FROM stands for.

    Raises:
        Unmaintainable: nothing.
    """
    schema = item.schemaname or "pg_catalog"
    found = facts.relation(schema, item.relname)
    if found is None:
        raise Unmaintainable(f"nothing is known about relation {schema}.{item.relname}")
    return found


def scan(reading: Reading, table: RelationFacts, *, only: bool) -> Scan:
    """Read a table with all its columns.

    Raises:
        Unmaintainable: no trigger captures its changes, or a buffer holds other rows than the owner sees.
    """
    if table.kind not in ("r", "p"):
        kinds = {"m": "materialized view", "f": "foreign table"}
        kind = kinds.get(table.kind, "relation")
        raise Unmaintainable(f"{kind} {table.schema}.{table.name} has no triggers to capture its changes")
    if not table.readable:
        raise Unmaintainable(f"a view reads {table.schema}.{table.name}, which the owner may not read")
    if table.row_security:
        raise Unmaintainable(f"row security on {table.schema}.{table.name} is active for the owner")
    if only and table.has_children:
        raise Unmaintainable(f"ONLY {table.schema}.{table.name} leaves out children that share its change buffer")
    return Scan(table, tuple((reading.numbering.column(c.name), c) for c in table.columns), only)
