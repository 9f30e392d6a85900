"""A subquery in an expression, read and not yet answered.

It stands in the expression as a parameter. Where rows are grouped, everything it reads of a row outside is rewritten
with the expression itself, and it is answered for the groups: `HAVING sum(x) > (SELECT …)` asks once for each group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Rel
from trickle.ivm.algebra.scalars import Scalar, replace_matching, tree_key
from trickle.ivm.query.sublinks import value
from trickle.ivm.query.tied import Tied


@dataclass(frozen=True, slots=True)
class Asked:
    """A subquery, what is compared with it, and the parameter that stands for its answer."""

    parameter: bytes
    link: pb.SubLink
    tested: tuple[Scalar, ...]
    inner: Tied

    @property
    def parts(self) -> tuple[Scalar, ...]:
        """All that may read the row outside."""
        return (*self.tested, *self.inner.ties, *(() if self.inner.calls else self.inner.targets))

    def rewritten(self, parts: Sequence[Scalar]) -> Asked:
        """The same subquery with its parts over other columns."""
        tests, ties = len(self.tested), len(self.inner.ties)
        inner = replace(self.inner, ties=tuple(parts[tests : tests + ties]))
        if not inner.calls:
            named = zip((name for name, _ in inner.outputs), parts[tests + ties :], strict=True)
            inner = replace(inner, outputs=tuple(named))
        return replace(self, tested=tuple(parts[:tests]), inner=inner)


def parts_of(asked: Sequence[Asked]) -> list[Scalar]:
    """The parts of several subqueries, one after another."""
    return [part for one in asked for part in one.parts]


def all_rewritten(asked: Sequence[Asked], parts: Sequence[Scalar]) -> list[Asked]:
    """Undo `parts_of` for parts that were rewritten."""
    found: list[Asked] = []
    start = 0
    for one in asked:
        found.append(one.rewritten(parts[start : start + len(one.parts)]))
        start += len(one.parts)
    return found


def answered(
    rel: Rel, values: Sequence[Scalar], asked: Sequence[Asked], numbering: Numbering
) -> tuple[Rel, list[Scalar]]:
    """Add a column to `rel` for each subquery, and read it in the values."""
    answers: dict[bytes, Scalar] = {}
    for one in asked:
        rel, answer = value(rel, one.link, one.tested, one.inner, numbering)
        answers[one.parameter] = answer
    return rel, [replace_matching(v, answers) if answers else v for v in values]


def parameter(part: pb.Node, number: int) -> bytes:
    """Put a parameter in the place of a subquery."""
    part.param_ref.number = number
    return tree_key(part)
