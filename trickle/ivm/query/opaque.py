"""A query block that no rule covers → Opaque: kept as text that stands for itself.

Views and WITH queries from around the block are written into it where they are read, each table becomes an input, and
what would make its value depend on anything but the bags it reads is settled where it can be (see fragile.py).
A block that reads a row outside cannot stand for itself: the block around it has to.
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from trickle.errors import Unmaintainable
from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.relations import Scan
from trickle.ivm.algebra.scalars import Scalar, reference
from trickle.ivm.query.fragile import fragility, settled_calls
from trickle.ivm.query.outputs import output_names, with_query_names
from trickle.ivm.query.reach import outer_references, readings
from trickle.ivm.query.reading import Ctes, Reading
from trickle.ivm.query.scope import SYSTEM_COLUMNS
from trickle.ivm.query.stored import relation, scan
from trickle.ivm.query.tied import Tied
from trickle.ivm.syntax import nodes, parse_select


def opaque(reading: Reading, select: pb.SelectStmt, ctes: Ctes, reason: str) -> Opaque | None:
    """The block as it is, or None where it reads a row outside.

    Raises:
        Unmaintainable: it reads what no buffer captures, locks rows, or asks where they lie.
    """
    whole = pb.SelectStmt()
    whole.CopyFrom(select)
    if not _stands_alone(whole) or not _written_out(reading, whole, ctes):
        return None
    _require_plain(whole)
    inputs = _inputs(reading, whole)
    settled = settled_calls(whole, inputs, reading.facts)
    node = pb.Node()
    node.sub_link.sub_link_type = pb.EXPR_SUBLINK
    node.sub_link.subselect.select_stmt.CopyFrom(whole)
    outputs = tuple(reading.numbering.column(name) for name in output_names(select))
    return Opaque(Scalar(node), inputs, outputs, reason, fragility(whole, inputs, reading.facts), settled)


def as_tied(rel: Opaque) -> Tied:
    """An opaque block as the result of reading it."""
    return Tied(rel, (), tuple((column.name, reference(column)) for column in rel.outputs))


def recursion(node: pb.Node) -> pb.SelectStmt:
    """A recursive WITH query as a SELECT that brings it along."""
    cte = node.common_table_expr
    select = pb.SelectStmt(limit_option=pb.LIMIT_OPTION_DEFAULT, op=pb.SETOP_NONE)
    select.with_clause.recursive = True
    select.with_clause.ctes.add().CopyFrom(node)
    item = select.from_clause.add().range_var
    item.relname, item.inh, item.relpersistence = cte.ctename, True, "p"
    for name in with_query_names(cte):
        target = select.target_list.add().res_target
        target.name = name
        for part in (cte.ctename, name):
            target.val.column_ref.fields.add().string.sval = part
    return select


def is_recursive(node: pb.Node) -> bool:
    """Does a WITH query read itself?"""
    cte = node.common_table_expr
    return any(
        not found.range_var.schemaname and found.range_var.relname == cte.ctename for found in readings(cte.ctequery)
    )


def _stands_alone(select: pb.SelectStmt) -> bool:
    return next(outer_references(select), None) is None


def _written_out(reading: Reading, select: pb.SelectStmt, ctes: Ctes) -> bool:
    """Write WITH queries and views into a block; False where one of them reads a row outside."""
    for node in readings(select):
        item = node.range_var
        if not item.schemaname and item.relname in ctes:
            cte = ctes[item.relname]
            statement = pb.SelectStmt()
            statement.CopyFrom(cte.statement)
            if (
                cte.rows is not None
                or not _stands_alone(statement)
                or not _written_out(reading, statement, cte.visible)
            ):
                return False
            _in_place_of(node, statement, cte.names or output_names(cte.statement))
            continue
        table = relation(reading.facts, item)
        if table.view_sql is not None:
            statement = parse_select(table.view_sql)
            _written_out(reading, statement, {})
            _in_place_of(node, statement, [column.name for column in table.columns])
    return True


def _in_place_of(node: pb.Node, statement: pb.SelectStmt, names: Sequence[str]) -> None:
    """Put a subquery in the place of a name in FROM, called as the name was."""
    item = node.range_var
    given = [name.string.sval for name in item.alias.colnames]
    called = item.alias.aliasname or item.relname
    node.Clear()
    node.range_subselect.subquery.select_stmt.CopyFrom(statement)
    node.range_subselect.alias.aliasname = called
    for name in (*given, *names[len(given) :]):
        node.range_subselect.alias.colnames.add().string.sval = name


def _require_plain(select: pb.SelectStmt) -> None:
    for node in nodes(select):
        kind = node.WhichOneof("node")
        if kind == "locking_clause":
            raise Unmaintainable("FOR UPDATE/SHARE has no place in a stream table")
        if kind == "range_table_sample":
            raise Unmaintainable("TABLESAMPLE depends on where rows lie, which changes without a change of data")
        if kind == "common_table_expr" and node.common_table_expr.ctequery.WhichOneof("node") != "select_stmt":
            raise Unmaintainable("a WITH query that writes cannot define a stream table")
        if kind == "column_ref" and node.column_ref.fields[-1].string.sval in SYSTEM_COLUMNS:
            name = node.column_ref.fields[-1].string.sval
            raise Unmaintainable(f"the system column {name} has no place in a change buffer")


def _inputs(reading: Reading, select: pb.SelectStmt) -> tuple[Scan, ...]:
    """Number the tables that a block reads, and name them by their numbers in it."""
    read = _read_names(select)
    inputs: list[Scan] = []
    places: dict[tuple[int, bool], int] = {}
    for node in readings(select):
        item = node.range_var
        table = relation(reading.facts, item)
        place = places.setdefault((table.oid, not item.inh), len(inputs))
        if place == len(inputs):
            everything = scan(reading, table, only=not item.inh)
            keys = {number for key in table.keys for number in key}
            kept = tuple(a for a in everything.attributes if read is None or a[1].name in read or a[1].number in keys)
            inputs.append(Scan(table, kept, everything.only))
        item.alias.aliasname = item.alias.aliasname or item.relname
        item.schemaname, item.relname = "", f"#{place}"
    return tuple(inputs)


def _read_names(select: pb.SelectStmt) -> frozenset[str] | None:
    """The names of all columns that a block may read; None where it may read any."""
    found: set[str] = set()
    for node in nodes(select):
        match node.WhichOneof("node"):
            case "column_ref":
                last = node.column_ref.fields[-1]
                if last.WhichOneof("node") == "a_star":
                    return None
                found.add(last.string.sval)
            case "join_expr":
                found.update(name.string.sval for name in node.join_expr.using_clause)
            case "range_var" if node.range_var.alias.colnames:
                return None
    return frozenset(found)
