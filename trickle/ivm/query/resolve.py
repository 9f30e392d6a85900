"""Expressions with every name resolved to a column, and what no rule covers refused by name.

A subquery that reads no table depends on the row alone: it stays in the expression, and only what it reads of the row
is resolved. Its own aliases get names that no generated SQL uses, so that none of them hides a column of the row.
"""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.scalars import Scalar, clipped, is_numbered, reference
from trickle.ivm.facts import Facts
from trickle.ivm.query.grouping import aggregate_names, function_name
from trickle.ivm.query.reach import aliases, is_inner, readings, rename
from trickle.ivm.query.scope import Scope
from trickle.ivm.syntax import nodes, own_nodes

NOT_FOUND_AS_CALLS = {"json_array_agg": "JSON_ARRAYAGG", "json_object_agg": "JSON_OBJECTAGG"}
"""Aggregates with a grammar of their own."""


def scalar(node: pb.Node, scope: Scope, facts: Facts, *, sets: bool = False) -> Scalar:
    """Return the expression over numbered columns; `sets` says that it may return several rows.

    Raises:
        Unsupported: a subquery over tables (whoever can keep one has replaced it before), a set-returning function.
        Unresolved: a name that stands for nothing in sight.
    """
    resolved = pb.Node()
    resolved.CopyFrom(node)
    returning_sets = set() if sets else {f.name for f in facts.functions if f.returns_set}
    for found in own_nodes(resolved):
        kind = found.WhichOneof("node")
        if kind == "sub_link":
            if readings(found):
                raise Unsupported("a subquery in this place has no delta rule yet")
            _resolve_row_local(found, scope, facts)
        if kind == "func_call" and found.func_call.funcname[-1].string.sval in returning_sets:
            raise Unsupported("a set-returning function in this place has no delta rule yet")
        if kind in NOT_FOUND_AS_CALLS:
            raise Unsupported(f"{NOT_FOUND_AS_CALLS[kind]} has no delta rule yet")
        if kind == "type_cast" and found.type_cast.arg.WhichOneof("node") == "column_ref":
            _resolve(found.type_cast.arg, scope, cast=True)
        elif kind == "column_ref" and not is_numbered(found):
            _resolve(found, scope)
    return Scalar(resolved)


def asks(node: pb.Node) -> bool:
    """Is it a subquery in an expression whose answer is more than the row tells, since it reads a table?"""
    return node.WhichOneof("node") == "sub_link" and bool(readings(node))


def _resolve(found: pb.Node, scope: Scope, *, cast: bool = False) -> None:
    """Put a column in the place of a name; only PostgreSQL can `cast` the row of a subquery to a type."""
    fields = found.column_ref.fields
    if fields[-1].WhichOneof("node") == "a_star":
        entry = scope.by_alias(fields[-2].string.sval) if len(fields) > 1 else None
        if entry is None or entry.whole is None or (cast and not entry.named_type):
            raise Unsupported("a whole row of this item of FROM has no delta rule yet")
        found.CopyFrom(reference(entry.whole).node)
        return
    column = scope.resolve([f.string.sval for f in fields])
    found.CopyFrom(reference(column).node)


def _resolve_row_local(link: pb.Node, scope: Scope, facts: Facts) -> None:
    inside = aliases(link)
    if _aggregates_outside(link, inside, facts):
        raise Unsupported("an aggregate of the outer query inside a subquery has no delta rule yet")
    rename(link, lambda name: clipped(f"__pgt_{name}", ""))
    renamed = aliases(link)
    for found in nodes(link):
        match found.WhichOneof("node"):
            case "column_ref" if not is_inner(found, renamed):
                _resolve(found, scope)
            case "range_function":
                found.range_function.lateral = False
            case "range_table_func":
                found.range_table_func.lateral = False
            case "json_table":
                found.json_table.lateral = False


def _aggregates_outside(link: pb.Node, inside: frozenset[str], facts: Facts) -> bool:
    """Does an aggregate in it read nothing but the row outside? Then it is one of the query outside."""
    aggregates = aggregate_names(facts)
    for node in nodes(link):
        if node.WhichOneof("node") == "func_call" and function_name(node.func_call) in aggregates:
            read = [n for argument in node.func_call.args for n in nodes(argument) if _is_column(n)]
            if read and not any(is_inner(n, inside) for n in read):
                return True
    return False


def _is_column(node: pb.Node) -> bool:
    return bool(node.WhichOneof("node") == "column_ref")
