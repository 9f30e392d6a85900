"""Joins: inner, outer, natural, using, cross, of three, nested, and with subqueries in ON."""

from __future__ import annotations

from property.composed.conditions import condition, test
from property.composed.kinds import ORDERED
from property.composed.made import Draw, Made, World, pair, pick, seldom, select, some

OUTER = ("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")


def joined(draw: Draw, world: World) -> Made:
    left, right = world.below(draw), world.beside(draw)
    near, far = left.typed("l"), right.typed("r")
    a, b, kind = pair(draw, near, far)
    word = pick(draw, OUTER)
    on = f"{a} = {b}"
    if word != "FULL JOIN":
        less = f"{a} < {b}" if kind in ORDERED else f"{a} <> {b}"
        on = pick(draw, (on, on, on, f"{on} AND {test(draw, far)}", f"{on} AND {test(draw, near)}", less))
    elif a.startswith("l."):
        on = pick(draw, (on, on, f"{on} AND {test(draw, [*near, *far])}"))
    rest = f"FROM {left.item('l')} {word} {right.item('r')} ON {on}"
    if seldom(draw):
        rest = f"FROM {left.item('l')} CROSS JOIN {right.item('r')} WHERE {on}"
    elif seldom(draw):
        rest += f" WHERE {test(draw, [*near, *far])}"
    return select(some(draw, [*near, *far], 4), rest, [left, right])


def natural(draw: Draw, world: World) -> Made:
    """Joined by names: NATURAL, and USING."""
    left, right = world.below(draw), world.beside(draw)
    a, b, kind = pair(draw, left.typed("i"), right.typed("i"))
    x, xk = some(draw, left.typed("i"), 1)[0]
    y, yk = some(draw, right.typed("i"), 1)[0]
    word = pick(draw, OUTER)
    near = f"(SELECT {a} AS k, {x} AS x FROM {left.item('i')}) l"
    far = f"(SELECT {b} AS k, {y} AS y FROM {right.item('i')}) r"
    both = f"{near} NATURAL {word} {far}" if seldom(draw, 2) else f"{near} {word} {far} USING (k)"
    shown = some(draw, [("k", kind), ("l.k", kind), ("r.k", kind), ("x", xk), ("y", yk)], 4)
    return select(shown, f"FROM {both}", [left, right])


def of_three(draw: Draw, world: World) -> Made:
    """Two joins, one in the other's parentheses or one after the other."""
    left, middle, right = world.below(draw), world.beside(draw), world.beside(draw)
    near, mid, far = left.typed("l"), middle.typed("m"), right.typed("r")
    first, second = pick(draw, OUTER), pick(draw, OUTER)
    a, b, _ = pair(draw, near, mid)
    c, d, _ = pair(draw, [*near, *mid] if seldom(draw, 2) else mid, far)
    nested = seldom(draw, 2)
    if nested:
        c, d, _ = pair(draw, mid, far)
    rest = (
        f"{left.item('l')} {first} ({middle.item('m')} {second} {right.item('r')} ON {c} = {d}) ON {a} = {b}"
        if nested
        else f"{left.item('l')} {first} {middle.item('m')} ON {a} = {b} {second} {right.item('r')} ON {c} = {d}"
    )
    return select(some(draw, [*near, *mid, *far], 4), f"FROM {rest}", [left, middle, right])


def on_a_subquery(draw: Draw, world: World) -> Made:
    left, right = world.below(draw), world.beside(draw)
    near, far = left.typed("l"), right.typed("r")
    a, b, _ = pair(draw, near, far)
    sql, parts = condition(draw, world, near if seldom(draw, 2) else far)
    word = pick(draw, ("JOIN", "LEFT JOIN", "RIGHT JOIN"))
    rest = f"FROM {left.item('l')} {word} {right.item('r')} ON {a} = {b} AND {sql}"
    return select(some(draw, [*near, *far], 4), rest, [left, right, *parts])
