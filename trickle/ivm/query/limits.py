"""LIMIT, OFFSET, FETCH … WITH TIES and DISTINCT ON: rows chosen by their place in an order → Window and Filter.

    LIMIT n OFFSET m     σ_{m < row_number() ≤ m + n}
    WITH TIES            σ_{m < row_number(), rank() ≤ m + n}
    DISTINCT ON (k)      σ_{row_number() = 1} by partition k

Rows that tie in the order are told apart by their image, so the same bag always keeps the same rows. Where a subquery
says how many, its answer stands beside every row.
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Filter, Project, Rel, copy_of
from trickle.ivm.algebra.scalars import Column, Scalar, expression, reference
from trickle.ivm.query.conditions import expressions
from trickle.ivm.query.reading import Ctes, Reading
from trickle.ivm.query.scope import Scope
from trickle.ivm.query.windows import row_numbers


def sort_key(clause: pb.Node, value: Scalar) -> pb.Node:
    """An item of ORDER BY with its expression resolved."""
    key = pb.Node()
    key.CopyFrom(clause)
    key.sort_by.node.CopyFrom(value.node)
    return key


def first_of_each(rel: Rel, keys: Sequence[Scalar], order: Sequence[pb.Node], numbering: Numbering) -> Rel:
    """Keep the first row of each group of equal keys."""
    numbered, place = row_numbers(rel, keys, order, "row_number", numbering)
    chosen = Filter(numbered, (expression("n = 1", n=reference(place)),))
    return Project(chosen, tuple(copy_of(column) for column in rel.columns))


def limited(
    reading: Reading,
    rel: Rel,
    select: pb.SelectStmt,
    order: Sequence[pb.Node],
    ctes: Ctes,
    keys: Sequence[Scalar] = (),
) -> Rel:
    """Keep the rows that LIMIT and OFFSET ask for, of each group of equal keys."""
    columns, numbering = rel.columns, reading.numbering
    clauses = [select.limit_count, select.limit_offset]
    rel, amounts = expressions(reading, rel, [node for node in clauses if node.WhichOneof("node")], Scope(), ctes)
    given = iter(amounts)
    count, offset = (next(given) if node.WhichOneof("node") else None for node in clauses)
    rel, place = row_numbers(rel, keys, order, "row_number", numbering)
    last = place
    if select.limit_option == pb.LIMIT_OPTION_WITH_TIES:
        rel, last = row_numbers(rel, keys, order, "rank", numbering)
    return Project(Filter(rel, tuple(_bounds(place, last, count, offset))), tuple(copy_of(c) for c in columns))


def _bounds(place: Column, last: Column, count: Scalar | None, offset: Scalar | None) -> list[Scalar]:
    bounds: list[Scalar] = []
    if offset is not None:
        bounds.append(expression("n > coalesce(o, 0)", n=reference(place), o=offset))
    if count is not None and _is_number(count) and offset is None:
        bounds.append(expression("n <= c", n=reference(last), c=count))
    elif count is not None:
        start = offset if offset is not None else expression("0")
        parts = {"n": reference(last), "c": count, "o": start}
        bounds.append(expression("coalesce(n <= coalesce(o, 0) + (c)::bigint, true)", **parts))
    return bounds or [expression("true")]


def _is_number(value: Scalar) -> bool:
    return value.node.WhichOneof("node") == "a_const" and not value.node.a_const.isnull
