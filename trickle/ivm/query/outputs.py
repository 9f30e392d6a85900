"""What the columns of a SELECT are called.

A set operation has the names of its first branch, VALUES has column1, column2, …; a recursion may have more columns
than its query says, those of SEARCH and CYCLE.
"""

from __future__ import annotations

from collections.abc import Iterable

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported


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


def item_names(item: pb.Node) -> tuple[str, list[str]]:
    """What a subquery, a function or a table function in FROM is called, and the names of its columns.

    Raises:
        Unsupported: its canonical text does not say them, or says one twice.
    """
    match item.WhichOneof("node"):
        case "range_subselect":
            alias, names = item.range_subselect.alias, output_names(item.range_subselect.subquery.select_stmt)
        case "range_function":
            alias, names = item.range_function.alias, _defined(item.range_function)
        case "range_table_func":
            alias = item.range_table_func.alias
            names = [column.range_table_func_col.colname for column in item.range_table_func.columns]
        case _:
            alias, names = item.json_table.alias, _of_json(item.json_table.columns)
    given = [name.string.sval for name in alias.colnames]
    names = [*given, *names[len(given) :]]
    if len(set(names)) < len(names) or not (names or item.WhichOneof("node") == "range_subselect"):
        raise Unsupported("an item of FROM whose columns have no names of their own has no delta rule yet")
    return alias.aliasname, names


def _defined(item: pb.RangeFunction) -> list[str]:
    """The columns that a function's column definition list names."""
    definitions = list(item.coldeflist)
    for part in item.functions:
        if len(part.list.items) > 1:
            definitions += part.list.items[1].list.items
    return [*(d.column_def.colname for d in definitions), *(["ordinality"] if item.ordinality else [])]


def _of_json(columns: Iterable[pb.Node]) -> list[str]:
    """The columns of JSON_TABLE, those of nested paths included."""
    names: list[str] = []
    for node in columns:
        column = node.json_table_column
        names += _of_json(column.columns) if column.coltype == pb.JTC_NESTED else [column.name]
    return names
