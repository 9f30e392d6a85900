"""What can be proved of a relation: columns that are never NULL, and columns that identify a row.

Proofs are conservative: an absent property costs speed, a wrong one costs correctness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.keeping import Kept, KeptBefore, KeptChange, KeptFirst
from trickle.ivm.algebra.pairing import Mark, OuterJoin, Wanted
from trickle.ivm.algebra.relations import Aggregate, Block, Change, Copies, Rel, Scan, Shared, UnionAll
from trickle.ivm.algebra.scalars import Scalar, equated_columns
from trickle.ivm.algebra.windows import Window
from trickle.ivm.facts import ColumnFacts

INTEGERS = frozenset({"smallint", "integer", "bigint"})
_MARK = ColumnFacts(0, "mark", "boolean", "boolean", not_null=True)


def not_null_columns(rel: Rel) -> frozenset[int]:
    """Numbers of output columns that cannot hold NULL."""
    match rel:
        case Scan(_, attributes):
            return frozenset(column.number for column, facts in attributes if facts.not_null)
        case Change(scan):
            return not_null_columns(scan) | {rel.weight.number}
        case Block(inputs, predicates, items):
            known = frozenset().union(*(not_null_columns(i) for i in inputs))
            for predicate in predicates:
                known |= frozenset(equated_columns(predicate) or ())
            return frozenset(i.column.number for i in items if i.value.column in known)
        case UnionAll(branches, outputs):
            per_branch = [not_null_columns(b) for b in branches]
            return frozenset(
                column.number
                for i, column in enumerate(outputs)
                if all(b.columns[i].number in known for b, known in zip(branches, per_branch, strict=True))
            )
        case Aggregate(child, keys):
            known = not_null_columns(child)
            return frozenset(k.column.number for k in keys if k.value.column in known)
        case Shared(_, _, child) | Window(child) | Copies(child) | Expand(child) | Wanted(child):
            return not_null_columns(child)
        case Mark(left, _, _, mark):
            return not_null_columns(left) | {mark.number}
        case OuterJoin(left, _, _, full):
            return frozenset() if full else not_null_columns(left)
        case Kept():
            return not_null_columns(rel.rel)
        case KeptBefore(kept) | KeptFirst(kept):
            return not_null_columns(kept)
        case KeptChange(kept, weight):
            return not_null_columns(kept) | {weight.number}
        case _:
            return frozenset()


def origins(rel: Rel) -> dict[int, ColumnFacts]:
    """Facts of output columns that are plain copies of a stored column."""
    match rel:
        case Scan(_, attributes):
            return {column.number: facts for column, facts in attributes}
        case Block(inputs, _, items):
            known: dict[int, ColumnFacts] = {}
            for i in inputs:
                known |= origins(i)
            return {
                item.column.number: known[item.value.column]
                for item in items
                if item.value.column is not None and item.value.column in known
            }
        case Aggregate(child, keys):
            known = origins(child)
            return {
                k.column.number: known[k.value.column]
                for k in keys
                if k.value.column is not None and k.value.column in known
            }
        case Mark(left, _, _, mark):
            return origins(left) | {mark.number: _MARK}
        case OuterJoin(left, right):
            return origins(left) | origins(right)
        case Kept(_, _, facts):
            return {column.number: found for column, found in zip(rel.columns, facts, strict=True)}
        case KeptBefore(kept) | KeptFirst(kept) | KeptChange(kept):
            return origins(kept)
        case Shared(_, _, child) | Window(child) | Copies(child) | Expand(child) | Wanted(child):
            return origins(child)
        case UnionAll():
            return _of_one_type(rel)
        case _:
            return {}


def _of_one_type(rel: UnionAll) -> dict[int, ColumnFacts]:
    """Facts of the columns that are known to have the same type in all branches: 7 / 2 is not 7.0 / 2."""
    known = [origins(branch) for branch in rel.branches]
    found: dict[int, ColumnFacts] = {}
    for place, output in enumerate(rel.outputs):
        columns = [facts.get(b.columns[place].number) for b, facts in zip(rel.branches, known, strict=True)]
        stored = [column for column in columns if column is not None]
        if len(stored) == len(columns) and len({column.type for column in stored}) == 1:
            found[output.number] = replace(stored[0], not_null=all(column.not_null for column in stored))
    return found


def input_keys(rel: Rel) -> list[frozenset[int]]:
    """Sets of columns that each identify a row of an input of a block."""
    match rel:
        case Scan(table, attributes):
            by_number = {facts.number: column.number for column, facts in attributes}
            if table.kind == "r" and table.has_children:
                return []
            return [frozenset(by_number[n] for n in key) for key in table.keys if all(n in by_number for n in key)]
        case Aggregate(_, keys, _, scalar):
            return [] if scalar else [frozenset(k.column.number for k in keys)]
        case Block():
            key = row_key(rel)
            outputs = {i.value.column: i.column.number for i in rel.items if i.value.column is not None}
            if key is None or not all(number in outputs for number in key):
                return []
            return [frozenset(outputs[number] for number in key)]
        case Mark(left) | Window(left):
            return input_keys(left)
        case Kept():
            return input_keys(rel.rel)
        case Wanted(groups):
            return input_keys(groups)
        case OuterJoin(left, right, predicates, full):
            return [] if full else _keys_kept(left, right, predicates)
        case _:
            return []


def _keys_kept(left: Rel, right: Rel, predicates: tuple[Scalar, ...]) -> list[frozenset[int]]:
    """The keys of the left side of a left join whose rows have at most one partner each."""
    own = input_keys(left)
    joined = row_key(Block((left, right), predicates, ()))
    return own if joined in own else []


def row_key(block: Block) -> frozenset[int] | None:
    """Smallest set of input columns found that identifies a row of the block, or None.

    A join's rows are identified by the keys of its inputs together; an input whose key is equated to columns
    of the others (a foreign key followed to its primary key) adds nothing and is left out.
    """
    chosen: list[frozenset[int]] = []
    for i in block.inputs:
        keys = input_keys(i)
        if not keys:
            return None
        chosen.append(min(keys, key=lambda k: (len(k), sorted(k))))
    equal = trusted_equalities(block.inputs, block.predicates)
    kept = list(range(len(chosen)))
    for candidate in reversed(range(len(chosen))):
        rest = [i for i in kept if i != candidate]
        start = frozenset().union(*(chosen[i] for i in rest))
        if rest and _determines_all(block, start, chosen, equal):
            kept = rest
    return frozenset().union(*(chosen[i] for i in kept))


def _determines_all(
    block: Block, start: frozenset[int], keys: list[frozenset[int]], equal: list[tuple[int, int]]
) -> bool:
    """Do the columns `start` fix every row of every input, following equalities and keys?"""
    known = set(start)
    determined: set[int] = set()
    growing = True
    while growing:
        growing = False
        for a, b in equal:
            if (a in known) != (b in known):
                known |= {a, b}
                growing = True
        for i, key in enumerate(keys):
            if i not in determined and key <= known:
                determined.add(i)
                known |= {column.number for column in block.inputs[i].columns}
                growing = True
    return len(determined) == len(keys)


def trusted_equalities(inputs: Sequence[Rel], predicates: Sequence[Scalar]) -> list[tuple[int, int]]:
    """Pairs of columns that `=` truly equates: geometric types have an `=` that is not equality."""
    facts: dict[int, ColumnFacts] = {}
    for i in inputs:
        facts |= origins(i)
    pairs = [pair for p in predicates if (pair := equated_columns(p)) is not None]
    return [(a, b) for a, b in pairs if a in facts and b in facts and _same_equality(facts[a], facts[b])]


def _same_equality(a: ColumnFacts, b: ColumnFacts) -> bool:
    if a.base_type in INTEGERS and b.base_type in INTEGERS:
        return True
    return a.base_type == b.base_type and a.comparable
