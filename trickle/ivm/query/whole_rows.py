"""A whole row as one value: `t` in `row_to_json(t)`, `count(t)` or `SELECT t`.

It is one more column of the item of FROM, made where the item is read. So an outer join that leaves the item out leaves
it NULL, which a row of NULLs is not. A table's row is of the table's type; the row of a subquery has no type but has
names, which only a subquery can give it.
"""

from __future__ import annotations

from dataclasses import replace

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.relations import Item, Project, Rel, copy_of
from trickle.ivm.algebra.scalars import Column, Scalar, reference
from trickle.ivm.facts import Facts, RelationFacts
from trickle.ivm.query.reading import Reading
from trickle.ivm.query.scope import Entry
from trickle.ivm.syntax import nodes, parse_select

ROW = "__pgt_row"


def asked_whole(facts: Facts) -> frozenset[str]:
    """The names of items whose whole rows are read somewhere in the query or in a view below it."""
    texts = [facts.query, *(table.view_sql for table in facts.relations if table.view_sql is not None)]
    return frozenset(
        node.column_ref.fields[-2].string.sval
        for text in texts
        for node in nodes(parse_select(text))
        if node.WhichOneof("node") == "column_ref"
        and len(node.column_ref.fields) > 1
        and node.column_ref.fields[-1].WhichOneof("node") == "a_star"
    )


def with_whole_row(reading: Reading, rel: Rel, entry: Entry, table: RelationFacts | None = None) -> tuple[Rel, Entry]:
    """Add the whole row of an item to its columns, where it is read."""
    if entry.alias not in reading.whole:
        return rel, entry
    column = reading.numbering.column("row")
    columns = [column for _, column in entry.columns]
    value = _typed(columns, table) if table is not None else _named(entry)
    made = replace(entry, whole=column, named_type=table is not None)
    return Project(rel, (*(copy_of(c) for c in rel.columns), Item(column, value))), made


def _typed(columns: list[Column], table: RelationFacts) -> Scalar:
    node = pb.Node()
    for column in columns:
        node.type_cast.arg.row_expr.args.add().CopyFrom(reference(column).node)
    node.type_cast.arg.row_expr.row_format = pb.COERCE_EXPLICIT_CALL
    for name in (table.schema, table.name):
        node.type_cast.type_name.names.add().string.sval = name
    node.type_cast.type_name.typemod = -1
    return Scalar(node)


def _named(entry: Entry) -> Scalar:
    node = pb.Node()
    node.sub_link.sub_link_type = pb.EXPR_SUBLINK
    outer = node.sub_link.subselect.select_stmt
    item = outer.from_clause.add().range_subselect
    item.alias.aliasname = ROW
    outer.target_list.add().res_target.val.column_ref.fields.add().string.sval = ROW
    for name, column in entry.columns:
        target = item.subquery.select_stmt.target_list.add().res_target
        target.name = name
        target.val.CopyFrom(reference(column).node)
    for select in (outer, item.subquery.select_stmt):
        select.limit_option, select.op = pb.LIMIT_OPTION_DEFAULT, pb.SETOP_NONE
    return Scalar(node)
