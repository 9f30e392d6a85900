"""Expressions with every name resolved to a column, and what no rule covers refused by name."""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.scalars import Scalar, reference
from trickle.ivm.facts import Facts
from trickle.ivm.query.scope import Scope
from trickle.ivm.syntax import nodes


def scalar(node: pb.Node, scope: Scope, facts: Facts, *, sets: bool = False) -> Scalar:
    """Return the expression over numbered columns; `sets` says that it may return several rows.

    Raises:
        Unsupported: a subquery (whoever can keep one has replaced it before), a set-returning function.
        Unresolved: a name that stands for nothing in sight.
    """
    resolved = pb.Node()
    resolved.CopyFrom(node)
    returning_sets = set() if sets else {f.name for f in facts.functions if f.returns_set}
    for found in nodes(resolved):
        kind = found.WhichOneof("node")
        if kind == "sub_link":
            raise Unsupported("a subquery in a condition of a join has no delta rule yet")
        if kind == "func_call" and found.func_call.funcname[-1].string.sval in returning_sets:
            raise Unsupported("a set-returning function has no delta rule yet")
        if kind == "column_ref":
            _resolve(found, scope)
    return Scalar(resolved)


def _resolve(found: pb.Node, scope: Scope) -> None:
    fields = found.column_ref.fields
    if fields[-1].WhichOneof("node") == "a_star":
        raise Unsupported("a whole-row reference has no delta rule yet")
    column = scope.resolve([f.string.sval for f in fields])
    found.CopyFrom(reference(column).node)
