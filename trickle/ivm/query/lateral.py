"""LATERAL: a subquery in FROM that reads the items before it.

L, LATERAL S                the join of L and S by what ties S to L
L LEFT JOIN LATERAL S ON p  the left join by the same and by p
… over one group of rows    the left join with the groups, since a group without rows has a row as well
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.pairing import OuterJoin
from trickle.ivm.algebra.relations import Item, Join, Project, Rel, copy_of
from trickle.ivm.algebra.scalars import Scalar, columns_of, conjuncts, expression, substitute
from trickle.ivm.query.partners import beside_group, partners
from trickle.ivm.query.reading import Ctes, Reading
from trickle.ivm.query.resolve import scalar
from trickle.ivm.query.scope import Entry, Scope, Unresolved, renamed
from trickle.ivm.query.tied import Tied
from trickle.ivm.query.whole_rows import with_whole_row


def is_lateral(item: pb.Node) -> bool:
    """May this item of FROM read the ones before it?"""
    kind = item.WhichOneof("node")
    return kind in ("range_function", "range_table_func", "json_table") or (
        kind == "range_subselect" and bool(item.range_subselect.lateral)
    )


def lateral(
    reading: Reading, rel: Rel, scope: Scope, item: pb.RangeSubselect, ctes: Ctes, on: pb.Node | None = None
) -> tuple[Rel, Scope]:
    """Put the rows of a LATERAL subquery beside each row of `rel`; with `on`, a row that none of them meets stays."""
    try:
        inner = reading.tied(reading, item.subquery.select_stmt, ctes, scope)
    except Unresolved as unresolved:
        raise Unsupported(
            "LATERAL that reads more than the items joined before it has no delta rule yet"
        ) from unresolved
    items = tuple(Item(reading.numbering.column(name), value) for name, value in inner.outputs)
    names = [name.string.sval for name in item.alias.colnames]
    columns = renamed(tuple((i.column.name, i.column) for i in items), names)
    entry = Entry(item.alias.aliasname, columns)
    if on is None:
        joined, entry = with_whole_row(reading, _joined(reading, rel, inner, items), entry)
        return joined, scope.joined(Scope((entry,)))
    scope = scope.joined(Scope((entry,)))
    values = {i.column.number: i.value for i in items}
    tests = [substitute(test, values) for test in conjuncts(scalar(on, scope, reading.facts))]
    return _kept(reading, rel, inner, items, [test for test in tests if test != expression("true")]), scope


def _joined(reading: Reading, rel: Rel, inner: Tied, items: tuple[Item, ...]) -> Rel:
    if inner.calls:
        return _beside_group(reading, rel, inner, items)
    _require_next(rel, inner, inner.ties)
    return Project(Join(rel, inner.rel, inner.ties), (*_copies(rel), *items))


def _kept(reading: Reading, rel: Rel, inner: Tied, items: tuple[Item, ...], tests: Sequence[Scalar]) -> Rel:
    if inner.calls:
        if tests:
            raise Unsupported("LEFT JOIN LATERAL of a group on a condition has no delta rule yet")
        return _beside_group(reading, rel, inner, items)
    met = (*inner.ties, *tests)
    _require_next(rel, inner, met)
    partner, values = partners(rel, inner, reading.numbering)
    shown = (Item(item.column, value) for item, value in zip(items, values, strict=True))
    return Project(OuterJoin(rel, partner, met), (*_copies(rel), *shown))


def _beside_group(reading: Reading, rel: Rel, inner: Tied, items: tuple[Item, ...]) -> Rel:
    grouped, values = beside_group(rel, inner, reading.numbering)
    return Project(grouped, (*_copies(rel), *(Item(i.column, v) for i, v in zip(items, values, strict=True))))


def _copies(rel: Rel) -> tuple[Item, ...]:
    return tuple(copy_of(column) for column in rel.columns)


def _require_next(rel: Rel, inner: Tied, ties: Sequence[Scalar]) -> None:
    here = {column.number for side in (rel, inner.rel) for column in side.columns}
    if not columns_of(ties) <= here:
        raise Unsupported("LATERAL tied to a query further out than the next has no delta rule yet")
