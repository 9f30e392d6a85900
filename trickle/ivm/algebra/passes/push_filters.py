"""A condition goes down to where the rows it reads come from.

    σ_p(Mark(L, R))        = Mark(σ_p L, R)               p reads L alone; likewise a left join, and Expand
    σ_p(γ_k(C))            = γ_k(σ_p C)                   p reads keys alone; likewise a window, its partition
    σ_p(A ⊎ B)             = σ_p A ⊎ σ_p B                p reads columns that have one type in A and B

PostgreSQL would do the same to a query. A derivative is made of pieces of the query, each of them read by itself: what
has been filtered before it was taken apart is filtered in all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.pairing import Mark, OuterJoin
from trickle.ivm.algebra.passes.fuse_blocks import fuse_blocks
from trickle.ivm.algebra.properties import origins
from trickle.ivm.algebra.relations import Aggregate, Block, Filter, Rel, UnionAll
from trickle.ivm.algebra.scalars import Scalar, reference, substitute
from trickle.ivm.algebra.walk import over
from trickle.ivm.algebra.windows import Window


def push_filters(rel: Rel) -> Rel:
    """Return an equal relation, fused like `rel`, whose conditions stand as low as they can."""
    match rel:
        case Block(inputs, predicates):
            places = [_place(predicate, inputs) for predicate in predicates]
            pushed = [
                [p for p, place in zip(predicates, places, strict=True) if place == number]
                for number in range(len(inputs))
            ]
            below = tuple(
                push_filters(_filtered(i, tests) if tests else i) for i, tests in zip(inputs, pushed, strict=True)
            )
            kept = tuple(p for p, place in zip(predicates, places, strict=True) if place is None)
            return replace(rel, inputs=below, predicates=kept)
        case _:
            return over(rel, push_filters)


def _place(predicate: Scalar, inputs: Sequence[Rel]) -> int | None:
    """The input that the predicate can go down into, if there is one."""
    for number, rel in enumerate(inputs):
        if predicate.columns and predicate.columns <= _sinking(rel):
            return number
    return None


def _sinking(rel: Rel) -> frozenset[int]:
    """The columns of a relation that a condition on it may read and still go below it."""
    match rel:
        case UnionAll():
            return frozenset(origins(rel))
        case Mark(left):
            return _numbers(left)
        case OuterJoin(left):
            return frozenset() if rel.full else _numbers(left)
        case Expand(child):
            return _numbers(child)
        case Window(_, keys):
            return frozenset(key.value.column for key in keys if key.value.column is not None)
        case Aggregate(_, keys):
            return frozenset(key.column.number for key in keys)
        case _:
            return frozenset()


def _filtered(rel: Rel, tests: Sequence[Scalar]) -> Rel:
    """σ_tests(rel), with the tests below `rel`."""
    match rel:
        case UnionAll(branches, outputs):
            filtered = []
            for branch in branches:
                names = {o.number: reference(c) for o, c in zip(outputs, branch.columns, strict=True)}
                filtered.append(_where(branch, [substitute(test, names) for test in tests]))
            return replace(rel, branches=tuple(filtered))
        case Mark(left) | OuterJoin(left):
            return replace(rel, left=_where(left, tests))
        case Aggregate(child, keys):
            values = {key.column.number: key.value for key in keys}
            return replace(rel, child=_where(child, [substitute(test, values) for test in tests]))
        case Window(child) | Expand(child):
            return replace(rel, child=_where(child, tests))
        case _:
            return Filter(rel, tuple(tests))


def _where(rel: Rel, tests: Sequence[Scalar]) -> Rel:
    return fuse_blocks(Filter(rel, tuple(tests)))


def _numbers(rel: Rel) -> frozenset[int]:
    return frozenset(column.number for column in rel.columns)
