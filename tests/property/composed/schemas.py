"""Random tables for composed queries: keyed in every way or not at all, with NULLs, duplicates and skew.

Each has an integer and a text, so that there is always something to join by; the values of each kind are few, and one
of them is much more frequent than the others.
"""

from __future__ import annotations

from hypothesis import strategies as st

from property.composed.kinds import BOOL, DATE, INT, LOOSE, MONEY, STAMP, TEXT
from property.composed.made import Source
from property.worlds import Column, Table

REST = (INT, INT, TEXT, MONEY, MONEY, DATE, STAMP, BOOL, LOOSE)
NAMES = (("t1", "a", "b", "s", "v", "w"), ("t2", "a", "n", "s", "x", "y"), ("T 3", "id", "a", "k 2", "s", "z"))


@st.composite
def schema(draw: st.DrawFn) -> tuple[Table, ...]:
    """Two or three tables."""
    return tuple(draw(_table(name, columns)) for name, *columns in NAMES[: draw(st.integers(2, 3))])


@st.composite
def _table(draw: st.DrawFn, name: str, names: list[str]) -> Table:
    rest = draw(st.lists(st.sampled_from(REST), max_size=len(names) - 2))
    types = draw(st.permutations([INT, TEXT, *rest]))
    kind = draw(st.sampled_from(("none", "none", "primary", "primary", "unique", "nullable")))
    able = [i for i, type in enumerate(types) if type is not BOOL]
    # A key of one column of few values would hardly hold a row; of all of its kind, two are drawn.
    key = () if kind == "none" else tuple(draw(st.permutations(able))[: draw(st.integers(2, 3))])
    columns = tuple(
        Column(column, type, not_null=(i in key and kind in ("primary", "unique")) or draw(st.integers(0, 4)) == 0)
        for i, (column, type) in enumerate(zip(names, types, strict=False))
    )
    return Table(name, columns, key, kind)


def source(table: Table) -> Source:
    """The table as something to select from."""
    return Source(table.sql, tuple((column.sql, column.type.family) for column in table.columns))
