"""Random tables: keyless or keyed in every way, with names that catch careless quoting."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from property.types import ALL, COMMON, INT, TEXT, Type

# Names of our own buffer columns, keywords, quotes, blanks, upper case, and 63 bytes of both sorts.
TABLE_NAMES = ("t", "Mixed Case", 'quo"ted', "select", "changes_1", "net", "n" * 63, "é" * 31)
COLUMN_NAMES = (
    *("a", "seq", "xid", "weight", "c1", "c2", "Ref", "group", "a b", 'q"x', "ctid_", "t", "n", "d", "b"),
    *("w" * 63, "ü" * 31, "it's", "$1", "__x", "new", "old"),
)


def quoted(name: str) -> str:
    """An identifier, always in quotes: the oracle does not use the product's own quoting."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, view or stream table."""

    name: str
    type: Type
    not_null: bool = False

    @property
    def sql(self) -> str:
        return quoted(self.name)


@dataclass(frozen=True, slots=True)
class Table:
    """A base table; `key` are the positions of its key columns, `dropped` columns come first and are gone."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[int, ...] = ()
    key_kind: str = "none"
    dropped: int = 0

    @property
    def sql(self) -> str:
        return quoted(self.name)

    @property
    def key_columns(self) -> tuple[Column, ...]:
        return tuple(self.columns[i] for i in self.key)

    @property
    def ddl(self) -> tuple[str, ...]:
        """The statements that make it."""
        gone = [f"gone_{i} text" for i in range(self.dropped)]
        columns = [f"{c.sql} {c.type.sql}{' NOT NULL' if c.not_null else ''}" for c in self.columns]
        key = ", ".join(c.sql for c in self.key_columns)
        primary = [f"PRIMARY KEY ({key})"] if self.key_kind == "primary" else []
        made = [f"CREATE TABLE {self.sql} ({', '.join([*gone, *columns, *primary])})"]
        made += [f"ALTER TABLE {self.sql} DROP COLUMN gone_{i}" for i in range(self.dropped)]
        if self.key_kind in ("unique", "nullable"):
            made.append(f"CREATE UNIQUE INDEX ON {self.sql} ({key})")
        return tuple(made)


@st.composite
def tables(draw: st.DrawFn, name: str) -> Table:
    """A table with at least one integer and one text column, so that queries have something to join by."""
    names = draw(st.lists(st.sampled_from(COLUMN_NAMES), min_size=3, max_size=5, unique=True))
    kind = draw(st.sampled_from(("none", "primary", "primary", "unique", "nullable")))
    rest = st.sampled_from(COMMON) | st.sampled_from(ALL)
    types = [INT, TEXT, *draw(st.lists(rest, min_size=len(names) - 2, max_size=len(names) - 2))]
    types = draw(st.permutations(types))
    width = 0 if kind == "none" else draw(st.integers(1, 2))
    candidates = [i for i, type in enumerate(types) if type.groups]
    key = tuple(draw(st.permutations(candidates))[:width])
    columns = tuple(
        Column(name, type, not_null=(i in key and kind in ("primary", "unique")) or draw(st.integers(0, 4)) == 0)
        for i, (name, type) in enumerate(zip(names, types, strict=True))
    )
    return Table(name, columns, key, kind, draw(st.integers(0, 1)))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Table, ...]:
    """Two to four tables."""
    names = draw(st.lists(st.sampled_from(TABLE_NAMES), min_size=2, max_size=4, unique=True))
    return tuple(draw(tables(name)) for name in names)
