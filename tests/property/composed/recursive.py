"""WITH RECURSIVE: along what another query says, bounded, under UNION and UNION ALL, read in every way."""

from __future__ import annotations

from hypothesis import strategies as st

from property.composed.made import Draw, Made, Typed, World, pick, select, some


def recursive(draw: Draw, world: World) -> Made:
    q = world.below(draw)
    ints = q.columns("q", ("int",)) or ["1"]
    a, b = pick(draw, ints), pick(draw, [*ints, "r.c1 + 1"])
    word, bound = draw(st.sampled_from((("UNION", "r.c2 < 3"), ("UNION", "r.c2 < 3"), ("UNION ALL", "r.c2 < 2"))))
    again = f"SELECT ({b})::int, r.c2 + 1 FROM {q.item('q')} JOIN r ON {a} = r.c1 WHERE {bound}"
    first = f"SELECT ({pick(draw, [*ints, '0'])})::int, 0 FROM {q.item('q')}"
    return _read(draw, world, f"WITH RECURSIVE r(c1, c2) AS ({first} {word} {again}) ", [q])


def closure(draw: Draw, world: World) -> Made:
    """What can be reached in a table, under UNION, which ends also where the rows go in circles."""
    source, column = world.source(draw)
    other = pick(draw, [name for name, kind in source.columns if kind == "int"])
    start = pick(draw, (f"SELECT e.{column}, e.{other} FROM {source.sql} e", "SELECT 1, 1"))
    again = f"SELECT r.c1, e.{other} FROM r JOIN {source.sql} e ON e.{column} = r.c2"
    return _read(draw, world, f"WITH RECURSIVE r(c1, c2) AS ({start} UNION {again}) ", [])


def _read(draw: Draw, world: World, head: str, parts: list[Made]) -> Made:
    source, column = world.source(draw)
    text = pick(draw, [name for name, kind in source.columns if kind == "text"])
    shown: list[Typed] = [("r.c1", "int"), ("r.c2", "int")]
    rest = pick(
        draw,
        (
            "FROM r",
            "FROM r WHERE r.c2 > 0",
            f"FROM r LEFT JOIN {source.sql} x ON x.{column} = r.c1",
            f"FROM {source.sql} x JOIN r ON x.{column} = r.c1",
        ),
    )
    if " x " in rest:
        shown.append((f"x.{text}", "text"))
    return select(some(draw, shown), rest, parts, head=head)
