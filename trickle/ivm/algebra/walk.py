"""Walking relations."""

from __future__ import annotations

from collections.abc import Iterator

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.keeping import Kept, KeptFirst
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
        case Block(inputs, gate=gate):
            return inputs if gate is None else (*inputs, gate)
        case UnionAll(branches):
            return branches
        case _:
            return ()


def walk(rel: Rel) -> Iterator[Rel]:
    """`rel` and every relation below it."""
    stack = [rel]
    while stack:
        found = stack.pop()
        yield found
        stack.extend(children(found))


def scans(rel: Rel) -> Iterator[Scan]:
    """Every scan below `rel`, also the ones whose changes are read."""
    for found in walk(rel):
        if isinstance(found, Scan):
            yield found
        if isinstance(found, Change):
            yield found.scan
