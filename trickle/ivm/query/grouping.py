"""GROUP BY and aggregate calls → Aggregate.

Every aggregate call in the targets and in HAVING becomes a column of the Aggregate, once; every sub-expression
that equals a grouping expression becomes the key's column. Columns that PostgreSQL accepted without grouping
(they depend on a grouped primary key) become keys as well: they cannot split a group.

Several grouping sets are as many groupings of the same rows, added up. A key that a set does not have is NULL there, of
the key's type: the value of an aggregate over none of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Aggregate, Call, Item, Project, Rel, UnionAll
from trickle.ivm.algebra.scalars import (
    Scalar,
    expression,
    reference,
    replace_calls,
    replace_matching,
    tree_key,
)
from trickle.ivm.facts import Facts
from trickle.ivm.syntax import own_nodes


@dataclass(frozen=True, slots=True)
class Grouping:
    """What a SELECT groups by: all expressions, and sets of them."""

    keys: tuple[Scalar, ...]
    sets: tuple[tuple[Scalar, ...], ...]
    aggregates: frozenset[tuple[str, str]]
    """Schema and name of every aggregate that the query calls."""


def group(rel: Rel, by: Grouping, targets: Sequence[Scalar], numbering: Numbering) -> tuple[Rel, list[Scalar]]:
    """Group `rel`.

    Returns:
        The grouped relation and the targets rewritten over its columns.
    """
    calls = aggregate_calls(targets, by.aggregates, numbering)
    if len(by.sets) == 1:
        return _by_one_set(rel, by.sets[0], calls, targets, numbering)
    return _by_several_sets(rel, by, calls, targets, numbering)


def _by_one_set(
    rel: Rel, keys: Sequence[Scalar], calls: Sequence[Call], expressions: Sequence[Scalar], numbering: Numbering
) -> tuple[Rel, list[Scalar]]:
    names = {column.number: column.name for column in rel.columns}
    items = [Item(numbering.column(_key_name(key, names)), key) for key in keys]
    said = {tree_key(call.value.node): reference(call.column) for call in calls}
    said |= _grouping_functions(expressions, keys)
    known = {tree_key(item.value.node): reference(item.column) for item in items}
    rewritten = [replace_matching(replace_calls(value, said), known) for value in expressions]
    made = {item.column.number for item in items} | {call.column.number for call in calls}
    beside = sorted(({n for value in rewritten for n in value.columns} - made) & set(names))
    if beside and not keys:
        raise Unsupported("a column beside aggregates of all rows has no delta rule")
    for number in beside:
        dependent = Item(numbering.column(names[number]), reference(number))
        items.append(dependent)
        replacement = {tree_key(dependent.value.node): reference(dependent.column)}
        rewritten = [replace_matching(value, replacement) for value in rewritten]
    return Aggregate(rel, tuple(items), tuple(calls), scalar=not keys), rewritten


def _by_several_sets(
    rel: Rel, by: Grouping, calls: Sequence[Call], expressions: Sequence[Scalar], numbering: Numbering
) -> tuple[Rel, list[Scalar]]:
    """Group by each set, with the same columns: all keys, all calls, and what GROUPING says there."""
    asked = list(_grouping_functions(expressions, ()))
    branches: list[Rel] = []
    for keys in by.sets:
        items = {key: Item(numbering.column("key"), key) for key in keys}
        absent = {
            key: Call(numbering.column("key"), expression(_TYPED_NULL, k=key)) for key in by.keys if key not in keys
        }
        fresh = [Call(numbering.like(call.column), call.value) for call in calls]
        grouped = Aggregate(rel, tuple(items.values()), (*absent.values(), *fresh), scalar=not keys)
        columns = [(items[key] if key in items else absent[key]).column for key in by.keys]
        bits = _grouping_functions(expressions, keys)
        values = [*(reference(c) for c in (*columns, *(call.column for call in fresh))), *(bits[key] for key in asked)]
        branches.append(Project(grouped, tuple(Item(numbering.column("value"), value) for value in values)))
    trees = [*(tree_key(key.node) for key in by.keys), *(tree_key(call.value.node) for call in calls), *asked]
    outputs = tuple(numbering.column("value") for _ in trees)
    replacements = [(tree, reference(column)) for tree, column in zip(trees, outputs, strict=True)]
    known, said = dict(replacements[: len(by.keys)]), dict(replacements[len(by.keys) :])
    rewritten = [replace_matching(replace_calls(value, said), known) for value in expressions]
    here = {column.number for column in rel.columns}
    if any(value.columns & here for value in rewritten):
        raise Unsupported("a column that depends on grouping sets has no delta rule yet")
    return UnionAll(tuple(branches), outputs), rewritten


_TYPED_NULL = "mode() WITHIN GROUP (ORDER BY k) FILTER (WHERE false)"
_NEVER = expression("false").node


def is_typed_null(value: Scalar) -> bool:
    """Is it the NULL that stands for a key its grouping set leaves out?"""
    call = value.node.func_call
    return call.agg_within_group and function_name(call)[1] == "mode" and call.agg_filter == _NEVER


def _grouping_functions(expressions: Sequence[Scalar], keys: Sequence[Scalar]) -> dict[bytes, Scalar]:
    """GROUPING (a, b): a bit for each argument, set where the row is not grouped by it."""
    found: dict[bytes, Scalar] = {}
    for value in expressions:
        for node in own_nodes(value.node):
            if node.WhichOneof("node") == "grouping_func":
                bits = "".join("0" if _copied(argument) in keys else "1" for argument in node.grouping_func.args)
                found[tree_key(node)] = expression(str(int(bits, 2)))
    return found


def _copied(node: pb.Node) -> Scalar:
    copy = pb.Node()
    copy.CopyFrom(node)
    return Scalar(copy)


def aggregate_names(facts: Facts) -> frozenset[tuple[str, str]]:
    """Schema and name of every aggregate that the query calls, and of the one that ARRAY (subquery) is read as."""
    return frozenset((f.schema, f.name) for f in facts.functions if f.kind == "a") | {("pg_catalog", "array_agg")}


def aggregate_calls(
    expressions: Sequence[Scalar], aggregates: frozenset[tuple[str, str]], numbering: Numbering
) -> list[Call]:
    """Find the aggregate calls, each once, in the order they are written."""
    found: dict[bytes, Call] = {}
    for value in expressions:
        for node in own_nodes(value.node):
            called = node.WhichOneof("node") == "func_call" and not node.func_call.HasField("over")
            if called and function_name(node.func_call) in aggregates:
                key = tree_key(node)
                if key not in found:
                    found[key] = Call(numbering.column(function_name(node.func_call)[1]), _copied(node))
    return list(found.values())


def function_name(call: pb.FuncCall) -> tuple[str, str]:
    """Schema and name of a called function; the canonical text leaves out pg_catalog only."""
    parts = [part.string.sval for part in call.funcname]
    return ("pg_catalog", parts[0]) if len(parts) == 1 else (parts[-2], parts[-1])


def _key_name(key: Scalar, names: Mapping[int, str]) -> str:
    return names.get(key.column, "key") if key.column is not None else "key"
