"""SELECT statement → algebra.

Reads PostgreSQL's canonical text of a bound query. Views are inlined where they stand; a CTE is read once for
each place that uses it, with fresh column numbers. What has no operator yet raises `Unsupported` with the name
of the clause, and the stream table is refreshed in full.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import (
    Aggregate,
    Filter,
    Item,
    Join,
    Project,
    Rel,
    Scan,
    UnionAll,
    copy_of,
)
from trickle.ivm.algebra.scalars import Column, Scalar, conjuncts, expression, reference
from trickle.ivm.facts import Facts, RelationFacts
from trickle.ivm.query.grouping import group
from trickle.ivm.query.scope import Entry, Scope, renamed, using_column
from trickle.ivm.syntax import nodes, parse_select

Named = tuple[tuple[str, Column], ...]


@dataclass(frozen=True, slots=True)
class Cte:
    """A WITH query: its statement, its column names, and what it may itself refer to."""

    statement: pb.SelectStmt
    names: tuple[str, ...]
    visible: Mapping[str, Cte] = field(default_factory=dict)


def read(facts: Facts, numbering: Numbering) -> tuple[Rel, Named]:
    """Read the defining query.

    Returns:
        The relation, and its output columns with the names the user sees.

    Raises:
        Unsupported: the query uses a clause that has no delta rule.
    """
    return _Reader(facts, numbering).select(parse_select(facts.query), {})


class _Reader:
    """Holds what every function below needs: the facts and the numbering."""

    def __init__(self, facts: Facts, numbering: Numbering) -> None:
        self._facts = facts
        self._numbering = numbering

    def select(self, select: pb.SelectStmt, ctes: Mapping[str, Cte]) -> tuple[Rel, Named]:
        """Read one SELECT, VALUES or set operation."""
        ctes = self._with(select, ctes)
        if select.limit_count.WhichOneof("node") or select.limit_offset.WhichOneof("node"):
            raise Unsupported("LIMIT/OFFSET has no delta rule yet")
        if select.locking_clause:
            raise Unsupported("FOR UPDATE/SHARE has no place in a stream table")
        if select.op != pb.SETOP_NONE:
            return self._set_operation(select, ctes)
        if select.values_lists:
            raise Unsupported("VALUES has no delta rule yet")
        return self._block(select, ctes)

    def _with(self, select: pb.SelectStmt, ctes: Mapping[str, Cte]) -> Mapping[str, Cte]:
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

    def _set_operation(self, select: pb.SelectStmt, ctes: Mapping[str, Cte]) -> tuple[Rel, Named]:
        if select.op != pb.SETOP_UNION:
            name = {pb.SETOP_INTERSECT: "INTERSECT", pb.SETOP_EXCEPT: "EXCEPT"}[select.op]
            raise Unsupported(f"{name} has no delta rule yet")
        left, names = self.select(select.larg, ctes)
        right, _ = self.select(select.rarg, ctes)
        outputs = tuple(self._numbering.column(name) for name, _ in names)
        union: Rel = UnionAll((left, right), outputs)
        if not select.all:
            union = self._distinct(union)
        return union, tuple(zip((name for name, _ in names), union.columns, strict=True))

    def _distinct(self, child: Rel) -> Rel:
        keys = tuple(Item(self._numbering.like(c), reference(c)) for c in child.columns)
        return Aggregate(child, keys, ())

    def _block(self, select: pb.SelectStmt, ctes: Mapping[str, Cte]) -> tuple[Rel, Named]:
        if not select.from_clause:
            raise Unsupported("a query without FROM never changes, and has no delta")
        if select.window_clause:
            raise Unsupported("window functions have no delta rule yet")
        rel, scope = self._from_item(select.from_clause[0], ctes)
        for item in select.from_clause[1:]:
            other, other_scope = self._from_item(item, ctes)
            rel, scope = Join(rel, other), scope.joined(other_scope)
        if select.where_clause.WhichOneof("node"):
            rel = Filter(rel, conjuncts(self._scalar(select.where_clause, scope)))
        targets = [
            (
                node.res_target.name or _implied_name(node.res_target.val),
                self._scalar(node.res_target.val, scope),
            )
            for node in select.target_list
        ]
        rel, values = group(
            rel,
            keys=[self._scalar(node, scope) for node in select.group_clause],
            targets=[value for _, value in targets],
            having=self._scalar(select.having_clause, scope) if select.having_clause.WhichOneof("node") else None,
            aggregates=frozenset((f.schema, f.name) for f in self._facts.functions if f.kind == "a"),
            numbering=self._numbering,
        )
        items = tuple(
            Item(self._numbering.column(name), value) for (name, _), value in zip(targets, values, strict=True)
        )
        rel = Project(rel, items)
        if select.distinct_clause:
            if any(node.WhichOneof("node") for node in select.distinct_clause):
                raise Unsupported("DISTINCT ON has no delta rule yet")
            rel = self._distinct(rel)
        return rel, tuple(zip((name for name, _ in targets), rel.columns, strict=True))

    def _from_item(self, node: pb.Node, ctes: Mapping[str, Cte]) -> tuple[Rel, Scope]:
        kind = node.WhichOneof("node")
        if kind == "range_var":
            return self._range_var(node.range_var, ctes)
        if kind == "range_subselect":
            item = node.range_subselect
            if item.lateral:
                raise Unsupported("LATERAL has no delta rule yet")
            rel, columns = self.select(item.subquery.select_stmt, ctes)
            names = [name.string.sval for name in item.alias.colnames]
            return rel, Scope((Entry(item.alias.aliasname, renamed(columns, names)),))
        if kind == "join_expr":
            return self._join(node.join_expr, ctes)
        names_of = {
            "range_function": "a set-returning function in FROM",
            "range_table_sample": "TABLESAMPLE",
            "range_table_func": "XMLTABLE",
            "json_table": "JSON_TABLE",
        }
        raise Unsupported(f"{names_of.get(kind or '', kind)} has no delta rule yet")

    def _range_var(self, item: pb.RangeVar, ctes: Mapping[str, Cte]) -> tuple[Rel, Scope]:
        alias = item.alias.aliasname or item.relname
        renames = [name.string.sval for name in item.alias.colnames]
        if not item.schemaname and item.relname in ctes:
            cte = ctes[item.relname]
            rel, columns = self.select(cte.statement, cte.visible)
            columns = renamed(renamed(columns, cte.names), renames)
            return rel, Scope((Entry(alias, columns),))
        schema = item.schemaname or "pg_catalog"
        table = self._facts.relation(schema, item.relname)
        if table is None:
            raise Unsupported(f"nothing is known about relation {schema}.{item.relname}")
        if table.view_sql is not None:
            rel, columns = self.select(parse_select(table.view_sql), {})
            columns = renamed(columns, [c.name for c in table.columns])
        else:
            rel = self._scan(table, only=not item.inh)
            columns = tuple((column.name, column) for column in rel.columns)
        schema_of_alias = None if item.alias.aliasname else schema
        return rel, Scope((Entry(alias, renamed(columns, renames), schema_of_alias),))

    def _scan(self, table: RelationFacts, *, only: bool) -> Scan:
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
        return Scan(table, tuple((self._numbering.column(c.name), c) for c in table.columns), only)

    def _join(self, join: pb.JoinExpr, ctes: Mapping[str, Cte]) -> tuple[Rel, Scope]:
        if join.jointype != pb.JOIN_INNER:
            kind = pb.JoinType.Name(join.jointype).removeprefix("JOIN_")
            raise Unsupported(f"{kind} JOIN has no delta rule yet")
        left, left_scope = self._from_item(join.larg, ctes)
        right, right_scope = self._from_item(join.rarg, ctes)
        merged: list[tuple[str, Column]] = []
        predicates: list[Scalar] = []
        for node in join.using_clause:
            name = node.string.sval
            a, b = using_column(left_scope, name), using_column(right_scope, name)
            predicates.append(expression("a = b", a=reference(a), b=reference(b)))
            merged.append((name, a))
        scope = left_scope.joined(right_scope, merged)
        if join.quals.WhichOneof("node"):
            predicates.extend(conjuncts(self._scalar(join.quals, scope)))
        rel: Rel = Join(left, right, tuple(predicates))
        if join.alias.aliasname and not join.using_clause:
            names = [name.string.sval for name in join.alias.colnames]
            columns = tuple((name, column) for e in scope.entries for name, column in e.columns)
            scope = Scope((Entry(join.alias.aliasname, renamed(columns, names)),))
            rel = Project(rel, tuple(copy_of(column) for _, column in columns))
        return rel, scope

    def _scalar(self, node: pb.Node, scope: Scope) -> Scalar:
        """Resolve every name of an expression, refusing what no rule covers."""
        resolved = pb.Node()
        resolved.CopyFrom(node)
        returning_sets = {f.name for f in self._facts.functions if f.returns_set}
        for found in nodes(resolved):
            kind = found.WhichOneof("node")
            if kind == "sub_link":
                raise Unsupported("a subquery in an expression has no delta rule yet")
            if kind == "grouping_set" or kind == "grouping_func":
                raise Unsupported("GROUPING SETS have no delta rule yet")
            if kind == "func_call":
                if found.func_call.HasField("over"):
                    raise Unsupported("window functions have no delta rule yet")
                if found.func_call.funcname[-1].string.sval in returning_sets:
                    raise Unsupported("a set-returning function has no delta rule yet")
            if kind == "column_ref":
                self._resolve(found, scope)
        return Scalar(resolved)

    def _resolve(self, found: pb.Node, scope: Scope) -> None:
        fields = found.column_ref.fields
        if fields[-1].WhichOneof("node") == "a_star":
            raise Unsupported("a whole-row reference has no delta rule yet")
        column = scope.resolve([f.string.sval for f in fields])
        found.CopyFrom(reference(column).node)


def _implied_name(value: pb.Node) -> str:
    """Name of an output column that the canonical text leaves unnamed: only a column keeps its own."""
    if value.WhichOneof("node") == "column_ref":
        last: str = value.column_ref.fields[-1].string.sval
        return last
    if value.WhichOneof("node") == "func_call":
        function: str = value.func_call.funcname[-1].string.sval
        return function
    return "?column?"
