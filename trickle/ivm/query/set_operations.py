"""UNION, INTERSECT, EXCEPT and VALUES.

VALUES (a), (b)      the union of rows that read nothing
A UNION ALL B        A ⊎ B
A UNION B            distinct (A ⊎ B)
A INTERSECT B        rows by how often each stands in A and in B: once where both counts are above 0
  … ALL              as often as the lesser of the counts
A EXCEPT B           once where A's count is above 0 and B's is 0
  … ALL              as often as A's count exceeds B's
"""

from __future__ import annotations

from collections.abc import Sequence

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import (
    Aggregate,
    Block,
    Call,
    Copies,
    Filter,
    Item,
    Project,
    Rel,
    UnionAll,
    copy_of,
)
from trickle.ivm.algebra.scalars import Column, Scalar, expression, reference

_COPIES = {pb.SETOP_INTERSECT: "LEAST(a, b)", pb.SETOP_EXCEPT: "a - b"}
_PRESENT = {pb.SETOP_INTERSECT: "a > 0 AND b > 0", pb.SETOP_EXCEPT: "a > 0 AND b = 0"}


def distinct(child: Rel, numbering: Numbering) -> Rel:
    """Each row once."""
    return Aggregate(child, tuple(Item(numbering.like(c), reference(c)) for c in child.columns), ())


def set_operation(select: pb.SelectStmt, left: Rel, right: Rel, names: Sequence[str], numbering: Numbering) -> Rel:
    """The rows of two queries put together as `select` says."""
    outputs = tuple(numbering.column(name) for name in names)
    if select.op == pb.SETOP_UNION:
        union = UnionAll((left, right), outputs)
        return union if select.all else distinct(union, numbering)
    counted, here, there = _counted(left, right, outputs, numbering)
    counts = {"a": reference(here), "b": reference(there)}
    kept = tuple(column for column in counted.columns if column not in (here, there))
    if select.all:
        copies = Item(numbering.column("copies"), expression(_COPIES[select.op], **counts))
        rows = Project(counted, (*(copy_of(column) for column in kept), copies))
        return Copies(rows, copies.column)
    present = Filter(counted, (expression(_PRESENT[select.op], **counts),))
    return Project(present, tuple(copy_of(column) for column in kept))


def _counted(left: Rel, right: Rel, outputs: tuple[Column, ...], numbering: Numbering) -> tuple[Rel, Column, Column]:
    """Each distinct row with how often it stands on the left and on the right."""
    sides = (numbering.column("left"), numbering.column("right"))
    branches = tuple(
        Project(
            side,
            (
                *(Item(numbering.like(column), reference(column)) for column in side.columns),
                *(Item(numbering.like(count), expression(one)) for count, one in zip(sides, ones, strict=True)),
            ),
        )
        for side, ones in ((left, ("1", "0")), (right, ("0", "1")))
    )
    both = UnionAll(branches, (*outputs, *sides))
    keys = tuple(Item(numbering.like(column), reference(column)) for column in outputs)
    calls = tuple(Call(numbering.like(side), expression("sum(n)", n=reference(side))) for side in sides)
    return Aggregate(both, keys, calls), calls[0].column, calls[1].column


def values(rows: Sequence[Sequence[Scalar]], numbering: Numbering) -> Rel:
    """VALUES: rows that stand in the query itself."""
    nothing = Block((), (), ())
    outputs = tuple(numbering.column(f"column{i + 1}") for i in range(len(rows[0])))
    branches = tuple(
        Project(nothing, tuple(Item(numbering.like(o), value) for o, value in zip(outputs, row, strict=True)))
        for row in rows
    )
    return UnionAll(branches, outputs)
