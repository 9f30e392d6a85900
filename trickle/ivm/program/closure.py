"""A recursion under UNION taken apart: R = B ∪ S(R), where S says of each row of R by itself which rows follow from it.

So it is where S reaches R through joins, the left sides of EXISTS, NOT EXISTS and left joins, and once: a row more or
less in R then changes S(R) by what follows from that row. And where S and B neither group nor rank nor stand as text,
each of them is answered for a few rows by looking these up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trickle.ivm.algebra.numbering import STORED
from trickle.ivm.algebra.pairing import Mark, OuterJoin
from trickle.ivm.algebra.passes import fuse_blocks, hoist_factors, plain_tests, prune_columns, push_filters
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.properties import not_null_columns
from trickle.ivm.algebra.relations import Aggregate, Block, Item, Project, Rel, Scan, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Column, Scalar, reference
from trickle.ivm.algebra.walk import over, walk
from trickle.ivm.facts import ColumnFacts, RelationFacts
from trickle.ivm.program.linear import met_columns, recursion_of
from trickle.ivm.program.parts import Root

_WITHOUT_COLLATION = frozenset({"numeric", "real", "double precision", "interval", "json", "jsonb"})
"""Types of values that may be equal and look different, and of which no text column takes over that it is so."""


@dataclass(frozen=True, slots=True)
class Closure:
    """B and S, and the columns of R as S reads them and as the root reads them."""

    base: Rel
    step: Rel
    again: tuple[Column, ...]
    shown: tuple[Column, ...]
    rows: Rel
    """What stands for R in S."""
    certain: frozenset[int]
    """Columns of R, as S reads them, that are never NULL."""

    @property
    def met(self) -> tuple[int, ...]:
        """The columns of R by which the step meets other rows."""
        return met_columns(self.again, self.step)

    @property
    def passed(self) -> tuple[int, ...]:
        """The columns of R that the step hands on as they are."""
        values = {item.column.number: item.value.column for item in as_block(self.step).items}
        pairs = zip(self.again, self.step.columns, strict=True)
        return tuple(column.number for column, to in pairs if values[to.number] == column.number)

    def as_again(self) -> dict[int, Scalar]:
        """The columns of R as the root reads them, in those that S reads."""
        return {there.number: reference(here) for there, here in zip(self.shown, self.again, strict=True)}

    def follow(self, rows: Rel, outputs: Sequence[Column], besides: tuple[Column, ...] = ()) -> Block:
        """S of some rows, which have the columns of R; beside each row, what the one it follows from has in others."""
        step = _over(self.step, self.rows, rows, besides)
        items = (Item(to, reference(column)) for to, column in zip(outputs, self.step.columns, strict=True))
        return as_block(fuse_blocks(Project(step, (*items, *(copy_of(column) for column in besides)))))


def closure(root: Root) -> Closure | None:
    """The recursion under UNION whose columns a root shows, or None where it is something else."""
    found = recursion_of(root)
    if found is None or not found[1].distinct:
        return None
    rel, known = found
    base, step = _prepared(known.base), _prepared(known.step)
    if isinstance(base, Aggregate) and not base.calls:
        base = Block((base.child,), (), base.keys)
    light = all(_is_light(part) for part in (*walk(base), *walk(step)) if part is not known.again)
    if not light or not _follows(step, known.again):
        return None
    made = Closure(base, step, known.again.columns, rel.outputs, known.again, frozenset())
    return replace(made, certain=_certain(made))


def _certain(found: Closure) -> frozenset[int]:
    """What is not NULL in B, nor in S of rows of which it is not NULL, is not NULL in R."""
    first = not_null_columns(found.base)
    certain = frozenset(to.number for to, c in zip(found.again, found.base.columns, strict=True) if c.number in first)
    while True:
        facts = (ColumnFacts(0, c.name, "", "", not_null=c.number in certain) for c in found.again)
        rows = Scan(RelationFacts(STORED, "", "", "r"), tuple(zip(found.again, facts, strict=True)))
        kept = certain & not_null_columns(found.follow(rows, found.again))
        if kept == certain:
            return certain
        certain = kept


def _prepared(rel: Rel) -> Rel:
    return prune_columns(plain_tests(push_filters(hoist_factors(fuse_blocks(rel)))))


def _follows(rel: Rel, again: Rel) -> bool:
    """Does each row follow from one row of R, whatever the others are?"""
    match rel:
        case Block(inputs, gate=None):
            among = [i for i in inputs if _reads(i, again)]
            return len(among) == 1 and _follows(among[0], again)
        case Mark(left, right) | OuterJoin(left, right, full=False):
            return not _reads(right, again) and _follows(left, again)
        case _:
            return rel is again


def _reads(rel: Rel, again: Rel) -> bool:
    return any(found is again for found in walk(rel))


def _is_light(rel: Rel) -> bool:
    """Is it found row by row? And do equal texts of it look the same?"""
    if isinstance(rel, Scan):
        return all(
            (c.comparable and c.equal_is_identical) or c.base_type in _WITHOUT_COLLATION for _, c in rel.attributes
        )
    return isinstance(rel, (Block, UnionAll, Mark, OuterJoin))


def _over(rel: Rel, again: Rel, rows: Rel, besides: tuple[Column, ...]) -> Rel:
    """The same with `rows` in place of R, passing on the columns `besides` of theirs."""
    if rel is again:
        return rows
    made = over(rel, lambda below: _over(below, again, rows, besides) if _reads(below, again) else below)
    if not isinstance(made, Block):
        return made
    return replace(made, items=(*made.items, *(copy_of(column) for column in besides)))
