"""Window functions in a select list → Window.

Each distinct call becomes a column. Calls that share a partition share one operator, unless they depend on the order
of rows and their orders differ. What PARTITION BY and ORDER BY compute becomes a column first, so that rows sorted by
it are known to be sorted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Call, Item, Project, Rel, copy_of
from trickle.ivm.algebra.scalars import Column, Scalar, reference, replace_calls, tree_key
from trickle.ivm.algebra.windows import Window
from trickle.ivm.query.grouping import function_name
from trickle.ivm.syntax import own_nodes

PEERS_ALONE = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})
"""Functions that give rows which tie the same value, in whatever order they come …"""
ORDERLESS = frozenset({"count", "bool_and", "bool_or", "every", "bit_and", "bit_or", "bit_xor"})
"""… and those that do, where the frame does not count rows."""
FRAME_ROWS = 0x4
"""The bit of FRAMEOPTION_ROWS."""


def with_windows_inlined(node: pb.Node, select: pb.SelectStmt) -> pb.Node:
    """Return an expression in which every `OVER name` is written out."""
    definitions = {d.window_def.name: d.window_def for d in select.window_clause}
    copy = pb.Node()
    copy.CopyFrom(node)
    for found in own_nodes(copy):
        if found.WhichOneof("node") == "func_call" and found.func_call.HasField("over"):
            _inline(found.func_call.over, definitions)
    return copy


def _inline(over: pb.WindowDef, definitions: Mapping[str, pb.WindowDef]) -> None:
    if over.name:
        over.CopyFrom(definitions[over.name])
        over.name = ""
    if over.refname:
        base = pb.WindowDef()
        base.CopyFrom(definitions[over.refname])
        _inline(base, definitions)
        over.refname = ""
        over.partition_clause.extend(base.partition_clause)
        if not over.order_clause:
            over.order_clause.extend(base.order_clause)


def calls_windows(expressions: Sequence[pb.Node]) -> bool:
    """Does some window function stand in these expressions, outside subqueries?"""
    return any(
        found.WhichOneof("node") == "func_call" and found.func_call.HasField("over")
        for expression in expressions
        for found in own_nodes(expression)
    )


def windows(
    rel: Rel, expressions: Sequence[Scalar], numbering: Numbering, keys: Sequence[Scalar] = ()
) -> tuple[Rel, list[Scalar]]:
    """Add a column for each window function in `expressions`, and read it there; `keys` part every partition."""
    found: dict[bytes, Scalar] = {}
    for value in expressions:
        for node in own_nodes(value.node):
            if node.WhichOneof("node") == "func_call" and node.func_call.HasField("over"):
                copy = pb.Node()
                copy.CopyFrom(node)
                copy.func_call.over.partition_clause.extend(key.node for key in keys)
                found.setdefault(tree_key(node), Scalar(copy))
    if not found:
        return rel, list(expressions)
    rel, plain = _with_keys(rel, list(found.values()), numbering)
    calls = [Call(numbering.column(function_name(call.node.func_call)[1]), call) for call in plain]
    for group in _grouped(calls):
        rel = Window(rel, _keys(group.calls[0], rel, numbering), tuple(group.calls), group.order)
    replacements = {key: reference(call.column) for key, call in zip(found, calls, strict=True)}
    return rel, [replace_calls(value, replacements) for value in expressions]


def row_numbers(
    rel: Rel, partition: Sequence[Scalar], order: Sequence[pb.Node], function: str, numbering: Numbering
) -> tuple[Rel, Column]:
    """Add the column `function() OVER (PARTITION BY … ORDER BY …)`; `order` holds resolved sort keys."""
    node = pb.Node()
    call = node.func_call
    call.funcname.add().string.sval = function
    call.funcformat = pb.COERCE_EXPLICIT_CALL
    call.over.frame_options = _DEFAULT_FRAME
    call.over.partition_clause.extend(value.node for value in partition)
    call.over.order_clause.extend(order)
    rel, (value,) = windows(rel, [Scalar(node)], numbering)
    return rel, next(column for column in rel.columns if column.number == value.column)


_DEFAULT_FRAME = 0x2 | 0x20 | 0x400
"""RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW."""


def _with_keys(rel: Rel, calls: Sequence[Scalar], numbering: Numbering) -> tuple[Rel, list[Scalar]]:
    """Compute in `rel` what the calls partition and order by, and return the calls over those columns."""
    computed: dict[Scalar, Item] = {}

    def as_column(node: pb.Node) -> None:
        copy = pb.Node()
        copy.CopyFrom(node)
        value = Scalar(copy)
        if value.column is None:
            item = computed.setdefault(value, Item(numbering.column("key"), value))
            node.CopyFrom(reference(item.column).node)

    plain: list[Scalar] = []
    for call in calls:
        copy = pb.Node()
        copy.CopyFrom(call.node)
        over = copy.func_call.over
        for node in over.partition_clause:
            as_column(node)
        for node in over.order_clause:
            as_column(node.sort_by.node)
        plain.append(Scalar(copy))
    if computed:
        rel = Project(rel, (*(copy_of(column) for column in rel.columns), *computed.values()))
    return rel, plain


def _keys(call: Call, rel: Rel, numbering: Numbering) -> tuple[Item, ...]:
    names = {column.number: column for column in rel.columns}
    partition = [Scalar(node) for node in call.value.node.func_call.over.partition_clause]
    return tuple(
        Item(numbering.like(names[value.column]), value)
        for value in dict.fromkeys(partition)
        if value.column is not None
    )


@dataclass(slots=True)
class _Group:
    """Calls for one operator, and the call whose order counts."""

    partition: frozenset[Scalar]
    calls: list[Call]
    order: Scalar | None = None


def _grouped(calls: Sequence[Call]) -> list[_Group]:
    groups: list[_Group] = []
    for call in sorted(calls, key=lambda call: not depends_on_order(call.value.node.func_call)):
        over = call.value.node.func_call.over
        partition = frozenset(Scalar(node) for node in over.partition_clause)
        order = call.value if depends_on_order(call.value.node.func_call) else None
        for group in groups:
            if group.partition == partition and (order is None or _same_order(group.order, order)):
                group.calls.append(call)
                break
        else:
            groups.append(_Group(partition, [call], order))
    return groups


def _same_order(a: Scalar | None, b: Scalar) -> bool:
    return a is not None and _order_of(a) == _order_of(b)


def _order_of(call: Scalar) -> list[bytes]:
    over = call.node.func_call.over
    return [tree_key(node) for node in (*over.partition_clause, *over.order_clause)]


def depends_on_order(call: pb.FuncCall) -> bool:
    """May the value that a window function gives a row depend on how rows that tie are read?"""
    schema, name = function_name(call)
    if schema != "pg_catalog":
        return True
    counts_rows = bool(call.over.frame_options & FRAME_ROWS)
    return name not in PEERS_ALONE and (name not in ORDERLESS or counts_rows)
