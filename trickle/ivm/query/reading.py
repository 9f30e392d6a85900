"""What every part of a reading needs, and how the parts that contain each other are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Rel
from trickle.ivm.algebra.scalars import Column, Scalar
from trickle.ivm.facts import Facts
from trickle.ivm.query.scope import Scope
from trickle.ivm.query.tied import Tied

Named = tuple[tuple[str, Column], ...]


@dataclass(frozen=True, slots=True)
class Cte:
    """A WITH query: its statement, its column names, and what it may itself refer to."""

    statement: pb.SelectStmt
    names: tuple[str, ...]
    visible: Mapping[str, Cte] = field(default_factory=dict)
    recursive: bool = False
    """It reads itself; the statement brings it along as a WITH query of its own."""
    rows: Rel | None = None
    """The rows it stands for, inside its own recursion."""


Ctes = Mapping[str, Cte]


@dataclass(frozen=True, slots=True)
class Reading:
    """What every part of a reading needs: the facts, the numbering, and how what it contains is read."""

    facts: Facts
    numbering: Numbering
    select: Callable[[Reading, pb.SelectStmt, Ctes], tuple[Rel, Named]]
    """A SELECT that stands for itself."""
    tied: Callable[[Reading, pb.SelectStmt, Ctes, Scope | None], Tied]
    """A SELECT inside another one."""
    conditions: Callable[[Reading, Rel, pb.Node, Scope, Ctes], tuple[Rel, tuple[Scalar, ...]]]
    """Filter a relation by a condition; what reads a row outside is returned."""
    whole: frozenset[str] = frozenset()
    """The names of items of FROM whose whole rows are read somewhere."""
