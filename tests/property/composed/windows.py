"""Window functions with several partitions, orders and frames, and over groups."""

from __future__ import annotations

from hypothesis import strategies as st

from property.composed.kinds import ORDERED
from property.composed.made import Draw, Made, Typed, World, one, pick, seldom, select, some

# Frames that see peers alike, and those that count rows, which need a total order.
PEERS = (
    "",
    " RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
    " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
    " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
    " GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE GROUP",
)
COUNTED = (
    " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
    " ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING",
    " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
    " ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW",
)


def windowed(draw: Draw, world: World) -> Made:
    q = world.below(draw)
    # Which of two equal rows comes first is open, so two calls that tell them apart could pair up in two ways.
    shown = [_call(draw, q, splits=i == 0) for i in range(draw(st.integers(1, 3)))]
    return select([*some(draw, q.typed("q"), 2), *shown], f"FROM {q.item('q')}", [q])


def _call(draw: Draw, q: Made, *, splits: bool) -> Typed:
    """One call; one that `splits` may tell equal rows apart."""
    typed = q.typed("q")
    part = pick(draw, ("", "PARTITION BY {0} ", "PARTITION BY {0} ", "PARTITION BY {0}, {1} "))
    part = part.format(one(draw, typed)[0], one(draw, typed)[0])
    x, kind = one(draw, typed)
    by, desc = one(draw, typed)[0], pick(draw, ("", " DESC", " DESC NULLS LAST", " NULLS FIRST"))
    total = f"{part}ORDER BY {by}{desc}, {q.all('q')}"
    peers = f"{part}ORDER BY {by}{desc}"
    counted = f"{total}{pick(draw, COUNTED)}"
    among = f"{peers}{pick(draw, PEERS)}"
    either = pick(draw, (counted, among)) if splits else among
    forms: list[Typed] = [
        (f"rank() OVER ({peers})::int", "int"),
        (f"dense_rank() OVER ({peers})::int", "int"),
        (f"cume_dist() OVER ({peers})::numeric(8,2)", "money"),
        (f"percent_rank() OVER ({peers})::numeric(8,2)", "money"),
        (f"count({x}) OVER ({either})::int", "int"),
        (f"count(*) FILTER (WHERE {x} IS NOT NULL) OVER ({either})::int", "int"),
    ]
    if splits:
        forms += [
            (f"row_number() OVER ({total})::int", "int"),
            (f"ntile(3) OVER ({total})", "int"),
            (f"lag({x}) OVER ({total})", kind),
            (f"lead({x}, 2, {x}) OVER ({total})", kind),
            (f"first_value({x}) OVER ({counted})", kind),
            (f"last_value({x}) OVER ({counted})", kind),
            (f"nth_value({x}, 2) OVER ({counted})", kind),
        ]
    if kind in ORDERED:
        forms += [(f"max({x}) OVER ({either})", kind), (f"min({x}) OVER ({either})", kind)]
    if kind == "int":
        forms += [(f"sum({x}) OVER ({either})::int % 1000", "int"), (f"{x} - avg({x}) OVER ({part})", "loose")]
    if kind == "money":
        forms += [(f"sum({x}) OVER ({either})", "money")]
    if kind == "text":
        # Equal rows are peers in this order, so it does not tell them apart.
        forms += [(f"string_agg({x}, '') OVER ({total})", "text")]
    return draw(st.sampled_from(forms))


def over_groups(draw: Draw, world: World) -> Made:
    """Windows over the groups of GROUP BY, one of them named."""
    q = world.below(draw)
    typed = q.typed("q")
    key = one(draw, typed)
    x, _ = one(draw, typed)
    calls: list[Typed] = [
        ("sum(count(*)) OVER w::int", "int"),
        ("rank() OVER (ORDER BY count(*) DESC)::int", "int"),
        (f"count({x}) - lag(count({x})) OVER w", "int"),
        (f"row_number() OVER (ORDER BY count(*), {key[0]})::int", "int"),
    ]
    tail = " HAVING count(*) > 1" if seldom(draw) else ""
    rest = f"FROM {q.item('q')} GROUP BY {key[0]}{tail} WINDOW w AS (ORDER BY {key[0]}{pick(draw, ('', ' DESC'))})"
    return select([key, draw(st.sampled_from(calls))], rest, [q])
