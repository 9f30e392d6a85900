"""One SELECT … FROM … block → algebra, alone or for each row of a query around it.

    FROM ─▶ WHERE ─▶ GROUP BY, HAVING ─▶ windows ─▶ sets ─▶ select list ─▶ DISTINCT ─▶ LIMIT

A block inside another one may be tied to the row outside by its WHERE. Its ties are taken out of it and handed to the
caller, who joins by them. Where the block groups, numbers or limits its rows, it does so for each row outside: then
ties must be equalities, and the columns they equate become one more key of every step.
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Filter, Item, Project, Rel
from trickle.ivm.algebra.scalars import (
    Scalar,
    columns_of,
    conjuncts,
    equated_columns,
    expression,
    reference,
    replace_calls,
    replace_matching,
    substitute,
    tree_key,
)
from trickle.ivm.query.asked import Asked, all_rewritten, answered, parts_of
from trickle.ivm.query.clauses import has_limit
from trickle.ivm.query.conditions import deferred, given, where
from trickle.ivm.query.from_clause import from_clause
from trickle.ivm.query.grouping import Grouping, aggregate_calls, aggregate_names, group
from trickle.ivm.query.grouping_sets import GroupBy, group_by
from trickle.ivm.query.limits import first_of_each, limited, sort_key
from trickle.ivm.query.outputs import implied_name
from trickle.ivm.query.reading import Ctes, Reading
from trickle.ivm.query.scope import Scope
from trickle.ivm.query.set_functions import calls_sets, expanded
from trickle.ivm.query.set_operations import distinct
from trickle.ivm.query.tied import Tied
from trickle.ivm.query.windows import calls_windows, windows, with_windows_inlined
from trickle.ivm.syntax import nodes


def block(reading: Reading, select: pb.SelectStmt, ctes: Ctes, outer: Scope | None = None) -> Tied:
    """Read a SELECT; with `outer`, one that may be tied to rows whose columns that scope names."""
    rel, scope = from_clause(reading, select, ctes)
    scope = scope.within(outer)
    rel, ties = where(reading, rel, select, scope, ctes)
    if outer is not None and _calls(reading, ties):
        raise Unsupported("an aggregate of the outer query inside a subquery has no delta rule yet")
    return _Steps(reading, select, ctes, scope).taken(rel, ties)


class _Steps:
    """The steps after WHERE."""

    def __init__(self, reading: Reading, select: pb.SelectStmt, ctes: Ctes, scope: Scope) -> None:
        self._reading, self._select, self._ctes, self._scope = reading, select, ctes, scope
        self._numbering = reading.numbering
        self._names = [node.res_target.name or implied_name(node.res_target.val) for node in select.target_list]
        self._on = [node for node in select.distinct_clause if node.WhichOneof("node")]
        self._sorting = list(select.sort_clause) if self._on or has_limit(select) else []

    def taken(self, rel: Rel, ties: tuple[Scalar, ...]) -> Tied:
        select, by = self._select, group_by(self._select)
        shown = [*(node.res_target.val for node in select.target_list), *(k.sort_by.node for k in self._sorting)]
        inlined = [with_windows_inlined(node, select) for node in (*shown, *self._on)]
        rel, (targets, keys, having), asked = self._resolved(rel, inlined, by.expressions)
        rel, (targets, keys, having), asked = self._answered_in_calls(rel, (targets, keys, having), asked)
        if calls_sets(keys, self._reading.facts):
            rel, everything = expanded(self._reading, rel, [*targets, *keys], keys)
            targets, keys = everything[: len(targets)], everything[len(targets) :]
        parts = parts_of(asked)
        grouped = bool(keys or having or len(by.sets) > 1 or _calls(self._reading, (*targets, *parts)))
        numbered = calls_windows(inlined) or bool(select.distinct_clause) or has_limit(select)
        numbered = numbered or calls_sets(targets, self._reading.facts)
        if not columns_of((*targets, *keys, *having)) <= _numbers(rel) and (grouped or numbered):
            raise Unsupported("a subquery that computes with a row of the query around it has no delta rule yet")
        if not grouped and not numbered and self._scope.outer is not None:
            rel, targets = answered(rel, targets, asked, self._numbering)
            return Tied(rel, ties, self._named(targets))
        if ties and grouped and () in by.sets:
            if having or numbered or asked or len(by.sets) > 1:
                raise Unsupported("a group of all rows tied to a row outside, with more steps, has no delta rule yet")
            calls = aggregate_calls(targets, aggregate_names(self._reading.facts), self._numbering)
            return Tied(rel, ties, self._named(targets), tuple(calls))
        outside, inside = _equated(ties, rel)
        if grouped:
            everything = [*targets, *inside, *having, *parts]
            rel, everything = group(rel, self._grouping(by, keys, inside), everything, self._numbering)
            targets, inside, having, parts = _split(everything, targets, inside, having)
            asked = all_rewritten(asked, parts)
        if having:
            in_having, asked = _asked_by(having, asked)
            rel, everything = answered(rel, [*having, *targets, *inside], in_having, self._numbering)
            having, targets, inside, _ = _split(everything, having, targets, inside)
            rel = Filter(rel, conjuncts(having[0]))
        rel, everything = windows(rel, [*targets, *inside, *parts_of(asked)], self._numbering, inside)
        targets, inside, parts = _split(everything, targets, inside)
        rel, everything = answered(rel, [*targets, *inside], all_rewritten(asked, parts), self._numbering)
        rel, everything = expanded(self._reading, rel, everything)
        targets, inside = everything[: len(targets)], everything[len(targets) :]
        return self._put_out(rel, targets, outside, inside)

    def _resolved(
        self, rel: Rel, targets: Sequence[pb.Node], keys: Sequence[pb.Node]
    ) -> tuple[Rel, list[list[Scalar]], list[Asked]]:
        """Targets, keys and HAVING. Subqueries are answered after grouping, unless rows are grouped by one."""
        wanted = [*targets, *keys, *given(self._select.having_clause)]
        found, asked = deferred(self._reading, wanted, self._scope, self._ctes)
        by_keys, _ = _asked_by(found[len(targets) : len(targets) + len(keys)], asked)
        if by_keys:
            rel, found = answered(rel, found, asked, self._numbering)
            asked = []
        return rel, _split(found, targets, keys), asked

    def _answered_in_calls(
        self, rel: Rel, values: tuple[list[Scalar], ...], asked: list[Asked]
    ) -> tuple[Rel, list[list[Scalar]], list[Asked]]:
        """What aggregates are called with is known of each row before it is grouped; so are subqueries in it."""
        everything = [value for some in values for value in some]
        calls = aggregate_calls([*everything, *parts_of(asked)], aggregate_names(self._reading.facts), Numbering())
        inside, after = _asked_by([call.value for call in calls], asked)
        if not inside:
            return rel, [list(some) for some in values], asked
        everything += parts_of(after)
        blank = {tree_key(call.value.node): expression("NULL") for call in calls}
        if _asked_by([replace_calls(value, blank) for value in everything], inside)[0]:
            raise Unsupported("a subquery that stands in an aggregate call and beside it has no delta rule yet")
        rel, everything = answered(rel, everything, inside, self._numbering)
        *found, parts = _split(everything, *values)
        return rel, found, all_rewritten(after, parts)

    def _grouping(self, by: GroupBy, keys: Sequence[Scalar], inside: Sequence[Scalar]) -> Grouping:
        """The sets that rows are grouped by, each with the columns that ties equate."""
        sets = [tuple(dict.fromkeys((*(keys[place] for place in places), *inside))) for places in by.sets]
        if by.distinct:
            sets = list({frozenset(one): one for one in sets}.values())
        return Grouping(tuple(dict.fromkeys((*keys, *inside))), tuple(sets), aggregate_names(self._reading.facts))

    def _put_out(self, rel: Rel, values: list[Scalar], outside: Sequence[Scalar], inside: list[Scalar]) -> Tied:
        """Select list, DISTINCT and LIMIT, each for every value of the columns inside that ties equate."""
        shown, after = len(self._names), len(self._names) + len(self._sorting)
        order = [sort_key(key, value) for key, value in zip(self._sorting, values[shown:after], strict=True)]
        if self._on:
            rel = first_of_each(rel, (*values[after:], *inside), order, self._numbering)
        names = (*self._names, *("key" for _ in inside))
        items = tuple(
            Item(self._numbering.column(name), value)
            for name, value in zip(names, (*values[:shown], *inside), strict=True)
        )
        if self._select.distinct_clause and not self._on:
            by_value = {tree_key(item.value.node): reference(item.column) for item in items}
            unique = distinct(Project(rel, items), self._numbering)
            renamed = {i.column.number: reference(c) for i, c in zip(items, unique.columns, strict=True)}
            for key in order:
                asked = replace_matching(Scalar(key.sort_by.node), by_value)
                key.sort_by.node.CopyFrom(substitute(asked, renamed).node)
            rel, items = unique, tuple(Item(c, reference(c)) for c in unique.columns)
        if has_limit(self._select):
            keys = [item.value for item in items[shown:]]
            rel = limited(self._reading, rel, self._select, order, self._ctes, keys)
        rel = Project(rel, items)
        ties = tuple(
            expression("a = b", a=there, b=reference(item.column))
            for there, item in zip(outside, items[shown:], strict=True)
        )
        outputs = zip(self._names, rel.columns[:shown], strict=True)
        return Tied(rel, ties, tuple((name, reference(column)) for name, column in outputs))

    def _named(self, targets: Sequence[Scalar]) -> tuple[tuple[str, Scalar], ...]:
        return tuple(zip(self._names, targets, strict=False))


def _split(values: Sequence[Scalar], *like: Sequence[object]) -> list[list[Scalar]]:
    """Cut a list into parts as long as those given, and the rest."""
    parts: list[list[Scalar]] = []
    start = 0
    for one in like:
        parts.append(list(values[start : start + len(one)]))
        start += len(one)
    return [*parts, list(values[start:])]


def _asked_by(values: Sequence[Scalar], asked: Sequence[Asked]) -> tuple[list[Asked], list[Asked]]:
    """The subqueries whose answers these values read, and the others."""
    read = {tree_key(node) for value in values for node in nodes(value.node)}
    return [a for a in asked if a.parameter in read], [a for a in asked if a.parameter not in read]


def _calls(reading: Reading, expressions: Sequence[Scalar]) -> bool:
    """Does some aggregate stand in these expressions?"""
    return bool(aggregate_calls(expressions, aggregate_names(reading.facts), Numbering()))


def _numbers(rel: Rel) -> frozenset[int]:
    return frozenset(column.number for column in rel.columns)


def _equated(ties: Sequence[Scalar], rel: Rel) -> tuple[list[Scalar], list[Scalar]]:
    """The columns outside and inside that ties equate."""
    here = _numbers(rel)
    outside: list[Scalar] = []
    inside: list[Scalar] = []
    for tie in ties:
        a, b = equated_columns(tie) or (0, 0)
        if (a in here) == (b in here):
            raise Unsupported("a subquery that groups, sorts or limits, tied by anything but =, has no delta rule yet")
        outside.append(reference(b if a in here else a))
        inside.append(reference(a if a in here else b))
    return outside, inside
