"""All operators, and how they are put above each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from property.composed import groups, joins, ordered, recursive, rows, sets, subqueries, windows
from property.composed.kinds import KINDS
from property.composed.made import Draw, Made, Source, World, pick, seldom, select

LONGEST = 1800
"""Characters of a query; a longer one is left at what it was made of."""

STEPS: tuple[Callable[[Draw, World], Made], ...] = (
    *(rows.filtered, rows.projected, rows.told, rows.kept, rows.kept, rows.row_local, rows.whole_row, rows.series),
    *(joins.joined, joins.joined, joins.natural, joins.of_three, joins.on_a_subquery),
    *(subqueries.scalar, subqueries.scalar, subqueries.tied_twice, subqueries.lateral, subqueries.lateral),
    *(groups.grouped, groups.grouped, groups.in_sets, groups.by_set, groups.of_subqueries, groups.of_groups),
    *(groups.distinct, windows.windowed, windows.windowed, windows.over_groups),
    *(ordered.limited, ordered.limited_by_subquery, sets.combined, sets.combined, sets.beside_values, sets.shared),
    *(recursive.recursive, recursive.closure),
)


@st.composite
def composed(draw: Draw, sources: Sequence[Source], least: int = 3, most: int = 4) -> Made:
    """A query of so many operators above each other, over these tables."""
    return query(draw, World(tuple(sources), draw(st.integers(least, most)), query))


def query(draw: Draw, world: World) -> Made:
    if world.depth <= 0:
        return _base(draw, world)
    made = draw(st.sampled_from(STEPS))(draw, world)
    return made if len(made.sql) <= LONGEST or not made.parts else made.parts[0]


def _base(draw: Draw, world: World) -> Made:
    if seldom(draw, 12):
        kind = pick(draw, ("text", "money", "date"))
        values = ", ".join(f"({i}, {pick(draw, KINDS[kind].literals)})" for i in range(draw(st.integers(1, 3))))
        return select([("v.n", "int"), ("v.x", kind)], f"FROM (VALUES {values}) v(n, x)", [])
    source = draw(st.sampled_from(world.sources))
    return select([(f"b.{name}", kind) for name, kind in source.columns], f"FROM {source.sql} b", [])
