"""R|S: the rows of a relation, as it is now, whose key stands in a small set S; NULL is a key value like any other.

    (σ π ⋈ …)|S = σ π (… ⋈ S)

The filter is one more input of the block, so PostgreSQL may start from S and follow indexes. `IS NOT DISTINCT FROM`
can use neither hash joins nor indexes: where a key may be NULL there are two arms, one for keys that are all
present, which meet by `=`, and one for keys with a NULL, which is not even started when S has none. A row of NULLs is
such a key only where it is NULL itself: `IS NULL` would take it for one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.relations import Block, Rel, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Column, Scalar, expression, reference, substitute


@dataclass(frozen=True, slots=True)
class Restriction:
    """One key column: its value over the restricted relation, and the column of S it has to meet."""

    value: Scalar
    wanted: Column
    nullable: bool


def restrict(child: Rel, keys: Sequence[Restriction], among: Rel, passed: Sequence[Column] = ()) -> Rel:
    """Return the rows of `child` whose keys stand in `among`, with the columns `passed` of it added."""
    arms: list[Rel] = [_arm(child, keys, among, passed, nulls=False)]
    if any(key.nullable for key in keys):
        arms.append(_arm(child, keys, among, passed, nulls=True))
    return arms[0] if len(arms) == 1 else UnionAll(tuple(arms), arms[0].columns)


def _arm(child: Rel, keys: Sequence[Restriction], among: Rel, passed: Sequence[Column], *, nulls: bool) -> Block:
    block = as_block(child)
    values = {item.column.number: item.value for item in block.items}
    meetings = [_meeting(key, substitute(key.value, values), null_safe=nulls and key.nullable) for key in keys]
    gate: Rel | None = None
    if nulls:
        absent = _any_null([key.wanted for key in keys if key.nullable])
        meetings.append(absent)
        gate = Block((among,), (absent,), ())
    return Block(
        (*block.inputs, among),
        (*block.predicates, *meetings),
        (*block.items, *(copy_of(column) for column in passed)),
        gate,
    )


def _meeting(key: Restriction, value: Scalar, *, null_safe: bool) -> Scalar:
    test = "a = b OR (a IS NOT DISTINCT FROM NULL AND b IS NOT DISTINCT FROM NULL)" if null_safe else "a = b"
    return expression(test, a=value, b=reference(key.wanted))


def _any_null(columns: Sequence[Column]) -> Scalar:
    absent = expression("a IS NOT DISTINCT FROM NULL", a=reference(columns[0]))
    for column in columns[1:]:
        absent = expression("p OR a IS NOT DISTINCT FROM NULL", p=absent, a=reference(column))
    return absent
