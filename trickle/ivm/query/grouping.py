"""GROUP BY, HAVING and aggregate calls → Aggregate and Filter.

Every aggregate call in the targets and in HAVING becomes a column of the Aggregate, once; every sub-expression
that equals a grouping expression becomes the key's column. Columns that PostgreSQL accepted without grouping
(they depend on a grouped primary key) become keys as well: they cannot split a group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Aggregate, Call, Filter, Item, Rel
from trickle.ivm.algebra.scalars import Scalar, conjuncts, reference, replace_matching, tree_key
from trickle.ivm.facts import Facts
from trickle.ivm.syntax import nodes


def group(
    rel: Rel,
    *,
    keys: Sequence[Scalar],
    targets: Sequence[Scalar],
    having: Scalar | None,
    aggregates: frozenset[tuple[str, str]],
    numbering: Numbering,
) -> tuple[Rel, list[Scalar]]:
    """Group `rel` if the query groups at all.

    Returns:
        The grouped relation and the targets rewritten over its columns.
    """
    expressions = [*targets, *([having] if having is not None else [])]
    calls = aggregate_calls(expressions, aggregates, numbering)
    if not keys and not calls and having is None:
        return rel, list(targets)
    names = {column.number: column.name for column in rel.columns}
    items = [Item(numbering.column(_key_name(key, names)), key) for key in _distinct(keys)]
    replacements = {tree_key(call.value.node): reference(call.column) for call in calls}
    replacements |= {tree_key(item.value.node): reference(item.column) for item in items}
    rewritten = [replace_matching(value, replacements) for value in expressions]
    made = {item.column.number for item in items} | {call.column.number for call in calls}
    beside = sorted({n for value in rewritten for n in value.columns} - made)
    if beside and not keys:
        raise Unsupported("a subquery beside aggregates of all rows has no delta rule yet")
    for number in beside:
        dependent = Item(numbering.column(names[number]), reference(number))
        items.append(dependent)
        replacement = {tree_key(dependent.value.node): reference(dependent.column)}
        rewritten = [replace_matching(value, replacement) for value in rewritten]
    grouped: Rel = Aggregate(rel, tuple(items), tuple(calls), scalar=not keys)
    if having is not None:
        grouped = Filter(grouped, conjuncts(rewritten.pop()))
    return grouped, rewritten


def aggregate_names(facts: Facts) -> frozenset[tuple[str, str]]:
    """Schema and name of every aggregate that the query calls."""
    return frozenset((f.schema, f.name) for f in facts.functions if f.kind == "a")


def aggregate_calls(
    expressions: Sequence[Scalar], aggregates: frozenset[tuple[str, str]], numbering: Numbering
) -> list[Call]:
    """Find the aggregate calls, each once, in the order they are written."""
    found: dict[bytes, Call] = {}
    for value in expressions:
        for node in nodes(value.node):
            called = node.WhichOneof("node") == "func_call" and not node.func_call.HasField("over")
            if called and function_name(node.func_call) in aggregates:
                key = tree_key(node)
                if key not in found:
                    copy = pb.Node()
                    copy.CopyFrom(node)
                    found[key] = Call(numbering.column(function_name(node.func_call)[1]), Scalar(copy))
    return list(found.values())


def function_name(call: pb.FuncCall) -> tuple[str, str]:
    """Schema and name of a called function; the canonical text leaves out pg_catalog only."""
    parts = [part.string.sval for part in call.funcname]
    return ("pg_catalog", parts[0]) if len(parts) == 1 else (parts[-2], parts[-1])


def _distinct(keys: Sequence[Scalar]) -> list[Scalar]:
    if any(node.WhichOneof("node") == "grouping_set" for key in keys for node in nodes(key.node)):
        raise Unsupported("GROUPING SETS have no delta rule yet")
    return list(dict.fromkeys(keys))


def _key_name(key: Scalar, names: Mapping[int, str]) -> str:
    return names.get(key.column, "key") if key.column is not None else "key"
