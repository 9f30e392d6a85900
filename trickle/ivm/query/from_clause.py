"""FROM: tables, views, WITH queries, subqueries, and the joins between them.

Views are inlined where they stand; a WITH query is read once for each place that uses it, with fresh column numbers.
"""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.pairing import OuterJoin
from trickle.ivm.algebra.relations import Block, Filter, Item, Join, Project, Rel, Scan, copy_of
from trickle.ivm.algebra.scalars import Column, Scalar, conjuncts, expression, reference
from trickle.ivm.facts import RelationFacts
from trickle.ivm.query.lateral import is_lateral, lateral
from trickle.ivm.query.reading import Cte, Ctes, Reading
from trickle.ivm.query.resolve import scalar
from trickle.ivm.query.scope import Entry, Scope, renamed, using_column
from trickle.ivm.query.set_functions import function_item
from trickle.ivm.syntax import parse_select


def with_queries(select: pb.SelectStmt, ctes: Ctes) -> Ctes:
    """Return the WITH queries that a SELECT and its parts may refer to."""
    if not select.HasField("with_clause"):
        return ctes
    if select.with_clause.recursive:
        raise Unsupported("WITH RECURSIVE has no delta rule yet")
    visible = dict(ctes)
    for node in select.with_clause.ctes:
        cte = node.common_table_expr
        if cte.ctequery.WhichOneof("node") != "select_stmt":
            raise Unsupported("a WITH query that writes cannot define a stream table")
        names = tuple(name.string.sval for name in cte.aliascolnames)
        visible[cte.ctename] = Cte(cte.ctequery.select_stmt, names, dict(visible))
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
        return lateral(reading, rel, scope, item.range_subselect, ctes)
    if item.WhichOneof("node") == "range_function":
        return function_item(reading, rel, scope, item.range_function)
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
    return is_lateral(join.larg) or join.larg.WhichOneof("node") == "range_function"


def _from_item(reading: Reading, node: pb.Node, ctes: Ctes) -> tuple[Rel, Scope]:
    kind = node.WhichOneof("node")
    if kind == "range_var":
        return _range_var(reading, node.range_var, ctes)
    if kind == "range_subselect":
        item = node.range_subselect
        if item.lateral:
            raise Unsupported("LATERAL at the beginning of a join in FROM has no delta rule yet")
        rel, columns = reading.select(reading, item.subquery.select_stmt, ctes)
        names = [name.string.sval for name in item.alias.colnames]
        return rel, Scope((Entry(item.alias.aliasname, renamed(columns, names)),))
    if kind == "join_expr":
        return _join(reading, node.join_expr, ctes)
    if kind == "range_function":
        return function_item(reading, Block((), (), ()), Scope(), node.range_function)
    names_of = {
        "range_table_sample": "TABLESAMPLE",
        "range_table_func": "XMLTABLE",
        "json_table": "JSON_TABLE",
    }
    raise Unsupported(f"{names_of.get(kind or '', kind)} has no delta rule yet")


def _range_var(reading: Reading, item: pb.RangeVar, ctes: Ctes) -> tuple[Rel, Scope]:
    alias = item.alias.aliasname or item.relname
    renames = [name.string.sval for name in item.alias.colnames]
    if not item.schemaname and item.relname in ctes:
        cte = ctes[item.relname]
        rel, columns = reading.select(reading, cte.statement, cte.visible)
        columns = renamed(renamed(columns, cte.names), renames)
        return rel, Scope((Entry(alias, columns),))
    schema = item.schemaname or "pg_catalog"
    table = reading.facts.relation(schema, item.relname)
    if table is None:
        raise Unsupported(f"nothing is known about relation {schema}.{item.relname}")
    if table.view_sql is not None:
        rel, columns = reading.select(reading, parse_select(table.view_sql), {})
        columns = renamed(columns, [c.name for c in table.columns])
    else:
        rel = _scan(reading, table, only=not item.inh)
        columns = tuple((column.name, column) for column in rel.columns)
    schema_of_alias = None if item.alias.aliasname else schema
    return rel, Scope((Entry(alias, renamed(columns, renames), schema_of_alias),))


def _scan(reading: Reading, table: RelationFacts, *, only: bool) -> Scan:
    if table.kind not in ("r", "p"):
        kinds = {"m": "materialized view", "f": "foreign table"}
        kind = kinds.get(table.kind, "relation")
        raise Unsupported(f"{kind} {table.schema}.{table.name} has no triggers to capture its changes")
    if not table.readable:
        raise Unsupported(f"a view reads {table.schema}.{table.name}, which the owner may not read")
    if table.row_security:
        raise Unsupported(f"row security on {table.schema}.{table.name} is active for the owner")
    if only and table.has_children:
        raise Unsupported(f"ONLY {table.schema}.{table.name} leaves out children that share its change buffer")
    return Scan(table, tuple((reading.numbering.column(c.name), c) for c in table.columns), only)


def _join(
    reading: Reading, join: pb.JoinExpr, ctes: Ctes, before: tuple[Rel, Scope] | None = None
) -> tuple[Rel, Scope]:
    """Read a join; with `before`, the items of FROM that stand before it are joined to its beginning."""
    if before is None:
        left, left_scope = _from_item(reading, join.larg, ctes)
    else:
        left, left_scope = _beside(reading, *before, join.larg, ctes)
    if is_lateral(join.rarg) or join.rarg.WhichOneof("node") == "range_function":
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
        rel, ties = reading.conditions(reading, Join(left, right, tuple(predicates)), join.quals, scope, ctes)
        if ties:
            raise Unsupported("a condition of a join that reads a row outside has no delta rule yet")
    else:
        if join.quals.WhichOneof("node"):
            predicates.extend(conjuncts(scalar(join.quals, scope, reading.facts)))
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
    """JOIN LATERAL: for an inner join the condition comes after it; for a left join it has to be nothing but true."""
    kept = join.jointype == pb.JOIN_LEFT
    if join.jointype not in (pb.JOIN_INNER, pb.JOIN_LEFT) or join.using_clause:
        raise Unsupported("a function joined by anything but an inner or left join ON has no delta rule yet")
    if is_lateral(join.rarg):
        rel, scope = lateral(reading, left, left_scope, join.rarg.range_subselect, ctes, kept=kept)
    else:
        rel, scope = function_item(reading, left, left_scope, join.rarg.range_function, kept=kept)
    clause = scalar(join.quals, scope, reading.facts) if join.quals.WhichOneof("node") else expression("true")
    if clause != expression("true"):
        if kept:
            raise Unsupported("LEFT JOIN LATERAL with a condition other than true has no delta rule yet")
        rel = Filter(rel, conjuncts(clause))
    return rel, scope


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
