"""First rows: LIMIT, OFFSET, WITH TIES, and limits that a subquery tells."""

from __future__ import annotations

from property.composed.made import Draw, Made, World, one, pick, seldom, select


def limited(draw: Draw, world: World) -> Made:
    q = world.below(draw)
    directions = ("", "", " DESC", " NULLS FIRST", " DESC NULLS LAST")
    if seldom(draw):
        # Whoever ties with the last is there as well, so that the order need not be total.
        order = f"{one(draw, q.typed('q'))[0]}{pick(draw, directions)}"
        return select(q.typed("q"), f"FROM {q.item('q')} ORDER BY {order} FETCH FIRST 2 ROWS WITH TIES", [q])
    order = ", ".join(f"{x}{pick(draw, directions)}" for x in q.columns("q"))
    tail = pick(draw, ("LIMIT 3", "LIMIT 2 OFFSET 1", "OFFSET 2", "LIMIT 1", "OFFSET 1 FETCH NEXT 2 ROWS WITH TIES"))
    return select(q.typed("q"), f"FROM {q.item('q')} ORDER BY {order} {tail}", [q])


def limited_by_subquery(draw: Draw, world: World) -> Made:
    q = world.below(draw)
    source, column = world.source(draw)
    many = pick(draw, (f"(SELECT count(*) / 2 FROM {source.sql})", f"(SELECT abs(max({column})) FROM {source.sql})"))
    word = pick(draw, ("LIMIT", "LIMIT", "OFFSET"))
    return select(q.typed("q"), f"FROM {q.item('q')} ORDER BY {q.all('q')} {word} {many}", [q])
