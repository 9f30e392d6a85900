"""What does a piece of SQL reach for outside itself: tables, WITH queries, and columns of rows around it?

PostgreSQL prints a bound query so that no alias occurs again inside the query block it belongs to. So a name that is
defined anywhere inside the piece is meant by every reference to it there, and all other references reach outside.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from trickle.ivm.syntax import children, nodes


def readings(root: Message) -> list[pb.Node]:
    """Every item of FROM, at any depth, that names a table, a view, or a WITH query from outside."""
    found: list[pb.Node] = []
    stack: list[tuple[Message, frozenset[str]]] = [(root, frozenset())]
    while stack:
        message, bound = stack.pop()
        below = children(message)
        if isinstance(message, pb.SelectStmt) and message.HasField("with_clause"):
            clause = message.with_clause
            names = [node.common_table_expr.ctename for node in clause.ctes]
            for place, node in enumerate(clause.ctes):
                stack.append((node, bound.union(names if clause.recursive else names[:place])))
            below = [child for child in below if not isinstance(child, pb.WithClause)]
            bound = bound.union(names)
        if isinstance(message, pb.Node) and message.WhichOneof("node") == "range_var":
            item = message.range_var
            if item.schemaname or item.relname not in bound:
                found.append(message)
        stack.extend((child, bound) for child in reversed(below))
    return found


def aliases(root: Message) -> frozenset[str]:
    """The names by which items of FROM inside this piece are called."""
    found: set[str] = set()
    for node in nodes(root):
        match node.WhichOneof("node"):
            case "range_var":
                found.add(node.range_var.alias.aliasname or node.range_var.relname)
            case "range_subselect":
                found.add(node.range_subselect.alias.aliasname)
            case "range_function":
                found.add(node.range_function.alias.aliasname)
            case "range_table_func":
                found.add(node.range_table_func.alias.aliasname)
            case "json_table":
                found.add(node.json_table.alias.aliasname)
            case "join_expr":
                found.update((node.join_expr.alias.aliasname, node.join_expr.join_using_alias.aliasname))
    return frozenset(found - {""})


def outer_references(root: Message) -> Iterator[pb.Node]:
    """The column references that mean a row outside this piece."""
    inside = aliases(root)
    for node in nodes(root):
        if node.WhichOneof("node") == "column_ref":
            fields = node.column_ref.fields
            if len(fields) > 1 and fields[-2].string.sval not in inside:
                yield node


def reads_rows(root: Message) -> bool:
    """Does it read any table, view, or WITH query from outside?"""
    return bool(readings(root))
