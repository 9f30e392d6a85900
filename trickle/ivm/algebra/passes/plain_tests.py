"""(a = b) IS NOT FALSE  =  (a = b), where neither a nor b can be NULL.

NOT IN asks whether a comparison may be true. Between columns that are never NULL it is an equality like any other,
which says whose partners a change concerns, and which PostgreSQL can hash and look up.
"""

from __future__ import annotations

from dataclasses import replace

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.pairing import Mark, OuterJoin
from trickle.ivm.algebra.properties import not_null_columns
from trickle.ivm.algebra.relations import Aggregate, Block, Copies, Rel, UnionAll
from trickle.ivm.algebra.scalars import Scalar, equated_columns
from trickle.ivm.algebra.windows import Window


def plain_tests(rel: Rel) -> Rel:
    """Return an equal relation in which marks test for equality where they can."""
    match rel:
        case Block(inputs):
            return replace(rel, inputs=tuple(plain_tests(i) for i in inputs))
        case UnionAll(branches):
            return replace(rel, branches=tuple(plain_tests(branch) for branch in branches))
        case Aggregate(child) | Window(child) | Expand(child) | Copies(child):
            return replace(rel, child=plain_tests(child))
        case OuterJoin(left, right):
            return replace(rel, left=plain_tests(left), right=plain_tests(right))
        case Mark(left, right, predicates):
            certain = not_null_columns(left) | not_null_columns(right)
            tests = tuple(_plain(predicate, certain) for predicate in predicates)
            return replace(rel, left=plain_tests(left), right=plain_tests(right), predicates=tests)
        case _:
            return rel


def _plain(predicate: Scalar, certain: frozenset[int]) -> Scalar:
    test = predicate.node.boolean_test
    if predicate.node.WhichOneof("node") != "boolean_test" or test.booltesttype != pb.IS_NOT_FALSE:
        return predicate
    inside = Scalar(test.arg)
    return inside if set(equated_columns(inside) or ()) <= certain and equated_columns(inside) else predicate
