"""SELECT statement → algebra.

Reads PostgreSQL's canonical text of a bound query. What has no operator raises `Unsupported` with the name of the
clause; the smallest query block around it that reads no row outside is then kept as text (see opaque.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from trickle.errors import Ours, Unmaintainable, Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Item, Project, Rel
from trickle.ivm.algebra.scalars import reference
from trickle.ivm.facts import Facts
from trickle.ivm.query.blocks import block
from trickle.ivm.query.clauses import has_limit
from trickle.ivm.query.conditions import conditions
from trickle.ivm.query.from_clause import with_queries
from trickle.ivm.query.limits import limited, sort_key
from trickle.ivm.query.opaque import as_tied, opaque
from trickle.ivm.query.reading import Ctes, Named, Reading
from trickle.ivm.query.resolve import scalar
from trickle.ivm.query.scope import Scope
from trickle.ivm.query.set_operations import set_operation, values
from trickle.ivm.query.tied import Tied
from trickle.ivm.query.whole_rows import asked_whole
from trickle.ivm.syntax import parse_select


def read(facts: Facts, numbering: Numbering) -> tuple[Rel, Named]:
    """Read the defining query.

    Returns:
        The relation, and its output columns with the names the user sees.

    Raises:
        Unmaintainable: no program can follow what the query reads.
    """
    reading = Reading(facts, numbering, _select, _tied, conditions, asked_whole(facts))
    return _select(reading, parse_select(facts.query), {})


def read_whole(facts: Facts, numbering: Numbering, reason: str) -> tuple[Rel, Named]:
    """Read the defining query without looking into it, for the `reason` that some part of it has no delta rule."""
    reading = Reading(facts, numbering, _select, _tied, conditions)
    rel = opaque(reading, parse_select(facts.query), {}, reason)
    if rel is None:
        raise Ours("the defining query reads a row outside")
    return rel, tuple((column.name, column) for column in rel.outputs)


def _select(reading: Reading, select: pb.SelectStmt, ctes: Ctes) -> tuple[Rel, Named]:
    """Read a SELECT, VALUES or set operation that stands for itself."""
    read = _tied(reading, select, ctes, None)
    rel = read.rel
    if any(value.column is None for value in read.targets):
        items = tuple(Item(reading.numbering.column(name), value) for name, value in read.outputs)
        return Project(rel, items), tuple((item.column.name, item.column) for item in items)
    columns = {column.number: column for column in rel.columns}
    return rel, tuple((name, columns[value.column or 0]) for name, value in read.outputs)


def _tied(reading: Reading, select: pb.SelectStmt, ctes: Ctes, outer: Scope | None) -> Tied:
    """Read a SELECT, VALUES or set operation; where no rule covers it, as a whole, if it can stand for itself."""
    try:
        return _by_rules(reading, select, ctes, outer)
    except Unmaintainable:
        raise
    except Unsupported as refused:
        whole = opaque(reading, select, ctes, refused.reason)
        if whole is None:
            raise
        return as_tied(whole)


def _by_rules(reading: Reading, select: pb.SelectStmt, ctes: Ctes, outer: Scope | None) -> Tied:
    """Only a plain SELECT may be tied to a row outside."""
    ctes = with_queries(select, ctes)
    if select.locking_clause:
        raise Unmaintainable("FOR UPDATE/SHARE has no place in a stream table")
    if select.op == pb.SETOP_NONE and not select.values_lists:
        return block(reading, select, ctes, outer)
    rel, names = _put_together(reading, select, ctes)
    if has_limit(select):
        rel = limited(reading, rel, select, [_by_output(key, rel, names) for key in select.sort_clause], ctes)
    return Tied(rel, (), tuple((name, reference(c)) for name, c in zip(names, rel.columns, strict=True)))


def _put_together(reading: Reading, select: pb.SelectStmt, ctes: Ctes) -> tuple[Rel, list[str]]:
    if select.values_lists:
        rows = [[scalar(value, Scope(), reading.facts) for value in row.list.items] for row in select.values_lists]
        rel = values(rows, reading.numbering)
        return rel, [column.name for column in rel.columns]
    left, named = _select(reading, select.larg, ctes)
    right, _ = _select(reading, select.rarg, ctes)
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
