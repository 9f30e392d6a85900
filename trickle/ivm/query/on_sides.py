"""Subqueries in the condition of an outer join, answered for the rows of the side that they read.

    L ⟕ R ON p(L, R, S)  =  L ⟕ R′ ON p(L, R, answer)          R′: R with the answer of S for each of its rows

A row that finds no partner is kept whatever S says, so the answer has to be known before the join.
"""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.relations import Rel
from trickle.ivm.algebra.scalars import Scalar, columns_of, conjuncts
from trickle.ivm.query.asked import answered
from trickle.ivm.query.conditions import deferred
from trickle.ivm.query.reading import Ctes, Reading
from trickle.ivm.query.scope import Scope


def on_sides(
    reading: Reading, left: Rel, right: Rel, condition: pb.Node, scope: Scope, ctes: Ctes
) -> tuple[Rel, Rel, tuple[Scalar, ...]]:
    """Read the condition of an outer join.

    Returns:
        Both sides, with a column for each subquery that reads no more than one of them, and the parts of the condition.
    """
    tests, asked = deferred(reading, [condition], scope, ctes)
    for one in asked:
        outside = columns_of(one.parts) - _numbers(one.inner.rel)
        if outside <= _numbers(right):
            right, tests = answered(right, tests, [one], reading.numbering)
        elif outside <= _numbers(left):
            left, tests = answered(left, tests, [one], reading.numbering)
        else:
            raise Unsupported("a subquery over both sides of an outer join, in its condition, has no delta rule yet")
    return left, right, tuple(part for test in tests for part in conjuncts(test))


def _numbers(rel: Rel) -> frozenset[int]:
    return frozenset(column.number for column in rel.columns)
