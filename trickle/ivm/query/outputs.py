"""What the columns of a SELECT are called.

A set operation has the names of its first branch, VALUES has column1, column2, …; a recursion may have more columns
than its query says, those of SEARCH and CYCLE.
"""

from __future__ import annotations

from postgast import pg_query_pb2 as pb


def output_names(select: pb.SelectStmt) -> list[str]:
    """Names of the columns of a SELECT, VALUES or set operation, as its canonical text gives them."""
    while select.op != pb.SETOP_NONE:
        select = select.larg
    if select.values_lists:
        return [f"column{place + 1}" for place in range(len(select.values_lists[0].list.items))]
    return [node.res_target.name or implied_name(node.res_target.val) for node in select.target_list]


def implied_name(value: pb.Node) -> str:
    """Name of an output column that the canonical text leaves unnamed: only a column keeps its own."""
    if value.WhichOneof("node") == "column_ref":
        last: str = value.column_ref.fields[-1].string.sval
        return last
    if value.WhichOneof("node") == "func_call":
        function: str = value.func_call.funcname[-1].string.sval
        return function
    return "?column?"


def with_query_names(cte: pb.CommonTableExpr) -> list[str]:
    """Names of the columns of a WITH query, what SEARCH and CYCLE add at the end."""
    given = [name.string.sval for name in cte.aliascolnames]
    own = output_names(cte.ctequery.select_stmt)
    names = [*given, *own[len(given) :]]
    if cte.HasField("search_clause"):
        names.append(cte.search_clause.search_seq_column)
    if cte.HasField("cycle_clause"):
        names += [cte.cycle_clause.cycle_mark_column, cte.cycle_clause.cycle_path_column]
    return names
