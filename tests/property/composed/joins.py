"""Joins: inner, outer, natural, using, cross, of three, nested, and with subqueries in ON."""

from __future__ import annotations

from property.composed.kinds import ORDERED
from property.composed.made import Draw, Made, World, pair, pick, seldom, select, some
from property.composed.conditions import condition, test

OUTER = ("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")


def joined(draw: Draw, world: World) -> Made:
    left, right = world.below(draw), world.beside(draw)
    l, r = left.typed("l"), right.typed("r")
    a, b, kind = pair(draw, l, r)
    word = pick(draw, OUTER)
    on = f"{a} = {b}"
    if word != "FULL JOIN":
        less = f"{a} < {b}" if kind in ORDERED else f"{a} <> {b}"
        on = pick(draw, (on, on, on, f"{on} AND {test(draw, r)}", f"{on} AND {test(draw, l)}", less))
    elif a.startswith("l."):
        on = pick(draw, (on, on, f"{on} AND {test(draw, [*l, *r])}"))
    rest = f"FROM {left.item('l')} {word} {right.item('r')} ON {on}"
    if seldom(draw):
        rest = f"FROM {left.item('l')} CROSS JOIN {right.item('r')} WHERE {on}"
    elif seldom(draw):
        rest += f" WHERE {test(draw, [*l, *r])}"
    return select(some(draw, [*l, *r], 4), rest, [left, right])


def natural(draw: Draw, world: World) -> Made:
    """Joined by names: NATURAL, and USING."""
    left, right = world.below(draw), world.beside(draw)
    a, b, kind = pair(draw, left.typed("i"), right.typed("i"))
    x, xk = some(draw, left.typed("i"), 1)[0]
    y, yk = some(draw, right.typed("i"), 1)[0]
    word = pick(draw, OUTER)
    l = f"(SELECT {a} AS k, {x} AS x FROM {left.item('i')}) l"
    r = f"(SELECT {b} AS k, {y} AS y FROM {right.item('i')}) r"
    both = f"{l} NATURAL {word} {r}" if seldom(draw, 2) else f"{l} {word} {r} USING (k)"
    shown = some(draw, [("k", kind), ("l.k", kind), ("r.k", kind), ("x", xk), ("y", yk)], 4)
    return select(shown, f"FROM {both}", [left, right])


def of_three(draw: Draw, world: World) -> Made:
    """Two joins, one in the other's parentheses or one after the other."""
    left, middle, right = world.below(draw), world.beside(draw), world.beside(draw)
    l, m, r = left.typed("l"), middle.typed("m"), right.typed("r")
    first, second = pick(draw, OUTER), pick(draw, OUTER)
    a, b, _ = pair(draw, l, m)
    c, d, _ = pair(draw, [*l, *m] if seldom(draw, 2) else m, r)
    if draw_nested := seldom(draw, 2):
        c, d, _ = pair(draw, m, r)
    rest = (
        f"{left.item('l')} {first} ({middle.item('m')} {second} {right.item('r')} ON {c} = {d}) ON {a} = {b}"
        if draw_nested
        else f"{left.item('l')} {first} {middle.item('m')} ON {a} = {b} {second} {right.item('r')} ON {c} = {d}"
    )
    return select(some(draw, [*l, *m, *r], 4), f"FROM {rest}", [left, middle, right])


def on_a_subquery(draw: Draw, world: World) -> Made:
    left, right = world.below(draw), world.beside(draw)
    l, r = left.typed("l"), right.typed("r")
    a, b, _ = pair(draw, l, r)
    sql, parts = condition(draw, world, pick_side(draw, l, r))
    word = pick(draw, ("JOIN", "LEFT JOIN", "RIGHT JOIN"))
    rest = f"FROM {left.item('l')} {word} {right.item('r')} ON {a} = {b} AND {sql}"
    return select(some(draw, [*l, *r], 4), rest, [left, right, *parts])


def pick_side(draw: Draw, l: list[tuple[str, str]], r: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return l if seldom(draw, 2) else r
