"""WHERE and the other expressions of a SELECT, with each subquery in them kept as a column of the relation below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.relations import Filter, Rel
from trickle.ivm.algebra.scalars import Scalar, conjuncts, tree_key
from trickle.ivm.query.arrays import array_slot, gathered
from trickle.ivm.query.asked import Asked, answered, parameter
from trickle.ivm.query.reading import Ctes, Reading
from trickle.ivm.query.resolve import asks, scalar
from trickle.ivm.query.scope import Scope, Unresolved
from trickle.ivm.query.sublinks import condition, conjunct_nodes, negated
from trickle.ivm.query.tied import Tied
from trickle.ivm.syntax import own_subqueries

_CONDITIONS = (pb.EXISTS_SUBLINK, pb.ANY_SUBLINK, pb.ALL_SUBLINK)


def given(node: pb.Node) -> list[pb.Node]:
    """An optional part of a statement: none or one."""
    return [node] if node.WhichOneof("node") else []


def where(
    reading: Reading, rel: Rel, select: pb.SelectStmt, scope: Scope, ctes: Ctes
) -> tuple[Rel, tuple[Scalar, ...]]:
    """Read WHERE; what it says of the rows themselves is done to them, what ties them to rows outside is returned."""
    for clause in given(select.where_clause):
        return conditions(reading, rel, clause, scope, ctes)
    return rel, ()


def conditions(reading: Reading, rel: Rel, clause: pb.Node, scope: Scope, ctes: Ctes) -> tuple[Rel, tuple[Scalar, ...]]:
    """Filter by a condition part by part, the parts without a subquery first: fewer rows then look for partners.

    Returns:
        The filtered relation, and the parts that read columns of a row outside.
    """
    parts = list(conjunct_nodes(clause))
    asking = [node for node in parts if any(asks(link) for link in own_subqueries(node))]
    plain = [node for node in parts if not any(node is other for other in asking)]
    resolved, _ = deferred(reading, plain, scope, ctes)
    rel, ties = _filtered(rel, [part for value in resolved for part in conjuncts(value)])
    tests: list[Scalar] = []
    for node in asking:
        rel, found = _test(reading, rel, node, scope, ctes)
        tests.extend(found)
    rel, more = _filtered(rel, tests)
    return rel, (*ties, *more)


def _filtered(rel: Rel, tests: Sequence[Scalar]) -> tuple[Rel, tuple[Scalar, ...]]:
    """Apply the tests that read `rel` alone, and return the others."""
    here = {column.number for column in rel.columns}
    own = tuple(test for test in tests if test.columns <= here)
    return Filter(rel, own) if own else rel, tuple(test for test in tests if not test.columns <= here)


def _test(reading: Reading, rel: Rel, node: pb.Node, scope: Scope, ctes: Ctes) -> tuple[Rel, tuple[Scalar, ...]]:
    """A part with a subquery; one that is nothing but a subquery needs no third truth value."""
    operand = negated(node)
    asked = node if operand is None else operand
    if asked.WhichOneof("node") == "sub_link" and asked.sub_link.sub_link_type in _CONDITIONS:
        link = asked.sub_link
        tested, inner = _tested(reading, link, scope, ctes), _inner(reading, link, scope, ctes)
        rel, test = condition(rel, link, tested, inner, wanted=operand is None, numbering=reading.numbering)
        return rel, (test,)
    rel, values = expressions(reading, rel, [node], scope, ctes)
    return rel, tuple(conjuncts(values[0]))


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
        for part in own_subqueries(copy):
            if asks(part):
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
