"""(a = b) IS NOT FALSE  =  (a = b), where neither a nor b can be NULL.

NOT IN asks whether a comparison may be true. Between columns that are never NULL it is an equality like any other,
which says whose partners a change concerns, and which PostgreSQL can hash and look up.
"""

from __future__ import annotations

from dataclasses import replace

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.pairing import Mark
from trickle.ivm.algebra.properties import not_null_columns
from trickle.ivm.algebra.relations import Rel
from trickle.ivm.algebra.scalars import Scalar, equated_columns
from trickle.ivm.algebra.walk import over


def plain_tests(rel: Rel) -> Rel:
    """Return an equal relation in which marks test for equality where they can."""
    if isinstance(rel, Mark):
        certain = not_null_columns(rel.left) | not_null_columns(rel.right)
        rel = replace(rel, predicates=tuple(_plain(predicate, certain) for predicate in rel.predicates))
    return over(rel, plain_tests)


def _plain(predicate: Scalar, certain: frozenset[int]) -> Scalar:
    test = predicate.node.boolean_test
    if predicate.node.WhichOneof("node") != "boolean_test" or test.booltesttype != pb.IS_NOT_FALSE:
        return predicate
    inside = Scalar(test.arg)
    return inside if set(equated_columns(inside) or ()) <= certain and equated_columns(inside) else predicate
