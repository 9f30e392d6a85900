"""WHERE and the other expressions of a SELECT, with each subquery in them kept as a column of the relation below."""

from __future__ import annotations

from collections.abc import Iterable

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.relations import Filter, Rel
from trickle.ivm.algebra.scalars import Scalar, conjuncts, reference, replace_matching, tree_key
from trickle.ivm.query.from_clause import Ctes, Reading, from_clause, with_queries
from trickle.ivm.query.grouping import aggregate_calls, aggregate_names
from trickle.ivm.query.resolve import scalar
from trickle.ivm.query.scope import Scope, Unresolved
from trickle.ivm.query.sublinks import Inner, condition, conjunct_nodes, negated, value
from trickle.ivm.query.windows import calls_windows
from trickle.ivm.syntax import nodes

_CONDITIONS = (pb.EXISTS_SUBLINK, pb.ANY_SUBLINK, pb.ALL_SUBLINK)


def given(node: pb.Node) -> list[pb.Node]:
    """An optional part of a statement: none or one."""
    return [node] if node.WhichOneof("node") else []


def where(
    reading: Reading, rel: Rel, select: pb.SelectStmt, scope: Scope, ctes: Ctes
) -> tuple[Rel, tuple[Scalar, ...]]:
    """Read WHERE part by part; a subquery that is a part of its own needs no third truth value."""
    found: list[Scalar] = []
    for part in given(select.where_clause):
        for node in conjunct_nodes(part):
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
    found: list[Scalar] = []
    for node in given:
        copy = pb.Node()
        copy.CopyFrom(node)
        values: dict[bytes, Scalar] = {}
        for part in nodes(copy):
            if part.WhichOneof("node") == "sub_link":
                link = pb.SubLink()
                link.CopyFrom(part.sub_link)
                tested, inner = _tested(reading, link, scope, ctes), _inner(reading, link, scope, ctes)
                rel, answer = value(rel, link, tested, inner, reading.numbering)
                part.param_ref.number = len(values) + 1
                values[tree_key(part)] = answer
        found.append(
            replace_matching(scalar(copy, scope, reading.facts), values)
            if values
            else scalar(copy, scope, reading.facts)
        )
    return rel, found


def _tested(reading: Reading, link: pb.SubLink, scope: Scope, ctes: Ctes) -> list[Scalar]:
    """What stands before IN, ANY or ALL, column by column."""
    if not link.testexpr.WhichOneof("node"):
        return []
    is_row = link.testexpr.WhichOneof("node") == "row_expr"
    columns = link.testexpr.row_expr.args if is_row else [link.testexpr]
    found = [scalar(column, scope, reading.facts) for column in columns]
    if aggregate_calls(found, aggregate_names(reading.facts), reading.numbering):
        raise Unsupported("an aggregate compared with a subquery has no delta rule yet")
    return found


def _inner(reading: Reading, link: pb.SubLink, scope: Scope, ctes: Ctes) -> Inner:
    """Read a subquery, refusing one that is tied to the row outside in a place where no rule follows."""
    try:
        return _simple(reading, link, scope, ctes)
    except Unresolved as unresolved:
        raise Unsupported("a correlated subquery of this shape has no delta rule yet") from unresolved


def _simple(reading: Reading, link: pb.SubLink, scope: Scope, ctes: Ctes) -> Inner:
    """Read a subquery; one that only selects and joins may be tied to the row outside by its WHERE."""
    select = link.subselect.select_stmt
    if link.sub_link_type not in (*_CONDITIONS, pb.EXPR_SUBLINK):
        raise Unsupported("ARRAY (subquery) has no delta rule yet")
    visible = with_queries(select, ctes)
    if not _only_selects(select) or calls_windows([node.res_target.val for node in select.target_list]):
        return _closed(reading, select, ctes)
    rel, inside = from_clause(reading, select, visible)
    inside = inside.within(scope)
    rel, conditions = where(reading, rel, select, inside, visible)
    rel, targets = expressions(reading, rel, [node.res_target.val for node in select.target_list], inside, visible)
    calls = aggregate_calls(targets, aggregate_names(reading.facts), reading.numbering)
    if aggregate_calls(conditions, aggregate_names(reading.facts), reading.numbering):
        raise Unsupported("an aggregate of the outer query inside a subquery has no delta rule yet")
    if calls and link.sub_link_type != pb.EXPR_SUBLINK:
        return _closed(reading, select, ctes)
    here = {column.number for column in rel.columns}
    ties = tuple(c for c in conditions if not c.columns <= here)
    own = tuple(c for c in conditions if c.columns <= here)
    if any(not call.value.columns <= here for call in calls):
        raise Unsupported("an aggregate over columns of the outer query has no delta rule yet")
    return Inner(Filter(rel, own) if own else rel, ties, tuple(targets), tuple(calls))


def _closed(reading: Reading, select: pb.SelectStmt, ctes: Ctes) -> Inner:
    """A subquery of any shape that reads nothing of the row outside."""
    rel, columns = reading.select(select, ctes)
    return Inner(rel, (), tuple(reference(column) for _, column in columns))


def _only_selects(select: pb.SelectStmt) -> bool:
    """Is it a SELECT without set operations, groups, windows, limits or an order that matters?"""
    return (
        select.op == pb.SETOP_NONE
        and bool(select.from_clause)
        and not (select.group_clause or select.window_clause or select.values_lists or select.distinct_clause)
        and not given(select.having_clause)
        and not given(select.limit_count)
        and not given(select.limit_offset)
    )
