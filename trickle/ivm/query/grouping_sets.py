"""GROUP BY with GROUPING SETS, ROLLUP and CUBE, taken apart into plain sets of expressions.

GROUP BY a, b                 one set: {a, b}
ROLLUP (a, b)                 {a, b}, {a}, {}
CUBE (a, b)                   {a, b}, {a}, {b}, {}
GROUPING SETS (a, (b, c))     {a}, {b, c}
several of them               every combination
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

from postgast import pg_query_pb2 as pb


@dataclass(frozen=True, slots=True)
class GroupBy:
    """The expressions of a GROUP BY clause, and the sets of them, by place, that rows are grouped by.

    With `distinct`, sets of the same expressions count once.
    """

    expressions: tuple[pb.Node, ...]
    sets: tuple[tuple[int, ...], ...]
    distinct: bool


def group_by(select: pb.SelectStmt) -> GroupBy:
    """Read the GROUP BY clause of a SELECT; without one there is a single empty set."""
    leaves: list[pb.Node] = []
    alternatives = [_sets(node, leaves) for node in select.group_clause]
    sets = [tuple(sorted({place for part in choice for place in part})) for choice in product(*alternatives)]
    return GroupBy(tuple(leaves), tuple(sets), select.group_distinct)


def _sets(node: pb.Node, leaves: list[pb.Node]) -> list[tuple[int, ...]]:
    """The alternatives that one item of the clause stands for."""
    if node.WhichOneof("node") != "grouping_set":
        return [_columns(node, leaves)]
    content = node.grouping_set.content
    match node.grouping_set.kind:
        case pb.GROUPING_SET_EMPTY:
            return [()]
        case pb.GROUPING_SET_ROLLUP:
            parts = [_columns(part, leaves) for part in content]
            return [_joined(parts[:length]) for length in range(len(parts), -1, -1)]
        case pb.GROUPING_SET_CUBE:
            parts = [_columns(part, leaves) for part in content]
            lengths = range(len(parts), -1, -1)
            return [_joined(chosen) for length in lengths for chosen in combinations(parts, length)]
        case _:
            return [alternative for part in content for alternative in _sets(part, leaves)]


def _columns(node: pb.Node, leaves: list[pb.Node]) -> tuple[int, ...]:
    """The places of an expression, or of the several in parentheses that count as one."""
    row = node.WhichOneof("node") == "row_expr" and node.row_expr.row_format == pb.COERCE_IMPLICIT_CAST
    parts = list(node.row_expr.args) if row else [node]
    leaves.extend(parts)
    return tuple(range(len(leaves) - len(parts), len(leaves)))


def _joined(parts: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(place for part in parts for place in part)
