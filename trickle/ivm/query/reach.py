"""What does a piece of SQL reach for outside itself: tables, WITH queries, and columns of rows around it?

PostgreSQL prints a bound query so that no alias occurs again inside the query block it belongs to. So a name that is
defined anywhere inside the piece is meant by every reference to it there, and all other references reach outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
    """The names by which items of FROM inside this piece are called: their own only where they have no other."""
    found = {alias.aliasname for node in nodes(root) for alias in _aliases(node)}
    tables = {node.range_var.relname for node in nodes(root) if _is_bare(node)}
    return frozenset((found | tables) - {""})


def _is_bare(node: pb.Node) -> bool:
    return node.WhichOneof("node") == "range_var" and not node.range_var.alias.aliasname


def _aliases(node: pb.Node) -> list[pb.Alias]:
    match node.WhichOneof("node"):
        case "range_var":
            return [node.range_var.alias]
        case "range_subselect":
            return [node.range_subselect.alias]
        case "range_function":
            return [node.range_function.alias]
        case "range_table_func":
            return [node.range_table_func.alias]
        case "json_table":
            return [node.json_table.alias]
        case "join_expr":
            return [node.join_expr.alias, node.join_expr.join_using_alias]
        case _:
            return []


def is_inner(reference: pb.Node, inside: frozenset[str]) -> bool:
    """Does a column reference mean one of the items called as in `inside`? A bare name is a merged column there."""
    fields = reference.column_ref.fields
    return len(fields) == 1 or fields[-2].string.sval in inside


def rename(root: Message, called: Callable[[str], str]) -> None:
    """Give every item of FROM inside this piece, and all references to it, another name."""
    inside = aliases(root)
    for node in list(nodes(root)):
        if node.WhichOneof("node") == "column_ref" and len(node.column_ref.fields) > 1 and is_inner(node, inside):
            node.column_ref.fields[-2].string.sval = called(node.column_ref.fields[-2].string.sval)
            del node.column_ref.fields[:-2]
        if node.WhichOneof("node") == "range_var" and not node.range_var.alias.aliasname:
            node.range_var.alias.aliasname = node.range_var.relname
        for alias in _aliases(node):
            if alias.aliasname:
                alias.aliasname = called(alias.aliasname)


def outer_references(root: Message) -> Iterator[pb.Node]:
    """The column references that mean a row outside this piece."""
    inside = aliases(root)
    for node in nodes(root):
        if node.WhichOneof("node") == "column_ref" and not is_inner(node, inside):
            yield node
