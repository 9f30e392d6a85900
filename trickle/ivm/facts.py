"""What the compiler may know about the world, and nothing else.

`Facts` is read once by `trickle.catalog.introspect`, is frozen, and survives a round trip through JSON:
*canonical SQL + facts is a complete bug report and a complete test.*
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """One column of a relation: what PostgreSQL says of it and what its type can do."""

    number: int
    name: str
    type: str
    """Full type as `format_type` prints it, modifiers included."""
    base_type: str
    """Type name without modifiers, domains resolved."""
    not_null: bool = False
    comparable: bool = True
    """The type has a default equality (so GROUP BY works)."""
    hashable: bool = True
    """Every value can be hashed by `hash_record_extended`."""
    equal_is_identical: bool = True
    """Equal values print the same: not so for numeric without a scale, float, jsonb, citext …"""
    virtual: bool = False
    """A virtual generated column: it has no stored value a trigger could see."""


@dataclass(frozen=True, slots=True)
class RelationFacts:
    """A table, stream table, view, materialized view or foreign table the query reads."""

    oid: int
    schema: str
    name: str
    kind: str
    """pg_class.relkind."""
    columns: tuple[ColumnFacts, ...] = ()
    keys: tuple[tuple[int, ...], ...] = ()
    """Column numbers of each usable key: unique, valid, immediate, total, all columns NOT NULL."""
    view_sql: str | None = None
    has_children: bool = False
    row_security: bool = False
    readable: bool = True
    """The stream table's owner may read it (a view may show what its reader may not)."""
    buffer: int | None = None
    """Id of the change buffer, when the relation is captured."""
    captured: tuple[int, ...] = ()
    rows: float = 0.0
    copied_to: str | None = None
    """Table of schema pgtrickle_changes that stands in for the relation, which is polled; all but the name is its."""
    stands_for: tuple[str, str] | None = None
    """Schema and name of the relation that this one is a copy of."""

    @property
    def shown_as(self) -> tuple[str, str]:
        """Schema and name by which the user knows it."""
        return self.stands_for or (self.schema, self.name)

    def column(self, name: str) -> ColumnFacts | None:
        """Return the column called `name`, or None."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """A function, operator function or aggregate that stands in the query's rule tree."""

    schema: str
    name: str
    kind: str
    """pg_proc.prokind: f function, a aggregate, w window."""
    volatility: str
    """i immutable, s stable, v volatile."""
    returns_set: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the compiler is told about one defining query."""

    query: str
    output: tuple[ColumnFacts, ...] = ()
    relations: tuple[RelationFacts, ...] = ()
    functions: tuple[FunctionFacts, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    """Session settings pinned on the program, because STABLE functions depend on them."""
    types: Mapping[str, str] = field(default_factory=dict)
    """Types of described expressions, keyed by the describing query (see MissingFacts)."""
    described: Mapping[str, tuple[ColumnFacts, ...]] = field(default_factory=dict)
    """Columns of described queries (see MissingFacts)."""
    server_version: int = 180000

    def relation(self, schema: str, name: str) -> RelationFacts | None:
        """Return the relation `schema.name`, or None."""
        return next((r for r in self.relations if r.schema == schema and r.name == name), None)

    def with_types(self, types: Mapping[str, str]) -> Facts:
        """Return the same facts knowing `types` as well."""
        return dataclasses.replace(self, types={**self.types, **types})

    def with_described(self, columns: Mapping[str, tuple[ColumnFacts, ...]]) -> Facts:
        """Return the same facts knowing the columns of some queries as well."""
        return dataclasses.replace(self, described={**self.described, **columns})

    def to_json(self) -> str:
        """Print as JSON, stable and readable."""
        return json.dumps(dataclasses.asdict(self), indent=1, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Facts:
        """Read what `to_json` printed."""
        data: dict[str, Any] = json.loads(text)

        def column(raw: dict[str, Any]) -> ColumnFacts:
            return ColumnFacts(**raw)

        def relation(raw: dict[str, Any]) -> RelationFacts:
            return RelationFacts(
                **{
                    **raw,
                    "columns": tuple(column(c) for c in raw["columns"]),
                    "keys": tuple(tuple(k) for k in raw["keys"]),
                    "captured": tuple(raw["captured"]),
                    "stands_for": tuple(raw["stands_for"]) if raw["stands_for"] else None,
                }
            )

        return Facts(
            query=data["query"],
            output=tuple(column(c) for c in data["output"]),
            relations=tuple(relation(r) for r in data["relations"]),
            functions=tuple(FunctionFacts(**f) for f in data["functions"]),
            settings=data["settings"],
            types=data["types"],
            described={query: tuple(column(c) for c in found) for query, found in data["described"].items()},
            server_version=data["server_version"],
        )
