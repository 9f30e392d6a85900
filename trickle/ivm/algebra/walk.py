"""Walking relations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.keeping import Kept, KeptFirst
from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.pairing import Mark, OuterJoin, Wanted
from trickle.ivm.algebra.relations import (
    Aggregate,
    Block,
    Change,
    Copies,
    Filter,
    Join,
    Project,
    Rel,
    Scan,
    Shared,
    UnionAll,
)
from trickle.ivm.algebra.windows import Window


def children(rel: Rel) -> tuple[Rel, ...]:
    """The relations that an operator reads directly."""
    match rel:
        case (
            Filter(child)
            | Project(child)
            | Aggregate(child)
            | Window(child)
            | Expand(child)
            | Shared(child=child)
            | Copies(child)
            | Kept(rel=child)
            | Wanted(child)
            | KeptFirst(kept=child)
        ):
            return (child,)
        case Join(left, right) | Mark(left, right) | OuterJoin(left, right):
            return (left, right)
        case Opaque(inputs=inputs):
            return inputs
        case Block(inputs, gate=gate):
            return inputs if gate is None else (*inputs, gate)
        case UnionAll(branches):
            return branches
        case _:
            return ()


def over(rel: Rel, change: Callable[[Rel], Rel]) -> Rel:
    """The same operator of a query over other inputs: each is replaced by what `change` makes of it."""
    match rel:
        case Block(inputs):
            return replace(rel, inputs=tuple(change(i) for i in inputs))
        case UnionAll(branches):
            return replace(rel, branches=tuple(change(branch) for branch in branches))
        case Aggregate(child) | Window(child) | Expand(child) | Copies(child):
            return replace(rel, child=change(child))
        case Mark(left, right) | OuterJoin(left, right):
            return replace(rel, left=change(left), right=change(right))
        case _:
            return rel


def walk(rel: Rel) -> Iterator[Rel]:
    """`rel` and every relation below it."""
    stack = [rel]
    while stack:
        found = stack.pop()
        yield found
        stack.extend(children(found))


def source_of(rel: Rel) -> Rel:
    """What a block of one input, or a chain of such blocks, is made of."""
    while isinstance(rel, Block) and len(rel.inputs) == 1:
        rel = rel.inputs[0]
    return rel


def scans(rel: Rel) -> Iterator[Scan]:
    """Every scan below `rel`, also the ones whose changes are read."""
    for found in walk(rel):
        if isinstance(found, Scan):
            yield found
        if isinstance(found, Change):
            yield found.scan
