"""LATERAL: a subquery in FROM that reads the items before it.

L, LATERAL S                the join of L and S by what ties S to L
L LEFT JOIN LATERAL S       the left join by the same
… over one group of rows    the left join with the groups, since a group without rows has a row as well
"""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.pairing import OuterJoin
from trickle.ivm.algebra.relations import Item, Join, Project, Rel, copy_of
from trickle.ivm.algebra.scalars import columns_of
from trickle.ivm.query.partners import beside_group, partners
from trickle.ivm.query.reading import Ctes, Reading
from trickle.ivm.query.scope import Entry, Scope, Unresolved, renamed
from trickle.ivm.query.tied import Tied


def is_lateral(item: pb.Node) -> bool:
    """May this item of FROM read the ones before it?"""
    return item.WhichOneof("node") == "range_subselect" and bool(item.range_subselect.lateral)


def lateral(
    reading: Reading, rel: Rel, scope: Scope, item: pb.RangeSubselect, ctes: Ctes, *, kept: bool = False
) -> tuple[Rel, Scope]:
    """Put the rows of a LATERAL subquery beside each row of `rel`; `kept` rows stay where there is none."""
    try:
        inner = reading.tied(reading, item.subquery.select_stmt, ctes, scope)
    except Unresolved as unresolved:
        raise Unsupported(
            "LATERAL that reads more than the items joined before it has no delta rule yet"
        ) from unresolved
    joined, items = _joined(reading, rel, inner, kept=kept)
    names = [name.string.sval for name in item.alias.colnames]
    columns = renamed(tuple((i.column.name, i.column) for i in items), names)
    return joined, scope.joined(Scope((Entry(item.alias.aliasname, columns),)))


def _joined(reading: Reading, rel: Rel, inner: Tied, *, kept: bool) -> tuple[Rel, tuple[Item, ...]]:
    numbering = reading.numbering
    there = tuple(copy_of(column) for column in rel.columns)
    if inner.calls:
        grouped, values = beside_group(rel, inner, numbering)
        items = tuple(Item(numbering.column(n), v) for (n, _), v in zip(inner.outputs, values, strict=True))
        return Project(grouped, (*there, *items)), items
    here = {column.number for column in inner.rel.columns}
    if not columns_of(inner.ties) <= here | {column.number for column in rel.columns}:
        raise Unsupported("LATERAL tied to a query further out than the next has no delta rule yet")
    items = tuple(Item(numbering.column(name), value) for name, value in inner.outputs)
    if not kept:
        return Project(Join(rel, inner.rel, inner.ties), (*there, *items)), items
    partner, values = partners(rel, inner, numbering)
    items = tuple(Item(item.column, value) for item, value in zip(items, values, strict=True))
    return Project(OuterJoin(rel, partner, inner.ties), (*there, *items)), items
