"""SELECT statement → algebra.

Reads PostgreSQL's canonical text of a bound query. What has no operator yet raises `Unsupported` with the name of the
clause, and the stream table is refreshed in full.
"""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Aggregate, Filter, Item, Project, Rel, UnionAll
from trickle.ivm.algebra.scalars import reference
from trickle.ivm.facts import Facts
from trickle.ivm.query.conditions import expressions, given, where
from trickle.ivm.query.from_clause import Ctes, Named, Reading, from_clause, with_queries
from trickle.ivm.query.grouping import aggregate_names, group
from trickle.ivm.syntax import parse_select


def read(facts: Facts, numbering: Numbering) -> tuple[Rel, Named]:
    """Read the defining query.

    Returns:
        The relation, and its output columns with the names the user sees.

    Raises:
        Unsupported: the query uses a clause that has no delta rule.
    """

    def select(statement: pb.SelectStmt, ctes: Ctes) -> tuple[Rel, Named]:
        return _select(Reading(facts, numbering, select), statement, ctes)

    return select(parse_select(facts.query), {})


def _select(reading: Reading, select: pb.SelectStmt, ctes: Ctes) -> tuple[Rel, Named]:
    """Read one SELECT, VALUES or set operation."""
    ctes = with_queries(select, ctes)
    if select.limit_count.WhichOneof("node") or select.limit_offset.WhichOneof("node"):
        raise Unsupported("LIMIT/OFFSET has no delta rule yet")
    if select.locking_clause:
        raise Unsupported("FOR UPDATE/SHARE has no place in a stream table")
    if select.op != pb.SETOP_NONE:
        return _set_operation(reading, select, ctes)
    if select.values_lists:
        raise Unsupported("VALUES has no delta rule yet")
    return _block(reading, select, ctes)


def _set_operation(reading: Reading, select: pb.SelectStmt, ctes: Ctes) -> tuple[Rel, Named]:
    if select.op != pb.SETOP_UNION:
        name = {pb.SETOP_INTERSECT: "INTERSECT", pb.SETOP_EXCEPT: "EXCEPT"}[select.op]
        raise Unsupported(f"{name} has no delta rule yet")
    left, names = reading.select(select.larg, ctes)
    right, _ = reading.select(select.rarg, ctes)
    outputs = tuple(reading.numbering.column(name) for name, _ in names)
    union: Rel = UnionAll((left, right), outputs)
    if not select.all:
        union = _distinct(reading, union)
    return union, tuple(zip((name for name, _ in names), union.columns, strict=True))


def _distinct(reading: Reading, child: Rel) -> Rel:
    keys = tuple(Item(reading.numbering.like(c), reference(c)) for c in child.columns)
    return Aggregate(child, keys, ())


def _block(reading: Reading, select: pb.SelectStmt, ctes: Ctes) -> tuple[Rel, Named]:
    if select.window_clause:
        raise Unsupported("window functions have no delta rule yet")
    rel, scope = from_clause(reading, select, ctes)
    rel, conditions = where(reading, rel, select, scope, ctes)
    if conditions:
        rel = Filter(rel, conditions)
    names = [node.res_target.name or _implied_name(node.res_target.val) for node in select.target_list]
    rel, targets = expressions(reading, rel, [node.res_target.val for node in select.target_list], scope, ctes)
    rel, keys = expressions(reading, rel, select.group_clause, scope, ctes)
    rel, having = expressions(reading, rel, given(select.having_clause), scope, ctes)
    rel, values = group(
        rel,
        keys=keys,
        targets=targets,
        having=having[0] if having else None,
        aggregates=aggregate_names(reading.facts),
        numbering=reading.numbering,
    )
    items = tuple(Item(reading.numbering.column(name), v) for name, v in zip(names, values, strict=True))
    rel = Project(rel, items)
    if select.distinct_clause:
        if any(node.WhichOneof("node") for node in select.distinct_clause):
            raise Unsupported("DISTINCT ON has no delta rule yet")
        rel = _distinct(reading, rel)
    return rel, tuple(zip(names, rel.columns, strict=True))


def _implied_name(value: pb.Node) -> str:
    """Name of an output column that the canonical text leaves unnamed: only a column keeps its own."""
    if value.WhichOneof("node") == "column_ref":
        last: str = value.column_ref.fields[-1].string.sval
        return last
    if value.WhichOneof("node") == "func_call":
        function: str = value.func_call.funcname[-1].string.sval
        return function
    return "?column?"
