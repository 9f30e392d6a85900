"""Which column does a name stand for?

PostgreSQL has bound the query already, so references are `alias.column` and an inner alias never hides an
outer one that is referred to. Two cases are left: the merged column of JOIN … USING, and, in the stored text
of a view, a bare name that belongs to the only item of its FROM list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trickle.errors import Ours, Unmaintainable
from trickle.ivm.algebra.scalars import Column

SYSTEM_COLUMNS = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


class Unresolved(Ours):
    """A name that stands for nothing in sight."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a FROM clause: its alias and its columns in order, by name."""

    alias: str
    columns: tuple[tuple[str, Column], ...]
    schema: str | None = None
    whole: Column | None = None
    """The whole row as one value, where something reads it …"""
    named_type: bool = False
    """… and whether it is a value of a table's type."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The items visible in one query block, and the columns that USING has merged."""

    entries: tuple[Entry, ...] = ()
    merged: tuple[tuple[str, Column], ...] = ()
    outer: Scope | None = None
    """What a subquery in an expression sees besides: the rows of the query around it."""

    def joined(self, other: Scope, merged: Sequence[tuple[str, Column]] = ()) -> Scope:
        """Return the scope of a join of two items."""
        return Scope(self.entries + other.entries, (*self.merged, *other.merged, *merged), self.outer)

    def within(self, outer: Scope | None) -> Scope:
        """Return this scope inside another one."""
        return Scope(self.entries, self.merged, outer)

    def resolve(self, parts: Sequence[str]) -> Column:
        """Return the column that a (possibly qualified) name stands for.

        Raises:
            Unmaintainable: a system column, which changes without a change of data.
            Ours: the name resolves to nothing, so PostgreSQL's text was read wrongly.
        """
        name = parts[-1]
        if len(parts) == 1:
            return self._bare(name)
        candidates = [e for e in self.entries if e.alias == parts[-2]]
        if len(parts) == 3:
            candidates = [e for e in candidates if e.schema in (None, parts[0])]
        for entry in candidates:
            for column_name, column in entry.columns:
                if column_name == name:
                    return column
        if not candidates and self.outer is not None:
            return self.outer.resolve(parts)
        if name in SYSTEM_COLUMNS:
            raise Unmaintainable(f"the system column {name} has no place in a change buffer")
        raise Unresolved(f"cannot resolve column {'.'.join(parts)}")

    def _bare(self, name: str) -> Column:
        for merged_name, column in reversed(self.merged):
            if merged_name == name:
                return column
        found = [column for e in self.entries for column_name, column in e.columns if column_name == name]
        if len(found) == 1:
            return found[0]
        if not found and self.outer is not None:
            return self.outer.resolve([name])
        if name in SYSTEM_COLUMNS:
            raise Unmaintainable(f"the system column {name} has no place in a change buffer")
        raise Unresolved(f"cannot resolve column {name}")

    def by_alias(self, alias: str) -> Entry | None:
        """Return the item of FROM called `alias`, here or further out."""
        found = next((e for e in self.entries if e.alias == alias), None)
        return found if found is not None or self.outer is None else self.outer.by_alias(alias)


def renamed(columns: Sequence[tuple[str, Column]], names: Sequence[str]) -> tuple[tuple[str, Column], ...]:
    """Apply the column list of `alias(c1, c2, …)`, which renames from the left."""
    return tuple((names[i] if i < len(names) else name, column) for i, (name, column) in enumerate(columns))


def using_column(scope: Scope, name: str) -> Column:
    """Return the column called `name` of one side of JOIN … USING."""
    merged: Mapping[str, Column] = dict(scope.merged)
    if name in merged:
        return merged[name]
    for entry in scope.entries:
        for column_name, column in entry.columns:
            if column_name == name:
                return column
    raise Ours(f"JOIN USING names column {name}, which one side does not have")
