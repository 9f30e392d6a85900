"""`x > a`: a column on one side, on the other what is computed of totals. An index finds the rows between two totals.

    { x | (x > a) ≠ (x > b) }  =  { x | least(a, b) < x ≤ greatest(a, b) }          a, b not NULL

Only for types with one order, which no collation changes; the totals may be of another type that is ordered alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.scalars import Scalar, column_number, expression, is_numbered
from trickle.ivm.facts import ColumnFacts

ORDERED = frozenset(
    {"smallint", "integer", "bigint", "numeric", "real", "double precision", "date"}
    | {"timestamp with time zone", "timestamp without time zone"}
)
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NEGATED = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True, slots=True)
class Bound:
    """`value operator total`, where the value is a column of an ordered type."""

    value: Scalar
    operator: str
    total: Scalar

    def between(self, one: Scalar, other: Scalar) -> tuple[Scalar, Scalar]:
        """What holds of every row that passes with just one of two totals, neither of which is NULL."""
        near, far = ("least", "greatest") if self.operator[0] == ">" else ("greatest", "least")
        parts = {"x": self.value, "a": one, "b": other}
        return (
            expression(f"x {self.operator} {near}(a, b)", **parts),
            expression(f"x {_NEGATED[self.operator]} {far}(a, b)", **parts),
        )


def bound(predicate: Scalar, totals: frozenset[int], known: Mapping[int, ColumnFacts]) -> Bound | None:
    """Read a predicate as a bound by totals, whose columns are given; `known` are the facts of stored columns."""
    node = predicate.node.a_expr
    if predicate.node.WhichOneof("node") != "a_expr" or node.kind != pb.AEXPR_OP or len(node.name) != 1:
        return None
    operator = node.name[0].string.sval
    if operator not in _MIRRORED:
        return None
    for value, total, name in (
        (node.lexpr, Scalar(node.rexpr), operator),
        (node.rexpr, Scalar(node.lexpr), _MIRRORED[operator]),
    ):
        facts = known.get(column_number(value)) if is_numbered(value) else None
        if facts is not None and facts.base_type in ORDERED and total.columns and total.columns <= totals:
            return Bound(Scalar(value), name, total)
    return None
