"""A column nobody reads is not computed, not captured and not compared.

Narrow rows make small change buffers, let more changes cancel, and keep capture cheap.
"""

from __future__ import annotations

from dataclasses import replace

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.pairing import Mark, OuterJoin
from trickle.ivm.algebra.relations import Aggregate, Block, Change, Copies, Rel, Scan, Shared, UnionAll, copy_of
from trickle.ivm.algebra.scalars import columns_of
from trickle.ivm.algebra.windows import Window


def prune_columns(rel: Rel, needed: frozenset[int] | None = None) -> Rel:
    """Return the relation with only the `needed` output columns (all, when None)."""
    if needed is None:
        needed = frozenset(column.number for column in rel.columns)
    match rel:
        case Scan(table, attributes, only):
            return Scan(table, tuple(a for a in attributes if a[0].number in needed), only)
        case Block(inputs, predicates, items):
            kept = tuple(item for item in items if item.column.number in needed)
            read = columns_of((*predicates, *(item.value for item in kept)))
            return Block(tuple(prune_columns(i, read) for i in inputs), predicates, kept)
        case UnionAll(branches, outputs):
            places = [i for i, column in enumerate(outputs) if column.number in needed]
            shown = [frozenset(b.columns[i].number for i in places) for b in branches]
            pruned = (_shown(prune_columns(b, read), read) for b, read in zip(branches, shown, strict=True))
            return UnionAll(tuple(pruned), tuple(outputs[i] for i in places))
        case Aggregate(child, keys, calls):
            kept_calls = tuple(call for call in calls if call.column.number in needed)
            read = columns_of((*(k.value for k in keys), *(c.value for c in kept_calls)))
            return replace(rel, child=prune_columns(child, read), calls=kept_calls)
        case Window(child, keys, calls, order):
            kept_calls = tuple(call for call in calls if call.column.number in needed)
            if not kept_calls:
                return prune_columns(child, needed)
            read = needed | columns_of((*(k.value for k in keys), *(c.value for c in kept_calls)))
            read |= order.columns if order is not None else frozenset()
            return _shown(Window(_read(child, read), keys, kept_calls, order), needed)
        case Expand(child, functions):
            return _shown(replace(rel, child=_read(child, needed | columns_of(functions))), needed)
        case Copies(child, weight):
            return _shown(Copies(_read(child, needed | {weight.number}), weight), needed)
        case Mark(left, _, _, mark) if mark.number not in needed:
            return prune_columns(left, needed)
        case Mark(left, right, predicates, mark):
            read = needed | columns_of(predicates)
            return _shown(Mark(_read(left, read), _read(right, read), predicates, mark), needed)
        case OuterJoin(left, right, predicates, full):
            read = needed | columns_of(predicates)
            return _shown(OuterJoin(_read(left, read), _read(right, read), predicates, full), needed)
        case Opaque():
            return _shown(rel, needed)
        case Change() | Shared():
            return rel
        case _:
            return rel


def _read(rel: Rel, read: frozenset[int]) -> Rel:
    return prune_columns(rel, read & {column.number for column in rel.columns})


def _shown(rel: Rel, needed: frozenset[int]) -> Rel:
    """Hide what only predicates read, and the keys of groups, which are never left out."""
    shown = tuple(copy_of(column) for column in rel.columns if column.number in needed)
    return rel if len(shown) == len(rel.columns) else Block((rel,), (), shown)
