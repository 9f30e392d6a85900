"""FROM: tables, views, WITH queries, subqueries, and the joins between them.

Views are inlined where they stand; a WITH query is read once for each place that uses it, with fresh column numbers.
"""

from __future__ import annotations

from dataclasses import replace

from postgast import pg_query_pb2 as pb

from trickle.errors import Unmaintainable, Unsupported
from trickle.ivm.algebra.pairing import OuterJoin
from trickle.ivm.algebra.relations import Block, Item, Join, Project, Rel, copy_of
from trickle.ivm.algebra.scalars import Column, Scalar, expression, reference
from trickle.ivm.query.lateral import is_lateral, lateral
from trickle.ivm.query.linear import linear
from trickle.ivm.query.on_sides import on_sides
from trickle.ivm.query.opaque import is_recursive, opaque, recursion
from trickle.ivm.query.outputs import with_query_names
from trickle.ivm.query.reach import readings
from trickle.ivm.query.reading import Cte, Ctes, Named, Reading
from trickle.ivm.query.row_local import beside, is_row_local
from trickle.ivm.query.scope import Entry, Scope, renamed, using_column
from trickle.ivm.query.set_functions import function_item
from trickle.ivm.query.stored import relation, scan
from trickle.ivm.query.whole_rows import with_whole_row
from trickle.ivm.syntax import deparse_expression, parse_select


def with_queries(select: pb.SelectStmt, ctes: Ctes) -> Ctes:
    """Return the WITH queries that a SELECT and its parts may refer to."""
    if not select.HasField("with_clause"):
        return ctes
    visible = dict(ctes)
    for node in select.with_clause.ctes:
        cte = node.common_table_expr
        if cte.ctequery.WhichOneof("node") != "select_stmt":
            raise Unmaintainable("a WITH query that writes cannot define a stream table")
        names = tuple(name.string.sval for name in cte.aliascolnames)
        seen = visible if select.with_clause.recursive else dict(visible)
        if select.with_clause.recursive and is_recursive(node):
            visible[cte.ctename] = Cte(recursion(node), tuple(with_query_names(cte)), seen, recursive=True)
        else:
            visible[cte.ctename] = Cte(cte.ctequery.select_stmt, names, seen)
    return visible


def from_clause(reading: Reading, select: pb.SelectStmt, ctes: Ctes) -> tuple[Rel, Scope]:
    """Read FROM: its rows, and the names that stand for their columns."""
    if not select.from_clause:
        return Block((), (), ()), Scope()
    rel, scope = _from_item(reading, select.from_clause[0], ctes)
    for item in select.from_clause[1:]:
        rel, scope = _beside(reading, rel, scope, item, ctes)
    return rel, scope


def _beside(reading: Reading, rel: Rel, scope: Scope, item: pb.Node, ctes: Ctes) -> tuple[Rel, Scope]:
    """Join the next item of FROM, which reads the ones before it if it is LATERAL, or begins with such an item.

    A × (F ⟕ B) is (A × F) ⟕ B, so what a join begins with may stand beside the items before the join.
    """
    if is_lateral(item):
        return _lateral(reading, rel, scope, item, ctes)
    if item.WhichOneof("node") == "join_expr" and _begins_laterally(item.join_expr):
        return _join(reading, item.join_expr, ctes, (rel, scope))
    other, other_scope = _from_item(reading, item, ctes)
    return Join(rel, other), scope.joined(other_scope)


def _begins_laterally(join: pb.JoinExpr) -> bool:
    """Do only inner and left joins ON stand between this join and a function or LATERAL at its beginning?"""
    if join.jointype not in (pb.JOIN_INNER, pb.JOIN_LEFT) or join.using_clause or join.alias.aliasname:
        return False
    if join.larg.WhichOneof("node") == "join_expr":
        return _begins_laterally(join.larg.join_expr)
    return is_lateral(join.larg)


def _lateral(
    reading: Reading, rel: Rel, scope: Scope, item: pb.Node, ctes: Ctes, on: pb.Node | None = None
) -> tuple[Rel, Scope]:
    """Put an item that may read the ones before it beside each row; with `on`, rows stay where nothing meets it."""
    plain = on is None or deparse_expression(on) == "true"
    if item.WhichOneof("node") == "range_function" and plain:
        return function_item(reading, rel, scope, item.range_function, kept=on is not None)
    if is_row_local(item) and (plain or not (on and readings(on))):
        return beside(reading, rel, scope, item, kept=on is not None, on=None if plain else on)
    if item.WhichOneof("node") != "range_subselect":
        raise Unsupported("a table function and a subquery in the condition it is joined by have no delta rule yet")
    return lateral(reading, rel, scope, item.range_subselect, ctes, on)


def _from_item(reading: Reading, node: pb.Node, ctes: Ctes) -> tuple[Rel, Scope]:
    kind = node.WhichOneof("node")
    if kind == "range_var":
        return _range_var(reading, node.range_var, ctes)
    if kind == "range_subselect":
        item = node.range_subselect
        rel, columns = reading.select(reading, item.subquery.select_stmt, ctes)
        names = [name.string.sval for name in item.alias.colnames]
        rel, entry = with_whole_row(reading, rel, Entry(item.alias.aliasname, renamed(columns, names)))
        return rel, Scope((entry,))
    if kind == "join_expr":
        return _join(reading, node.join_expr, ctes)
    if is_lateral(node):
        return _lateral(reading, Block((), (), ()), Scope(), node, ctes)
    if kind == "range_table_sample":
        raise Unmaintainable("TABLESAMPLE depends on where rows lie, which changes without a change of data")
    raise Unsupported(f"{kind} in FROM has no delta rule yet")


