"""What every alternative of a condition asks of one input is asked of that input by itself.

    σ_{(a ∧ x) ∨ (b ∧ y)}(R × S) = σ_{(a ∧ x) ∨ (b ∧ y)}(σ_{a ∨ b}R × S)       a, b over R alone

PostgreSQL finds this out for a query. A derivative joins its inputs one after another: without it a condition over the
first and the last of them filters nothing before the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.relations import Block, Rel
from trickle.ivm.algebra.scalars import Scalar, expression
from trickle.ivm.algebra.walk import over


def hoist_factors(rel: Rel) -> Rel:
    """Return an equal relation whose blocks ask of each input what all alternatives ask of it."""
    below = over(rel, hoist_factors)
    if not isinstance(rel, Block) or not isinstance(below, Block):
        return below
    factors = tuple(f for p in rel.predicates for i in rel.inputs if (f := _factor(p, i)) is not None)
    fresh = tuple(f for f in dict.fromkeys(factors) if f not in rel.predicates)
    return replace(below, predicates=(*rel.predicates, *fresh))


def _factor(predicate: Scalar, rel: Rel) -> Scalar | None:
    """a ∨ b, or None where some alternative asks nothing of the relation alone."""
    alternatives = _parts(predicate.node, pb.OR_EXPR)
    here = frozenset(column.number for column in rel.columns)
    if len(alternatives) < 2 or predicate.columns <= here:
        return None
    asked = [_over(_parts(alternative, pb.AND_EXPR), here) for alternative in alternatives]
    if not all(asked):
        return None
    return _joined([_joined(parts, "AND") for parts in asked], "OR")


def _over(parts: Sequence[pb.Node], columns: frozenset[int]) -> list[Scalar]:
    return [scalar for part in parts if (scalar := Scalar(part)).columns and scalar.columns <= columns]


def _parts(node: pb.Node, operator: int) -> list[pb.Node]:
    if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == operator:
        return [part for argument in node.bool_expr.args for part in _parts(argument, operator)]
    return [node]


def _joined(parts: Sequence[Scalar], word: str) -> Scalar:
    names = {f"p{i}": part for i, part in enumerate(parts)}
    return expression(f" {word} ".join(names), **names) if len(parts) > 1 else parts[0]
