"""WITH RECURSIVE r AS (base UNION [ALL] step over r), read as algebra where step reads r in one place of its FROM."""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.opaque import Recursion
from trickle.ivm.algebra.relations import Given
from trickle.ivm.query.outputs import output_names, with_query_names
from trickle.ivm.query.reading import Cte, Reading
from trickle.ivm.query.scope import Unresolved

AGAIN = "again"


def linear(reading: Reading, recursive: Cte) -> Recursion | None:
    """The two parts of a recursive WITH query, or None where it is not of this kind or has no rule inside."""
    cte = recursive.statement.with_clause.ctes[0].common_table_expr
    select = cte.ctequery.select_stmt
    if select.op != pb.SETOP_UNION or cte.HasField("search_clause") or cte.HasField("cycle_clause"):
        return None
    if select.HasField("with_clause") or len(with_query_names(cte)) != len(output_names(select)):
        return None
    again = Given(AGAIN, tuple(reading.numbering.column(name) for name in with_query_names(cte)))
    inside = {**recursive.visible, cte.ctename: Cte(select, (), rows=again)}
    try:
        base, named = reading.select(reading, select.larg, recursive.visible)
        step, stepped = reading.select(reading, select.rarg, inside)
    except (Unsupported, Unresolved):
        return None
    if tuple(c for _, c in named) != base.columns or tuple(c for _, c in stepped) != step.columns:
        return None
    return Recursion(base, step, again, distinct=not select.all)