def _range_var(reading: Reading, item: pb.RangeVar, ctes: Ctes) -> tuple[Rel, Scope]:
    alias = item.alias.aliasname or item.relname
    renames = [name.string.sval for name in item.alias.colnames]
    if not item.schemaname and item.relname in ctes:
        cte = ctes[item.relname]
        rel, columns = _with_query(reading, cte)
        columns = renamed(renamed(columns, cte.names), renames)
        rel, entry = with_whole_row(reading, rel, Entry(alias, columns))
        return rel, Scope((entry,))
    table = relation(reading.facts, item)
    if table.view_sql is not None:
        rel, columns = reading.select(reading, parse_select(table.view_sql), {})
        columns = renamed(columns, [c.name for c in table.columns])
    else:
        rel = scan(reading, table, only=not item.inh)
        columns = tuple((column.name, column) for column in rel.columns)
    schema_of_alias = None if item.alias.aliasname else table.schema
    rel, entry = with_whole_row(reading, rel, Entry(alias, renamed(columns, renames), schema_of_alias), table)
    return rel, Scope((entry,))


def _with_query(reading: Reading, cte: Cte) -> tuple[Rel, Named]:
    if cte.rows is not None:
        return cte.rows, tuple((column.name, column) for column in cte.rows.columns)
    if not cte.recursive:
        return reading.select(reading, cte.statement, cte.visible)
    rel = opaque(reading, cte.statement, cte.visible, "WITH RECURSIVE")
    if rel is None:
        raise Unsupported("a recursion that reads a row outside has no delta rule yet")
    rel = replace(rel, recursion=linear(reading, cte))
    return rel, tuple((column.name, column) for column in rel.outputs)


def _join(
    reading: Reading, join: pb.JoinExpr, ctes: Ctes, before: tuple[Rel, Scope] | None = None
) -> tuple[Rel, Scope]:
    """Read a join; with `before`, the items of FROM that stand before it are joined to its beginning."""
    if before is None:
        left, left_scope = _from_item(reading, join.larg, ctes)
    else:
        left, left_scope = _beside(reading, *before, join.larg, ctes)
    if is_lateral(join.rarg) and join.jointype in (pb.JOIN_INNER, pb.JOIN_LEFT) and not join.using_clause:
        return _lateral_join(reading, left, left_scope, join, ctes)
    right, right_scope = _from_item(reading, join.rarg, ctes)
    merged: list[tuple[str, Column]] = []
    either: list[tuple[str, Scalar]] = []
    predicates: list[Scalar] = []
    for node in join.using_clause:
        name = node.string.sval
        a, b = using_column(left_scope, name), using_column(right_scope, name)
        predicates.append(expression("a = b", a=reference(a), b=reference(b)))
        merged.append((name, b if join.jointype == pb.JOIN_RIGHT else a))
        either.append((name, expression("COALESCE(a, b)", a=reference(a), b=reference(b))))
    scope = left_scope.joined(right_scope, merged)
    if join.quals.WhichOneof("node") and join.jointype == pb.JOIN_INNER:
        rel = _where_joined(reading, Join(left, right, tuple(predicates)), join.quals, scope, ctes)
    else:
        if join.quals.WhichOneof("node"):
            left, right, tests = on_sides(reading, left, right, join.quals, scope, ctes)
            predicates.extend(tests)
        rel = _joined(join.jointype, left, right, tuple(predicates))
    if join.jointype == pb.JOIN_FULL and either:
        items = [Item(reading.numbering.column(name), value) for name, value in either]
        rel = Project(rel, (*(copy_of(column) for column in rel.columns), *items))
        scope = left_scope.joined(right_scope, [(item.column.name, item.column) for item in items])
    if join.alias.aliasname and not join.using_clause:
        names = [name.string.sval for name in join.alias.colnames]
        columns = tuple((name, column) for e in scope.entries for name, column in e.columns)
        scope = Scope((Entry(join.alias.aliasname, renamed(columns, names)),))
        rel = Project(rel, tuple(copy_of(column) for _, column in columns))
    return rel, scope


def _lateral_join(reading: Reading, left: Rel, left_scope: Scope, join: pb.JoinExpr, ctes: Ctes) -> tuple[Rel, Scope]:
    """JOIN LATERAL: the condition of an inner join comes after it, that of a left join decides who is a partner."""
    if join.jointype == pb.JOIN_LEFT:
        return _lateral(reading, left, left_scope, join.rarg, ctes, join.quals)
    rel, scope = _lateral(reading, left, left_scope, join.rarg, ctes)
    return (_where_joined(reading, rel, join.quals, scope, ctes) if join.quals.WhichOneof("node") else rel), scope


def _where_joined(reading: Reading, rel: Rel, quals: pb.Node, scope: Scope, ctes: Ctes) -> Rel:
    rel, ties = reading.conditions(reading, rel, quals, scope, ctes)
    if ties:
        raise Unsupported("a condition of a join that reads a row outside has no delta rule yet")
    return rel


def _joined(kind: int, left: Rel, right: Rel, predicates: tuple[Scalar, ...]) -> Rel:
    match kind:
        case pb.JOIN_LEFT:
            return OuterJoin(left, right, predicates)
        case pb.JOIN_RIGHT:
            return OuterJoin(right, left, predicates)
        case pb.JOIN_FULL:
            return OuterJoin(left, right, predicates, full=True)
        case _:
            return Join(left, right, predicates)
