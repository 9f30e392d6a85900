"""Is the value of a block that is kept as text fixed by the bags it reads?

What it said before is found by computing it again over the rows as they were. That gives the same rows only where
nothing in the block is left to the order in which PostgreSQL reads. Aggregates have their orders completed, as
everywhere; a block that numbers, cuts off or merges rows by less than their image is fragile: it may only stand where
its rows are stored, at the root or in a state table.
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.relations import Scan
from trickle.ivm.algebra.scalars import Scalar, expression
from trickle.ivm.facts import Facts
from trickle.ivm.query.grouping import aggregate_names, function_name
from trickle.ivm.query.reach import readings
from trickle.ivm.query.windows import depends_on_order
from trickle.ivm.syntax import nodes

ORDERLESS = frozenset({"count", "min", "max", "bool_and", "bool_or", "every", "bit_and", "bit_or", "bit_xor"})
"""Aggregates whose value does not depend on the order of rows …"""
SUMS = frozenset({"sum", "avg"})
"""… nor do these, except over floats."""
FLOATS = frozenset({"real", "double precision", "float4", "float8"})
OWN_ORDER = frozenset({"json_array_agg", "json_object_agg"})


def fragility(select: pb.SelectStmt, inputs: Sequence[Scan], facts: Facts) -> str:
    """What keeps the value of a block from being a function of the bags it reads; empty where nothing does."""
    merging = any(not column.equal_is_identical for i in inputs for _, column in i.attributes)
    aggregates = aggregate_names(facts)
    outer = whole_rows = False
    for node in nodes(select):
        kind = node.WhichOneof("node")
        if kind == "select_stmt" and (found := _of_select(node.select_stmt, merging=merging)):
            return found
        if kind == "func_call" and (found := _of_call(node, aggregates, merging=merging)):
            return found
        if kind in OWN_ORDER:
            return "an SQL/JSON aggregate"
        if kind == "sub_link" and node.sub_link.sub_link_type == pb.ARRAY_SUBLINK and readings(node):
            return "ARRAY (subquery)"
        outer = outer or (kind == "join_expr" and node.join_expr.jointype != pb.JOIN_INNER)
        whole_rows = whole_rows or (
            kind == "column_ref" and node.column_ref.fields[-1].WhichOneof("node") == "a_star" and bool(inputs)
        )
    if outer and whole_rows:
        return "a whole row that an outer join may leave out"
    return _of_select(select, merging=merging)


def settled_calls(select: pb.SelectStmt, inputs: Sequence[Scan], facts: Facts) -> bool:
    """Complete the order in which every aggregate of a block reads its rows; was there any?"""
    aggregates = aggregate_names(facts)
    orderless = ORDERLESS if _has_floats(select, inputs) else ORDERLESS | SUMS
    settled = False
    for node in nodes(select):
        if node.WhichOneof("node") == "func_call":
            call = node.func_call
            schema, name = function_name(call)
            ordered = (schema, name) in aggregates and not (schema == "pg_catalog" and name in orderless)
            if ordered and call.args and not (call.agg_within_group or call.agg_distinct or call.HasField("over")):
                call.agg_order.extend(_image_order(call))
                settled = True
    return settled


def _has_floats(select: pb.SelectStmt, inputs: Sequence[Scan]) -> bool:
    read = {column.base_type for i in inputs for _, column in i.attributes}
    made = {node.type_cast.type_name.names[-1].string.sval for node in nodes(select) if _is_cast(node)}
    return bool(FLOATS & (read | made))


def _is_cast(node: pb.Node) -> bool:
    return bool(node.WhichOneof("node") == "type_cast")


def _image_order(call: pb.FuncCall) -> list[pb.Node]:
    arguments = {f"a{place}": Scalar(argument) for place, argument in enumerate(call.args)}
    order = f"ROW({', '.join(arguments)}) USING OPERATOR(pg_catalog.*<)"
    return list(expression(f"f(a0 ORDER BY {order})", **arguments).node.func_call.agg_order)


def _of_select(select: pb.SelectStmt, *, merging: bool) -> str:
    if select.limit_count.WhichOneof("node") or select.limit_offset.WhichOneof("node"):
        return "a LIMIT"
    if any(on.WhichOneof("node") for on in select.distinct_clause):
        return "DISTINCT ON"
    merges = select.distinct_clause or select.group_clause or (select.op != pb.SETOP_NONE and not select.all)
    if merges and merging:
        return "a merging of equal rows that may look different"
    return ""


def _of_call(node: pb.Node, aggregates: frozenset[tuple[str, str]], *, merging: bool) -> str:
    call = node.func_call
    name = function_name(call)
    if call.HasField("over"):
        return f"the window function {name[1]}()" if depends_on_order(node.func_call) else ""
    if name in aggregates and merging and (call.agg_within_group or call.agg_distinct):
        return f"{name[1]}() over values that may be equal and look different"
    return ""
