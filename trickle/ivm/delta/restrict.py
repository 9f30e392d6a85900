"""R|S: the rows of a relation, as it is now, whose key stands in a small set S; NULL is a key value like any other.

    (σ π ⋈ …)|S        = σ π (… ⋈ S)
    (J ⋈ γ_k(C))|S     = J|S ⋈ γ_k(C|S')       S': the values of k that S, or what S leaves of J, can meet
    (L ⟕ R)|S          = L|S ⟕ R'              S over columns of L; R': of the groups in R, those that L|S can meet

The filter is one more input of the block, so PostgreSQL may start from S and follow indexes. It would still compute a
subquery with GROUP BY whole, so the filter is taken below groups and partitions, and through what joins them.

`IS NOT DISTINCT FROM` can use neither hash joins nor indexes: where a key may be NULL there are two arms, one for keys
that are all present, which meet by `=`, and one for keys with a NULL, which is not even started when S has none. A row
of NULLs is such a key only where it is NULL itself: `IS NULL` would take it for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.pairing import Mark, OuterJoin, Wanted
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.relations import Aggregate, Block, Item, Rel, Shared, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Column, Scalar, equated_columns, expression, reference, substitute
from trickle.ivm.algebra.walk import walk
from trickle.ivm.algebra.windows import Window


@dataclass(frozen=True, slots=True)
class Restriction:
    """One key column: its value over the restricted relation, and the column of S it has to meet."""

    value: Scalar
    wanted: Column
    nullable: bool


def restrict(
    child: Rel, keys: Sequence[Restriction], among: Rel, numbering: Numbering, passed: Sequence[Column] = ()
) -> Rel:
    """Return the rows of `child` whose keys stand in `among`, with the columns `passed` of it added."""
    arms: list[Rel] = [_arm(child, keys, among, numbering, passed, nulls=False)]
    if any(key.nullable for key in keys):
        arms.append(_arm(child, keys, among, numbering, passed, nulls=True))
    return arms[0] if len(arms) == 1 else UnionAll(tuple(arms), arms[0].columns)


def _arm(
    child: Rel,
    keys: Sequence[Restriction],
    among: Rel,
    numbering: Numbering,
    passed: Sequence[Column],
    *,
    nulls: bool,
) -> Block:
    block = as_block(child)
    values = {item.column.number: item.value for item in block.items}
    meetings = [_meeting(key, substitute(key.value, values), null_safe=nulls and key.nullable) for key in keys]
    inputs = block.inputs
    gate: Rel | None = None
    if nulls:
        absent = _any_null([key.wanted for key in keys if key.nullable])
        meetings.append(absent)
        gate = Block((among,), (absent,), ())
    else:
        inputs = tuple(narrowed(i, among, meetings, numbering) for i in inputs)
    return Block(
        (*inputs, among),
        (*block.predicates, *meetings),
        (*block.items, *(copy_of(column) for column in passed)),
        gate,
    )


def narrowed(rel: Rel, change: Rel, predicates: Sequence[Scalar], numbering: Numbering) -> Rel:
    """Return `rel` without groups that no row of `change` can meet by `predicates`; others stay as they are."""
    if not grouped(rel):
        return rel
    match rel:
        case Wanted(groups):
            return narrowed(groups, change, predicates, numbering)
        case Aggregate(_, keys) | Window(_, keys) if keys:
            return _narrowed_groups(rel, change, predicates, numbering)
        case Block(inputs, gate=None):
            values = {item.column.number: item.value for item in rel.items}
            inside = [substitute(p, values) for p in predicates]
            return replace(rel, inputs=tuple(narrowed(i, change, inside, numbering) for i in inputs))
        case Mark(left) | OuterJoin(left, full=False):
            kept = _restricted_by(left, change, predicates, numbering)
            if kept is None:
                return rel
            kept = Shared("rows_met", "the rows that the change can meet", kept)
            return replace(rel, left=kept, right=narrowed(rel.right, kept, rel.predicates, numbering))
        case _:
            return rel


def _narrowed_groups(rel: Aggregate | Window, change: Rel, predicates: Sequence[Scalar], numbering: Numbering) -> Rel:
    shown = {column.number for column in rel.columns}
    keys = {number: key for key in rel.keys for number in (key.column.number, key.value.column) if number in shown}
    met = equated_to(frozenset(number for number in keys if number is not None), change, predicates)
    if not met:
        return rel
    wanted = _wanted(list(met.values()), change, numbering)
    restrictions = [
        Restriction(keys[number].value, column, nullable=False)
        for number, column in zip(met, wanted.columns, strict=True)
    ]
    rows = restrict(rel.child, restrictions, wanted, numbering)
    return Window(rows, rel.keys, rel.calls, rel.order) if isinstance(rel, Window) else replace(rel, child=rows)


def _restricted_by(rel: Rel, change: Rel, predicates: Sequence[Scalar], numbering: Numbering) -> Rel | None:
    """The rows that the change can meet, or None where nothing is equated."""
    met = equated_to(frozenset(column.number for column in rel.columns), change, predicates)
    if not met:
        return None
    wanted = _wanted(list(met.values()), change, numbering)
    restrictions = [
        Restriction(reference(number), column, nullable=False)
        for number, column in zip(met, wanted.columns, strict=True)
    ]
    return restrict(rel, restrictions, wanted, numbering)


def equated_to(columns: frozenset[int], change: Rel, predicates: Sequence[Scalar]) -> dict[int, int]:
    """Which of the columns a predicate equates to a column of the change. `=` never meets a NULL."""
    available = {column.number for column in change.columns}
    met: dict[int, int] = {}
    for predicate in predicates:
        a, b = equated_columns(predicate) or (0, 0)
        for here, there in ((a, b), (b, a)):
            if here in columns and there in available:
                met.setdefault(here, there)
    return met


def _wanted(numbers: Sequence[int], change: Rel, numbering: Numbering) -> Shared:
    """The distinct values of some columns of the change."""
    names = {column.number: column for column in change.columns}
    items = tuple(Item(numbering.like(names[number]), reference(number)) for number in numbers)
    return Shared("wanted_keys", "values that the change can meet", Aggregate(change, items, ()))


def grouped(rel: Rel) -> bool:
    """Would PostgreSQL compute some part of it whole, whatever it is joined with?"""
    return any(isinstance(found, (Aggregate, Window)) and found.keys for found in walk(rel))


def _meeting(key: Restriction, value: Scalar, *, null_safe: bool) -> Scalar:
    test = "a = b OR (a IS NOT DISTINCT FROM NULL AND b IS NOT DISTINCT FROM NULL)" if null_safe else "a = b"
    return expression(test, a=value, b=reference(key.wanted))


def _any_null(columns: Sequence[Column]) -> Scalar:
    absent = expression("a IS NOT DISTINCT FROM NULL", a=reference(columns[0]))
    for column in columns[1:]:
        absent = expression("p OR a IS NOT DISTINCT FROM NULL", p=absent, a=reference(column))
    return absent
