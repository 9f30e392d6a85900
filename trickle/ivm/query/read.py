"""SELECT statement → algebra.

Reads PostgreSQL's canonical text of a bound query. What has no operator yet raises `Unsupported` with the name of the
clause, and the stream table is refreshed in full.
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Filter, Item, Project, Rel
from trickle.ivm.algebra.scalars import Scalar, reference, replace_matching, substitute, tree_key
from trickle.ivm.facts import Facts
from trickle.ivm.query.conditions import expressions, given, where
from trickle.ivm.query.from_clause import Ctes, Named, Reading, from_clause, with_queries
from trickle.ivm.query.grouping import Grouping, aggregate_names, group
from trickle.ivm.query.grouping_sets import group_by
from trickle.ivm.query.limits import first_of_each, has_limit, limited, sort_key
from trickle.ivm.query.resolve import scalar
from trickle.ivm.query.scope import Scope
from trickle.ivm.query.set_operations import distinct, set_operation, values
from trickle.ivm.query.windows import windows, with_windows_inlined
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
    if select.locking_clause:
        raise Unsupported("FOR UPDATE/SHARE has no place in a stream table")
    if select.op == pb.SETOP_NONE and not select.values_lists:
        return _block(reading, select, ctes)
    rel, names = _put_together(reading, select, ctes)
    if has_limit(select):
        rel = limited(rel, select, [_by_output(key, rel, names) for key in select.sort_clause], reading.numbering)
    return rel, tuple(zip(names, rel.columns, strict=True))


def _put_together(reading: Reading, select: pb.SelectStmt, ctes: Ctes) -> tuple[Rel, list[str]]:
    if select.values_lists:
        rows = [[scalar(value, Scope(), reading.facts) for value in row.list.items] for row in select.values_lists]
        rel = values(rows, reading.numbering)
        return rel, [column.name for column in rel.columns]
    left, named = reading.select(select.larg, ctes)
    right, _ = reading.select(select.rarg, ctes)
    names = [name for name, _ in named]
    return set_operation(select, left, right, names, reading.numbering), names


def _by_output(key: pb.Node, rel: Rel, names: Sequence[str]) -> pb.Node:
    """ORDER BY after a set operation names an output column, or says which one it is."""
    asked = key.sort_by.node
    if asked.WhichOneof("node") == "a_const":
        place = asked.a_const.ival.ival - 1
    else:
        place = names.index(asked.column_ref.fields[-1].string.sval)
    return sort_key(key, reference(rel.columns[place]))


def _block(reading: Reading, select: pb.SelectStmt, ctes: Ctes) -> tuple[Rel, Named]:
    numbering = reading.numbering
    rel, scope = from_clause(reading, select, ctes)
    rel, conditions = where(reading, rel, select, scope, ctes)
    if conditions:
        rel = Filter(rel, conditions)
    names = [node.res_target.name or _implied_name(node.res_target.val) for node in select.target_list]
    on = [node for node in select.distinct_clause if node.WhichOneof("node")]
    sorting = list(select.sort_clause) if on or has_limit(select) else []
    shown = [*(node.res_target.val for node in select.target_list), *(key.sort_by.node for key in sorting), *on]
    inlined = [with_windows_inlined(node, select) for node in shown]
    rel, targets = expressions(reading, rel, inlined, scope, ctes)
    grouped = group_by(select)
    rel, keys = expressions(reading, rel, grouped.expressions, scope, ctes)
    rel, having = expressions(reading, rel, given(select.having_clause), scope, ctes)
    sets = [tuple(dict.fromkeys(keys[place] for place in places)) for places in grouped.sets]
    if grouped.distinct:
        sets = list({frozenset(one): one for one in sets}.values())
    by = Grouping(
        tuple(dict.fromkeys(keys)), tuple(sets), having[0] if having else None, aggregate_names(reading.facts)
    )
    rel, found = group(rel, by, targets, numbering)
    rel, found = windows(rel, found, numbering)
    outputs, after = found[: len(names)], found[len(names) :]
    order = [sort_key(key, value) for key, value in zip(sorting, after, strict=False)]
    if on:
        rel = first_of_each(rel, after[len(sorting) :], order, numbering)
    items = tuple(Item(numbering.column(name), v) for name, v in zip(names, outputs, strict=True))
    if select.distinct_clause and not on:
        by_value = {tree_key(item.value.node): reference(item.column) for item in items}
        order = [sort_key(key, replace_matching(Scalar(key.sort_by.node), by_value)) for key in order]
        unique = distinct(Project(rel, items), numbering)
        renamed = {item.column.number: reference(column) for item, column in zip(items, unique.columns, strict=True)}
        order = [sort_key(key, substitute(Scalar(key.sort_by.node), renamed)) for key in order]
        rel, items = unique, tuple(Item(c, reference(c)) for c in unique.columns)
    if has_limit(select):
        rel = limited(rel, select, order, numbering)
    rel = Project(rel, items)
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
