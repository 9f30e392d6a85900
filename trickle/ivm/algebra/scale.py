"""The display scale of a numeric expression, where every value is known to have the same.

A folded sum keeps the largest scale it has ever added, and a quotient's digits depend on the scale of its operands. So
only where all values share one scale is `stored sum / count` the very quotient that the query would compute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.properties import INTEGERS
from trickle.ivm.algebra.scalars import column_number, is_numbered
from trickle.ivm.facts import ColumnFacts
from trickle.ivm.syntax import nodes

NUMERIC = re.compile(r"^numeric\(\d+(?:,(-?\d+))?\)$")


def fixed_scale(node: pb.Node, columns: Mapping[int, ColumnFacts]) -> int | None:
    """Digits after the point that every value of the expression shows, or None when they may differ."""
    match node.WhichOneof("node"):
        case "column_ref" if is_numbered(node):
            return _column_scale(columns.get(column_number(node)))
        case "a_const":
            return _constant_scale(node.a_const)
        case "type_cast":
            return _cast_scale(node.type_cast, columns)
        case "a_expr":
            return _operator_scale(node.a_expr, columns)
        case "coalesce_expr":
            return _common([fixed_scale(argument, columns) for argument in node.coalesce_expr.args])
        case "case_expr":
            case = node.case_expr
            values = [when.case_when.result for when in case.args]
            if case.defresult.WhichOneof("node"):
                values.append(case.defresult)
            return _common([fixed_scale(value, columns) for value in values if not is_null(value)])
        case _:
            return None


def scale_beside_zero(node: pb.Node, columns: Mapping[int, ColumnFacts]) -> int | None:
    """The scale of every value but a plain 0, as in `CASE … THEN price ELSE 0 END`.

    A sum of such values shows that scale unless nothing but zeros was added; then it is 0, whatever it shows.
    """
    if node.WhichOneof("node") != "case_expr":
        return None
    case = node.case_expr
    values = [when.case_when.result for when in case.args]
    if case.defresult.WhichOneof("node"):
        values.append(case.defresult)
    return _common([fixed_scale(v, columns) for v in values if not is_null(v) and not is_zero(v)])


def is_factor(node: pb.Node, column: int) -> bool:
    """Is the expression 0 whenever the column is, because it is a product or a quotient of it?"""
    match node.WhichOneof("node"):
        case "column_ref":
            return is_numbered(node) and column_number(node) == column
        case "a_expr" if node.a_expr.kind == pb.AEXPR_OP and len(node.a_expr.name) == 1:
            operator: str = node.a_expr.name[0].string.sval
            left, right = node.a_expr.lexpr, node.a_expr.rexpr
            inside = [reads(side, column) for side in (left, right)]
            if inside == [True, False]:
                return operator in ("*", "/") and is_factor(left, column)
            return inside == [False, True] and operator == "*" and is_factor(right, column)
        case _:
            return False


def reads(node: pb.Node, column: int) -> bool:
    """Does the expression read the column?"""
    return any(is_numbered(n) and column_number(n) == column for n in nodes(node))


def is_zero(node: pb.Node) -> bool:
    """Is it the constant 0, of whatever type?"""
    inner = node.type_cast.arg if node.WhichOneof("node") == "type_cast" else node
    constant = inner.a_const
    return inner.WhichOneof("node") == "a_const" and constant.WhichOneof("val") == "ival" and not constant.ival.ival


def _column_scale(facts: ColumnFacts | None) -> int | None:
    if facts is None:
        return None
    if facts.base_type in INTEGERS:
        return 0
    declared = NUMERIC.match(facts.type)
    return max(0, int(declared.group(1) or 0)) if declared else None


def _constant_scale(constant: pb.A_Const) -> int | None:
    match constant.WhichOneof("val"):
        case "ival":
            return 0
        case "fval":
            digits: str = constant.fval.fval
            return None if "e" in digits.lower() else len(digits.partition(".")[2])
        case _:
            return None


def _cast_scale(cast: pb.TypeCast, columns: Mapping[int, ColumnFacts]) -> int | None:
    if cast.type_name.names[-1].string.sval != "numeric":
        return None
    modifiers = [m.a_const.ival.ival for m in cast.type_name.typmods if m.WhichOneof("node") == "a_const"]
    if modifiers:
        return max(0, modifiers[1]) if len(modifiers) > 1 else 0
    return fixed_scale(cast.arg, columns)


def _operator_scale(expr: pb.A_Expr, columns: Mapping[int, ColumnFacts]) -> int | None:
    if expr.kind != pb.AEXPR_OP or len(expr.name) != 1:
        return None
    right = fixed_scale(expr.rexpr, columns)
    left = fixed_scale(expr.lexpr, columns) if expr.lexpr.WhichOneof("node") else 0
    if left is None or right is None:
        return None
    match expr.name[0].string.sval:
        case "+" | "-":
            return max(left, right)
        case "*":
            return left + right
        case _:
            return None


def _common(scales: list[int | None]) -> int | None:
    return scales[0] if scales and len(set(scales)) == 1 else None


def is_null(node: pb.Node) -> bool:
    """Is it the constant NULL?"""
    inner = node.type_cast.arg if node.WhichOneof("node") == "type_cast" else node
    return inner.WhichOneof("node") == "a_const" and bool(inner.a_const.isnull)
