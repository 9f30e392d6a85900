"""The value of a scalar expression over a row: three-valued logic, integers and text, a few functions.

Reads libpg_query's trees itself, so that the compiler's substitution and renumbering are tried, not trusted.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.scalars import column_number

Row = Mapping[int, Any]
Weighted = Sequence[tuple[Row, int]]


class NotModelled(Exception):
    """The compiler made something the model gives no meaning to: extend the model, never skip the case."""


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def value_of(node: pb.Node, row: Row, group: Weighted = ()) -> Any:
    """Evaluate over one row; aggregate calls are evaluated over the rows of its group."""
    kind = node.WhichOneof("node")
    match kind:
        case "column_ref":
            return row[column_number(node)]
        case "a_const":
            return _constant(node.a_const)
        case "type_cast":
            return value_of(node.type_cast.arg, row, group)
        case "a_expr":
            return _operation(node.a_expr, row, group)
        case "bool_expr":
            return _logic(node.bool_expr, row, group)
        case "null_test":
            is_null = value_of(node.null_test.arg, row, group) is None
            return is_null == (node.null_test.nulltesttype == pb.IS_NULL)
        case "coalesce_expr":
            values = (value_of(argument, row, group) for argument in node.coalesce_expr.args)
            return next((value for value in values if value is not None), None)
        case "case_expr":
            for when in node.case_expr.args:
                if value_of(when.case_when.expr, row, group) is True:
                    return value_of(when.case_when.result, row, group)
            return (
                value_of(node.case_expr.defresult, row, group) if node.case_expr.defresult.WhichOneof("node") else None
            )
        case "func_call":
            return _aggregate(node.func_call, group)
        case _:
            raise NotModelled(f"no meaning for {kind}")


def _constant(const: pb.A_Const) -> Any:
    if const.isnull:
        return None
    kind = const.WhichOneof("val")
    return {"ival": lambda: const.ival.ival, "boolval": lambda: const.boolval.boolval, "sval": lambda: const.sval.sval}[
        kind
    ]()


def _operation(expr: pb.A_Expr, row: Row, group: Weighted) -> Any:
    name = expr.name[-1].string.sval
    right = value_of(expr.rexpr, row, group)
    if not expr.lexpr.WhichOneof("node"):
        return None if right is None else -right
    left = value_of(expr.lexpr, row, group)
    if expr.kind == pb.AEXPR_DISTINCT:
        return left != right
    if expr.kind == pb.AEXPR_NOT_DISTINCT:
        return left == right
    return None if left is None or right is None else OPERATORS[name](left, right)


def _logic(expr: pb.BoolExpr, row: Row, group: Weighted) -> bool | None:
    values = [value_of(argument, row, group) for argument in expr.args]
    if expr.boolop == pb.NOT_EXPR:
        return None if values[0] is None else not values[0]
    decisive = expr.boolop == pb.OR_EXPR
    if decisive in values:
        return decisive
    return None if None in values else not decisive


def _aggregate(call: pb.FuncCall, group: Weighted) -> Any:
    """count, sum, min, max, bool_and, bool_or, each with FILTER and DISTINCT, over weighted rows."""
    name = call.funcname[-1].string.sval
    rows = group
    if call.agg_filter.WhichOneof("node"):
        rows = [(row, n) for row, n in rows if value_of(call.agg_filter, row) is True]
    if call.agg_star:
        return sum(n for _, n in rows)
    pairs = [(value_of(call.args[0], row), n) for row, n in rows]
    pairs = [(value, n) for value, n in pairs if value is not None and n > 0]
    if call.agg_distinct:
        pairs = [(value, 1) for value in {value for value, _ in pairs}]
    if name == "count":
        return sum(n for _, n in pairs)
    if not pairs:
        return None
    values = [value for value, _ in pairs]
    match name:
        case "sum":
            return sum(value * n for value, n in pairs)
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "bool_and":
            return all(values)
        case "bool_or":
            return any(values)
    raise NotModelled(f"no meaning for {name}()")
