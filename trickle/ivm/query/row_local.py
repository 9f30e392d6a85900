"""Subqueries and table functions that read no table: what they give depends on the row beside them alone.

In an expression such a subquery stays what it is, an expression of the row. In FROM it becomes Expand:

    L, LATERAL (SELECT … FROM unnest(l.tags) …)        each row of L beside its rows
    L, JSON_TABLE(l.j, …) and the like                 the same: a subquery that selects everything from it
    L LEFT JOIN (such an item) x ON p                  the same, with p inside and the row kept

Its own aliases get names that no generated SQL uses, so that none of them hides a column of the row.
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.relations import Rel
from trickle.ivm.algebra.scalars import Scalar
from trickle.ivm.query.outputs import item_names
from trickle.ivm.query.reach import readings
from trickle.ivm.query.reading import Reading
from trickle.ivm.query.resolve import scalar
from trickle.ivm.query.scope import Entry, Scope
from trickle.ivm.query.whole_rows import with_whole_row

ITEMS = frozenset({"range_subselect", "range_function", "range_table_func", "json_table"})


def is_row_local(item: pb.Node) -> bool:
    """Is it an item of FROM that reads no table?"""
    return item.WhichOneof("node") in ITEMS and not readings(item)


def beside(
    reading: Reading, rel: Rel, scope: Scope, item: pb.Node, *, kept: bool = False, on: pb.Node | None = None
) -> tuple[Rel, Scope]:
    """Put the rows of an item of FROM that reads no table beside each row of `rel`."""
    alias, columns = item_names(item)
    link = pb.Node()
    link.sub_link.sub_link_type = pb.EXPR_SUBLINK
    select = link.sub_link.subselect.select_stmt
    select.limit_option, select.op = pb.LIMIT_OPTION_DEFAULT, pb.SETOP_NONE
    select.from_clause.add().CopyFrom(item)
    if on is not None:
        select.where_clause.CopyFrom(on)
    for column in columns:
        target = select.target_list.add().res_target
        target.name = column
        for part in (alias, column):
            target.val.column_ref.fields.add().string.sval = part
    outputs = tuple(reading.numbering.column(column) for column in columns)
    entry = Entry(alias, tuple((column.name, column) for column in outputs))
    expanded: Rel = Expand(rel, (scalar(link, scope, reading.facts),), outputs, kept=kept)
    if not kept:
        expanded, entry = with_whole_row(reading, expanded, entry)
    return expanded, scope.joined(Scope((entry,)))


def in_lockstep(calls: Sequence[Scalar]) -> Scalar:
    """Set-returning functions of a select list as a subquery with a column for each."""
    node = pb.Node()
    node.sub_link.sub_link_type = pb.EXPR_SUBLINK
    select = node.sub_link.subselect.select_stmt
    select.limit_option, select.op = pb.LIMIT_OPTION_DEFAULT, pb.SETOP_NONE
    for place, call in enumerate(calls):
        target = select.target_list.add().res_target
        target.name = f"c{place + 1}"
        target.val.CopyFrom(call.node)
    return Scalar(node)
