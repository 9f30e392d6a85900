"""Set-returning functions in FROM and in the select list → Expand.

In FROM a function may read the items before it. In a select list all of them advance together, each row of the query
standing as often as the longest returns rows: that is what ROWS FROM does. Where a function may have several columns
or is called on the rows of another, a subquery asks for the very select list.
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.passes.fuse_blocks import fuse_blocks
from trickle.ivm.algebra.properties import origins
from trickle.ivm.algebra.relations import Rel
from trickle.ivm.algebra.scalars import Scalar, reference, replace_calls, tree_key
from trickle.ivm.facts import Facts
from trickle.ivm.query.grouping import function_name
from trickle.ivm.query.reading import Reading
from trickle.ivm.query.resolve import scalar
from trickle.ivm.query.row_local import beside, in_lockstep
from trickle.ivm.query.scope import Entry, Scope
from trickle.ivm.query.whole_rows import with_whole_row
from trickle.ivm.syntax import nodes, own_nodes

ONE_COLUMN = frozenset(
    {"generate_series", "generate_subscripts", "regexp_matches", "regexp_split_to_table", "string_to_table"}
    | {"json_array_elements", "json_array_elements_text", "json_object_keys", "jsonb_path_query"}
    | {"jsonb_array_elements", "jsonb_array_elements_text", "jsonb_object_keys"}
)
"""Functions whose rows are single values; unnest() is one too, but of composite values it makes columns."""
SIMPLE_ARRAYS = frozenset(
    {"smallint[]", "integer[]", "bigint[]", "numeric[]", "real[]", "double precision[]", "boolean[]", "uuid[]"}
    | {"text[]", "character varying[]", "jsonb[]", "date[]"}
    | {"timestamp with time zone[]", "timestamp without time zone[]"}
)


def function_item(
    reading: Reading, rel: Rel, scope: Scope, item: pb.RangeFunction, *, kept: bool = False
) -> tuple[Rel, Scope]:
    """Put the rows of functions in FROM beside each row of `rel`."""
    names = [name.string.sval for name in item.alias.colnames]
    defined = item.coldeflist or any(len(part.list.items) > 1 and _given(part.list.items[1]) for part in item.functions)
    if defined or not names or any(part.list.items[0].WhichOneof("node") != "func_call" for part in item.functions):
        return beside(reading, rel, scope, pb.Node(range_function=item), kept=kept)
    calls = tuple(scalar(part.list.items[0], scope, reading.facts, sets=True) for part in item.functions)
    outputs = tuple(reading.numbering.column(name) for name in names)
    entry = Entry(item.alias.aliasname, tuple((column.name, column) for column in outputs))
    expanded: Rel = Expand(rel, calls, outputs, bool(item.ordinality), kept)
    if not kept:
        expanded, entry = with_whole_row(reading, expanded, entry)
    return expanded, scope.joined(Scope((entry,)))


def _given(node: pb.Node) -> bool:
    return bool(node.WhichOneof("node"))


def expanded(
    reading: Reading, rel: Rel, values: Sequence[Scalar], by: Sequence[Scalar] | None = None
) -> tuple[Rel, list[Scalar]]:
    """Expand by the set-returning functions in a select list (those in `by`), and read their columns instead."""
    returning_sets = _returning_sets(reading.facts)
    found: dict[bytes, Scalar] = {}
    for value in values if by is None else by:
        for node in _outermost_calls(value, returning_sets):
            copy = pb.Node()
            copy.CopyFrom(node)
            found.setdefault(tree_key(node), Scalar(copy))
    if not found:
        return rel, list(values)
    plain = all(_has_one_column(call, rel) and len(_calls(call, returning_sets)) == 1 for call in found.values())
    functions = tuple(found.values()) if plain else (in_lockstep(list(found.values())),)
    outputs = tuple(reading.numbering.column(function_name(c.node.func_call)[1]) for c in found.values())
    replacements = {key: reference(column) for key, column in zip(found, outputs, strict=True)}
    return Expand(rel, functions, outputs), [replace_calls(v, replacements) for v in values]


def _calls(value: Scalar, returning_sets: frozenset[tuple[str, str]]) -> list[pb.Node]:
    return [n for n in own_nodes(value.node) if _is_call(n) and function_name(n.func_call) in returning_sets]


def _outermost_calls(value: Scalar, returning_sets: frozenset[tuple[str, str]]) -> list[pb.Node]:
    """The set-returning calls that do not stand in one another."""
    calls = _calls(value, returning_sets)
    inner = {id(n) for call in calls for n in nodes(call) if n is not call}
    return [call for call in calls if id(call) not in inner]


def calls_sets(values: Sequence[Scalar], facts: Facts) -> bool:
    """Does some set-returning function stand in these expressions?"""
    returning_sets = _returning_sets(facts)
    return any(
        _is_call(node) and function_name(node.func_call) in returning_sets for v in values for node in own_nodes(v.node)
    )


def _is_call(node: pb.Node) -> bool:
    return bool(node.WhichOneof("node") == "func_call")


def _returning_sets(facts: Facts) -> frozenset[tuple[str, str]]:
    return frozenset((f.schema, f.name) for f in facts.functions if f.returns_set)


def _has_one_column(call: Scalar, rel: Rel) -> bool:
    """Is it known that the function's rows are single values?"""
    schema, name = function_name(call.node.func_call)
    if schema == "pg_catalog" and name == "unnest":
        known = origins(fuse_blocks(rel)).get(Scalar(call.node.func_call.args[0]).column or 0)
        return known is not None and known.base_type in SIMPLE_ARRAYS
    return schema == "pg_catalog" and name in ONE_COLUMN
