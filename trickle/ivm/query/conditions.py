"""WHERE and the other expressions of a SELECT, with each subquery in them kept as a column of the relation below."""

from __future__ import annotations

from collections.abc import Iterable

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.relations import Rel
from trickle.ivm.algebra.scalars import Scalar, conjuncts, tree_key
from trickle.ivm.query.arrays import array_slot, gathered
from trickle.ivm.query.asked import Asked, answered, parameter
from trickle.ivm.query.reading import Ctes, Reading
from trickle.ivm.query.resolve import scalar
from trickle.ivm.query.scope import Scope, Unresolved
from trickle.ivm.query.sublinks import condition, conjunct_nodes, negated
from trickle.ivm.query.tied import Tied
from trickle.ivm.syntax import own_nodes

_CONDITIONS = (pb.EXISTS_SUBLINK, pb.ANY_SUBLINK, pb.ALL_SUBLINK)


def given(node: pb.Node) -> list[pb.Node]:
    """An optional part of a statement: none or one."""
    return [node] if node.WhichOneof("node") else []


def where(
    reading: Reading, rel: Rel, select: pb.SelectStmt, scope: Scope, ctes: Ctes
) -> tuple[Rel, tuple[Scalar, ...]]:
    """Read WHERE part by part."""
    found: list[Scalar] = []
    for clause in given(select.where_clause):
        rel, parts = conditions(reading, rel, clause, scope, ctes)
        found.extend(parts)
    return rel, tuple(found)


def conditions(reading: Reading, rel: Rel, clause: pb.Node, scope: Scope, ctes: Ctes) -> tuple[Rel, tuple[Scalar, ...]]:
    """Read a condition part by part; a subquery that is a part of its own needs no third truth value."""
    found: list[Scalar] = []
    for node in conjunct_nodes(clause):
        operand = negated(node)
        asked = node if operand is None else operand
        if asked.WhichOneof("node") == "sub_link" and asked.sub_link.sub_link_type in _CONDITIONS:
            link = asked.sub_link
            tested, inner = _tested(reading, link, scope, ctes), _inner(reading, link, scope, ctes)
            wanted = operand is None
            rel, test = condition(rel, link, tested, inner, wanted=wanted, numbering=reading.numbering)
            found.append(test)
        else:
            rel, values = expressions(reading, rel, [node], scope, ctes)
            found.extend(conjuncts(values[0]))
    return rel, tuple(found)


def expressions(
    reading: Reading, rel: Rel, given: Iterable[pb.Node], scope: Scope, ctes: Ctes
) -> tuple[Rel, list[Scalar]]:
    """Resolve expressions over `rel`, to which each subquery in them adds a column."""
    values, asked = deferred(reading, given, scope, ctes)
    return answered(rel, values, asked, reading.numbering)


def deferred(reading: Reading, given: Iterable[pb.Node], scope: Scope, ctes: Ctes) -> tuple[list[Scalar], list[Asked]]:
    """Resolve expressions with a parameter for each different subquery in them, to be answered later."""
    found: list[Scalar] = []
    asked: list[Asked] = []
    places: dict[bytes, int] = {}
    for node in given:
        copy = pb.Node()
        copy.CopyFrom(node)
        for part in own_nodes(copy):
            if part.WhichOneof("node") == "sub_link":
                link = pb.SubLink()
                link.CopyFrom(part.sub_link)
                place = places.setdefault(tree_key(part), len(asked) + 1)
                slot = part
                if link.sub_link_type == pb.ARRAY_SUBLINK:
                    slot = array_slot(part)
                    gathered(link, reading.facts)
                mark = parameter(slot, place)
                if place > len(asked):
                    tested, inner = _tested(reading, link, scope, ctes), _inner(reading, link, scope, ctes)
                    asked.append(Asked(mark, link, tuple(tested), inner))
        found.append(scalar(copy, scope, reading.facts, sets=True))
    return found, asked


def _tested(reading: Reading, link: pb.SubLink, scope: Scope, ctes: Ctes) -> list[Scalar]:
    """What stands before IN, ANY or ALL, column by column."""
    if not link.testexpr.WhichOneof("node"):
        return []
    is_row = link.testexpr.WhichOneof("node") == "row_expr"
    columns = link.testexpr.row_expr.args if is_row else [link.testexpr]
    return [scalar(column, scope, reading.facts) for column in columns]


def _inner(reading: Reading, link: pb.SubLink, scope: Scope, ctes: Ctes) -> Tied:
    """Read a subquery, refusing one that is tied to the row outside in a place where no rule follows."""
    if link.sub_link_type not in (*_CONDITIONS, pb.EXPR_SUBLINK):
        raise Unsupported("a subquery of this kind has no delta rule yet")
    select = pb.SelectStmt()
    select.CopyFrom(link.subselect.select_stmt)
    if link.sub_link_type == pb.EXISTS_SUBLINK:
        _any_row(select)
    try:
        inner = reading.tied(reading, select, ctes, scope)
    except Unresolved as unresolved:
        raise Unsupported("a correlated subquery of this shape has no delta rule yet") from unresolved
    if inner.calls and link.sub_link_type != pb.EXPR_SUBLINK:
        raise Unsupported("an aggregate over the rows tied to each row, compared or asked for, has no delta rule yet")
    return inner


def _any_row(select: pb.SelectStmt) -> None:
    """Whether there is a row does not depend on their order, nor on a limit above 0."""
    del select.sort_clause[:]
    if select.limit_count.WhichOneof("node") == "a_const" and select.limit_count.a_const.ival.ival > 0:
        select.ClearField("limit_count")
