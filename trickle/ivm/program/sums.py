"""Sums over a join with a much smaller table: what the rows of the large ones add up to, for each of its rows, is kept.

    γ_{K; Σv}(F ⋈ D)  =  γ_{K; Σs}(γ_{J; s = Σv}(F) ⋈ D)          J: the columns of F that the join with D and K read

One row of D (a supplier that moves to another nation) meets hundreds of rows of F, and each of those has to be joined
with the rest of F before it counts. From the state table the few sums of that row are read, and F not at all; a change
of F is followed as before, one table further.

D is the small table, and what nothing but it ties to the rest. Nothing is kept where J holds the key of a large table:
there would be as many sums as rows; nor where F is one table, whose rows count as soon as they are found: what is kept
has to be written by every change of F. F is grouped before D decides which of its rows count, so what is computed of
them has to have a value for every row (see two_steps.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.passes.nest_arms import beyond, size, with_arm
from trickle.ivm.algebra.properties import input_keys, origins, trusted_equalities
from trickle.ivm.algebra.relations import Aggregate, Block, Item, Rel, Scan, copy_of
from trickle.ivm.algebra.scalars import (
    Scalar,
    columns_of,
    equated_columns,
    reference,
    substitute,
)
from trickle.ivm.facts import Facts
from trickle.ivm.program.calls import Classified, classify
from trickle.ivm.program.two_steps import TwoSteps, in_two_steps
from trickle.ivm.query.grouping import function_name

FAN_OUT = 100
"""How many rows of the largest table there are for each row of a small one, at least."""
FEWEST = 100
"""Rows of a small table, at least: of a smaller one hardly a row ever changes."""
_TOTAL = frozenset({"extract", "date_trunc", "lower", "upper"})
"""Functions that have a value for all arguments of their type, with a constant for what they are told to do."""

KeepSums = Callable[[Aggregate, Mapping[int, int]], Rel | None]
"""Puts sums, of which the scales are given by column, into a state table; None where that is not possible."""


def sums_kept(block: Block, keep: KeepSums, numbering: Numbering, facts: Facts) -> Block | None:
    """Return an equal block over sums that are kept, or None where they would not help."""
    top = top_of(block)
    if top is None or not isinstance(top.child, Block) or top.child.gate is not None:
        return None
    joined = top.child
    sides = [side for pivot in _small(joined.inputs) if (side := _sides(joined, pivot)) is not None]
    if not sides:
        return None
    calls = [classify(call, joined, facts) for call in top.calls]
    for side in sides:
        parts = _parted(top, joined, side, calls, numbering)
        kept = None if parts is None else keep(parts.sums, parts.steps.scales)
        if parts is not None and kept is not None:
            return _over(block, top, joined, side, parts, kept)
    return None


def top_of(block: Block) -> Aggregate | None:
    """The aggregate that a block shows all groups of."""
    top = block.inputs[0] if len(block.inputs) == 1 and not block.predicates and block.gate is None else None
    return top if isinstance(top, Aggregate) else None


@dataclass(frozen=True, slots=True)
class _Parts:
    """γ_{J; s}(F); and what stands for the keys and calls of the query above it."""

    sums: Aggregate
    names: Mapping[int, Scalar]
    """Columns of F → columns of J."""
    keys: tuple[Item, ...]
    steps: TwoSteps


def _small(inputs: Sequence[Rel]) -> list[int]:
    """The tables that are much smaller than the largest one, the larger ones first."""
    sizes = [size(rel) for rel in inputs]
    found = [n for n, rows in enumerate(sizes) if rows >= FEWEST and rows * FAN_OUT <= max(sizes)]
    return sorted(found, key=lambda n: -sizes[n])


def _sides(joined: Block, pivot: int) -> frozenset[int] | None:
    """D: the small table and the inputs that equalities tie to it alone; None where a large one is among them."""
    inputs = joined.inputs
    small, largest = beyond(joined, pivot) | {pivot}, max(size(rel) for rel in inputs)
    return small if all(isinstance(inputs[n], Scan) and size(inputs[n]) * FAN_OUT <= largest for n in small) else None


def _parted(
    top: Aggregate, joined: Block, small: frozenset[int], calls: Sequence[Classified], numbering: Numbering
) -> _Parts | None:
    facts = [rel for n, rel in enumerate(joined.inputs) if n not in small]
    if len(facts) < 2:
        return None
    here = frozenset(column.number for rel in facts for column in rel.columns)
    known = {number: found for rel in facts for number, found in origins(rel).items()}
    inside = tuple(p for p in joined.predicates if p.columns <= here)
    across = [p for p in joined.predicates if p.columns & here and not p.columns <= here]
    pairs = trusted_equalities(joined.inputs, across)
    equal = columns_of(p for p in across if equated_columns(p) in pairs) & here
    if not equal:
        return None
    # A row of sums stands for rows that are equal, and shows one of them: more than equality must not depend on it.
    read = (*(p for p in across if equated_columns(p) not in pairs), *(key.value for key in top.keys))
    shown = columns_of(value for value in read if not value.columns <= here) & here
    if any(number not in known or not known[number].equal_is_identical for number in shown):
        return None
    columns = {column.number: column for rel in facts for column in rel.columns}
    plain = sorted(equal, key=list(columns).index) + sorted(shown - equal)
    names = {number: numbering.like(columns[number]) for number in plain}
    group = [Item(names[number], reference(number)) for number in plain]
    keys: list[Item] = []
    for key in top.keys:
        if not key.value.columns or not key.value.columns <= here:
            keys.append(Item(key.column, substitute(key.value, {n: reference(c) for n, c in names.items()})))
            continue
        if not _total(key.value.node):
            return None
        known_as = next((item.column for item in group if item.value == key.value), None)
        if known_as is None:
            known_as = numbering.like(key.column)
            group.append(Item(known_as, key.value))
        keys.append(Item(key.column, reference(known_as)))
    if _as_many(facts, inside, frozenset(item.value.column or 0 for item in group)):
        return None
    steps = in_two_steps(calls, here, known, numbering)
    if steps is None:
        return None
    rows = Block(tuple(facts), inside, tuple(copy_of(column) for column in columns.values()))
    return _Parts(
        Aggregate(rows, tuple(group), tuple(steps.inner)),
        {number: reference(column) for number, column in names.items()},
        tuple(keys),
        steps,
    )


def _as_many(facts: Sequence[Rel], predicates: Sequence[Scalar], group: frozenset[int]) -> bool:
    """Does the group hold a key of a large table, itself or by an equality?"""
    largest = max(size(rel) for rel in facts)
    fixed = set(group)
    pairs = trusted_equalities(facts, predicates)
    while any((a in fixed) != (b in fixed) for a, b in pairs):
        fixed |= {number for pair in pairs if fixed & set(pair) for number in pair}
    return any(key <= fixed for rel in facts if size(rel) * FAN_OUT > largest for key in input_keys(rel))


def _over(block: Block, top: Aggregate, joined: Block, small: frozenset[int], parts: _Parts, kept: Rel) -> Block:
    """The query over its sums: one join, of what is kept with D."""
    others = tuple(rel for n, rel in enumerate(joined.inputs) if n in small)
    there = frozenset(column.number for rel in others for column in rel.columns)
    tests = tuple(substitute(p, parts.names) for p in joined.predicates if p.columns & there)
    read = columns_of((*tests, *(key.value for key in parts.keys), *(call.value for call in parts.steps.outer)))
    rows = (kept, *others)
    items = tuple(copy_of(column) for rel in rows for column in rel.columns if column.number in read)
    child = Block(rows, tests, items)
    sizes = [size(rel) for rel in others]
    pivot = 1 + sizes.index(max(sizes))
    child = with_arm(child, pivot, frozenset(range(1, len(rows))) - {pivot})
    summed = Aggregate(child, parts.keys, tuple(parts.steps.outer), top.scalar)
    return Block(
        (summed,), (), tuple(Item(item.column, substitute(item.value, parts.steps.shown)) for item in block.items)
    )


def _total(node: pb.Node) -> bool:
    """Has the expression a value for every row?"""
    match node.WhichOneof("node"):
        case "column_ref" | "a_const":
            return True
        case "func_call":
            schema, name = function_name(node.func_call)
            return schema == "pg_catalog" and name in _TOTAL and all(_total(a) for a in node.func_call.args)
        case "type_cast":
            return bool(node.type_cast.arg.WhichOneof("node") == "a_const")
        case _:
            return False
