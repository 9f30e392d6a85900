"""The operators, as frozen values over bags with weights.

    Scan                       the rows of a base table or stream table, as the statement sees them (new)
    Filter, Project, Join      as read from the query; fused into Block before anything is derived
    Block                      π_items (σ_predicates (input₁ × … × inputₙ)): one flat SELECT
    UnionAll                   bags added up, columns matched by position
    Aggregate                  one row per distinct value of the keys; without keys exactly one row
    Change                     leaf of a derivative: the signed rows of a Scan's table since the frontier
    Shared                     a relation computed once per statement and read in several places (a CTE)
    Given                      leaf: the rows of a CTE written by the program itself
    Copies                     signed rows with positive weights → the bag they stand for

A constructor refuses a column that its inputs do not have and names those that exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from trickle.errors import Ours
from trickle.ivm.algebra.scalars import Column, Scalar, reference
from trickle.ivm.facts import ColumnFacts, RelationFacts


@dataclass(frozen=True, slots=True)
class Item:
    """An output column and the expression that computes it."""

    column: Column
    value: Scalar


def copy_of(column: Column) -> Item:
    """Item that passes a column through unchanged."""
    return Item(column, reference(column))


@dataclass(frozen=True, slots=True)
class Rel:
    """Base of all operators."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """Output columns in order."""
        raise Ours(f"{type(self).__name__} does not say what its columns are")


@dataclass(frozen=True, slots=True)
class Scan(Rel):
    """Rows of a stored relation; `attributes` pairs each output column with the table's column."""

    table: RelationFacts
    attributes: tuple[tuple[Column, ColumnFacts], ...]
    only: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for column, _ in self.attributes)


@dataclass(frozen=True, slots=True)
class Filter(Rel):
    """Rows for which every predicate is true."""

    child: Rel
    predicates: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        require(self.predicates, (self.child,))

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.child.columns


@dataclass(frozen=True, slots=True)
class Project(Rel):
    """Computed columns; keeps duplicates."""

    child: Rel
    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        require((item.value for item in self.items), (self.child,))

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(item.column for item in self.items)


@dataclass(frozen=True, slots=True)
class Join(Rel):
    """Inner or cross join."""

    left: Rel
    right: Rel
    predicates: tuple[Scalar, ...] = ()

    def __post_init__(self) -> None:
        require(self.predicates, (self.left, self.right))

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.left.columns + self.right.columns


@dataclass(frozen=True, slots=True)
class Block(Rel):
    """Select, project and join in one: the unit that is rendered as one flat SELECT."""

    inputs: tuple[Rel, ...]
    predicates: tuple[Scalar, ...]
    items: tuple[Item, ...]
    gate: Rel | None = None
    """Decided once, before anything else is read: where this relation has no row, neither has the block."""

    def __post_init__(self) -> None:
        require((*self.predicates, *(item.value for item in self.items)), self.inputs)

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(item.column for item in self.items)


@dataclass(frozen=True, slots=True)
class UnionAll(Rel):
    """All rows of all branches; column i of each branch becomes column i of the union."""

    branches: tuple[Rel, ...]
    outputs: tuple[Column, ...]

    def __post_init__(self) -> None:
        for branch in self.branches:
            if len(branch.columns) != len(self.outputs):
                raise Ours(f"a branch of a union has {len(branch.columns)} columns, not {len(self.outputs)}")

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.outputs


@dataclass(frozen=True, slots=True)
class Call:
    """One aggregate call and the column that holds its value."""

    column: Column
    value: Scalar


@dataclass(frozen=True, slots=True)
class Aggregate(Rel):
    """One row per distinct key; NULL is a key value like any other. DISTINCT is an Aggregate without calls."""

    child: Rel
    keys: tuple[Item, ...]
    calls: tuple[Call, ...]
    scalar: bool = False
    """No GROUP BY at all: exactly one row, also over no rows."""
    loose: tuple[tuple[int, str], ...] = ()
    """Keys, minima and maxima whose equal values may look different, and their types: each shows the one whose image
    comes first, so that a group always looks the same."""

    def __post_init__(self) -> None:
        require((*(k.value for k in self.keys), *(c.value for c in self.calls)), (self.child,))

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*(key.column for key in self.keys), *(call.column for call in self.calls))


@dataclass(frozen=True, slots=True)
class Change(Rel):
    """Signed rows captured from a Scan's table and not yet consumed; `weight` is +1 or −1, and rows may cancel.

    `own`: only what the transaction itself has written counts.
    """

    scan: Scan
    weight: Column
    own: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.scan.columns, self.weight)


@dataclass(frozen=True, slots=True)
class Shared(Rel):
    """A relation evaluated once and read wherever this value stands; `name` becomes the name of the CTE."""

    name: str
    law: str
    child: Rel

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.child.columns


@dataclass(frozen=True, slots=True)
class Copies(Rel):
    """Each row of `child` as often as its column `weight` says; a weight below one means not at all."""

    child: Rel
    weight: Column

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for column in self.child.columns if column != self.weight)


@dataclass(frozen=True, slots=True)
class Given(Rel):
    """Rows of a CTE that the program writes around the algebra."""

    name: str
    given: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.given


def require(values: Iterable[Scalar], inputs: tuple[Rel, ...]) -> None:
    """Refuse expressions that read a column which no input has."""
    available = {column.number: column for rel in inputs for column in rel.columns}
    for value in values:
        for number in value.columns:
            if number not in available:
                known = ", ".join(column.label for column in available.values())
                raise Ours(f"expression {value.text} reads column {number}; its inputs have: {known}")
