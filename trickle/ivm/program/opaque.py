"""A block that is kept as text, over tables as they are or as they were."""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.relations import Rel, Scan
from trickle.ivm.program.layout import indented
from trickle.ivm.program.quote import ident
from trickle.ivm.syntax import deparse_expression, nodes


def opaque_text(rel: Opaque, ctes: Sequence[str | None]) -> str:
    """SELECT text of a block; an input that has a name in `ctes` is read from there, the others are tables."""
    node = pb.Node()
    node.CopyFrom(rel.query.node)
    for found in nodes(node):
        if found.WhichOneof("node") == "range_var" and found.range_var.relname.startswith("#"):
            place = int(found.range_var.relname[1:])
            _read_from(found.range_var, rel.inputs[place], ctes[place])
    named = f"({', '.join(ident(column.label) for column in rel.outputs)})" if rel.outputs else ""
    return f"SELECT *\nFROM (\n{indented(deparse_expression(node)[1:-1])}\n) q{named}"


def _read_from(item: pb.RangeVar, rel: Rel, cte: str | None) -> None:
    if isinstance(rel, Scan):
        item.schemaname, item.relname = rel.table.schema, rel.table.name
        return
    item.relname, item.inh = cte or "", True
    names = [name.string.sval for name in item.alias.colnames]
    del item.alias.colnames[:]
    for column in (*names, *(column.name for column in rel.columns[len(names) :])):
        item.alias.colnames.add().string.sval = column
