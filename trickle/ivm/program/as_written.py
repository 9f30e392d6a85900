"""The stored relation in the user's own words, where its hidden columns can be had from the query as it stands.

A full refresh reads the stored relation. Written back from the algebra its plan may be better or worse than that of
the query as it was written: a subquery that was taken apart is joined early, a CTE that is read twice stands there
twice. So both are handed on, and the server, which can estimate, chooses.

    nothing hidden      the query
    a hash              the query, and the hash of its columns around it
    keys                the query with more columns, where each key is a column of one table of its own FROM
"""

from __future__ import annotations

import re

from postgast import pg_query_pb2 as pb

from trickle.errors import DefinitionError
from trickle.ivm.algebra.pairing import Mark, OuterJoin
from trickle.ivm.algebra.relations import Block, Rel, Scan
from trickle.ivm.facts import Facts, RelationFacts
from trickle.ivm.program.layout import indented
from trickle.ivm.program.parts import Apply, Root, Storage
from trickle.ivm.program.quote import ident
from trickle.ivm.program.rows import HASH
from trickle.ivm.syntax import parse_select

KEY = "__pgt_key_"
_SHAPED = ("group_clause", "distinct_clause", "window_clause", "values_lists")
"""Clauses by which a row of the result is not one row of each table of FROM, or not any such row."""


def as_written(root: Root, apply: Apply) -> str | None:
    """Write the query that fills the storage, with the user's query as it stands; None where that cannot be."""
    storage, query = apply.storage, root.facts.query.rstrip().rstrip(";")
    if not storage.hidden:
        return query
    if storage.hidden == (HASH,):
        return _hashed(root.facts, storage, query)
    if isinstance(apply.algebra, Block) and all(name.startswith(KEY) for name in storage.hidden):
        return _with_keys(apply.algebra, storage, query)
    return None


def _hashed(facts: Facts, storage: Storage, query: str) -> str:
    hashed = ", ".join(f"q.{ident(column.name)}" for column in facts.output if column.hashable)
    value = f"hash_record_extended(ROW({hashed}), 0)" if hashed else "0::bigint"
    columns = ", ".join(f"q.{ident(name)}" for name in storage.outputs)
    return f"SELECT {columns}, {value} AS {ident(HASH)}\nFROM (\n{indented(query)}\n) q"


def _with_keys(block: Block, storage: Storage, query: str) -> str | None:
    """The query with a column more for each hidden key, put in before its FROM; checked by reading the result."""
    try:
        select = parse_select(query)
    except DefinitionError:
        return None
    place = _place_of_from(query)
    if (
        place is None
        or select.op != pb.SETOP_NONE
        or select.HasField("limit_count")
        or any(getattr(select, clause) for clause in _SHAPED)
    ):
        return None
    tables = [table for item in select.from_clause for table in _tables(item)]
    added: list[str] = []
    for name, item in zip(storage.hidden, block.items[len(storage.outputs) :], strict=True):
        source = _source(block, item.value.column, tables)
        if source is None:
            return None
        added.append(f"{source} AS {ident(name)}")
    text = f"{query[:place].rstrip()},\n  {', '.join(added)}\n{query[place:]}"
    return text if _selects(text, len(select.target_list), storage.hidden) else None


def _source(block: Block, number: int | None, tables: list[pb.RangeVar]) -> str | None:
    """The name by which the query itself may call a column of a scan, if the scan's table stands once on both sides."""
    found = _origin(block, number)
    if found is None:
        return None
    table, name = found
    alike = [scan for i in block.inputs for scan in _rows_of(i) if scan.table.oid == table.oid]
    called = [t for t in tables if (t.schemaname, t.relname) == (table.schema, table.name)]
    if len(alike) != 1 or len(called) != 1 or called[0].alias.colnames:
        return None
    return ident(called[0].alias.aliasname or called[0].relname, name)


def _origin(rel: Rel, number: int | None) -> tuple[RelationFacts, str] | None:
    """The table and column that a column is a copy of, one row of the table for each row of `rel`."""
    match rel:
        case Scan(table, attributes):
            return next(((table, facts.name) for column, facts in attributes if column.number == number), None)
        case Block(inputs, _, items):
            copied = {item.column.number: item.value.column for item in items}
            inner = copied.get(number, number) if number is not None else None
            return next((found for i in inputs if (found := _origin(i, inner)) is not None), None)
        case Mark(left) | OuterJoin(left, full=False):
            return _origin(left, number)
        case _:
            return None


def _rows_of(rel: Rel) -> list[Scan]:
    """The scans that have one row for each row of `rel`."""
    match rel:
        case Scan():
            return [rel]
        case Block(inputs):
            return [scan for i in inputs for scan in _rows_of(i)]
        case Mark(left) | OuterJoin(left, full=False):
            return _rows_of(left)
        case _:
            return []


def _tables(item: pb.Node) -> list[pb.RangeVar]:
    """The tables that a FROM item names itself and has a row of in each of its rows; not those of its subqueries."""
    kind = item.WhichOneof("node")
    if kind == "range_var":
        return [item.range_var]
    if kind != "join_expr" or item.join_expr.alias.aliasname:
        return []
    join = item.join_expr
    left = _tables(join.larg) if join.jointype in (pb.JOIN_INNER, pb.JOIN_LEFT) else []
    return left + (_tables(join.rarg) if join.jointype == pb.JOIN_INNER else [])


def _place_of_from(query: str) -> int | None:
    """Where the FROM of the outermost SELECT begins: outside of quotes and parentheses, and not IS DISTINCT FROM."""
    if not re.match(r"\s*SELECT\b", query):
        return None
    depth, last = 0, ""
    for token in re.finditer(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[()]|\w+", query):
        word = token.group()
        depth += (word == "(") - (word == ")")
        if depth == 0 and word == "FROM" and last != "DISTINCT":
            return token.start()
        last = word
    return None


def _selects(text: str, before: int, names: tuple[str, ...]) -> bool:
    """Does the text select so many columns and then these?"""
    try:
        targets = parse_select(text).target_list
    except DefinitionError:
        return False
    return len(targets) == before + len(names) and tuple(t.res_target.name for t in targets[before:]) == names
