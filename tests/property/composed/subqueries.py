"""Subqueries for a value, and what stands beside a row for each of its values: scalar subqueries, LATERAL."""

from __future__ import annotations

from hypothesis import strategies as st

from property.composed.calls import call
from property.composed.conditions import test
from property.composed.kinds import ORDERED
from property.composed.made import Draw, Made, Typed, World, one, pair, pick, seldom, select, some


def scalar(draw: Draw, world: World) -> Made:
    """Scalar subqueries among the columns, in expressions and in WHERE."""
    left, right = world.below(draw), world.beside(draw)
    l, r = left.typed("l"), right.typed("r")
    a, b, _ = pair(draw, l, r)
    v, kind = one(draw, r)
    inside = right.item("r")
    where = pick(draw, (f"WHERE {b} = {a}", f"WHERE {b} = {a}", f"WHERE {b} = {a} AND {test(draw, r)}", ""))
    order = pick(draw, ("", " DESC")).join((right.all("r"), ""))
    total, total_kind = call(draw, r)
    inner, kind = draw(
        st.sampled_from(
            (
                (f"SELECT {total} FROM {inside} {where}", total_kind),
                (f"SELECT {total} FROM {inside} {where}", total_kind),
                (f"SELECT count(*) FROM {inside} {where}", "int"),
                (f"SELECT {v} FROM {inside} {where} ORDER BY {order} LIMIT 1", kind),
                (f"SELECT {v} FROM {inside} {where} ORDER BY {order} OFFSET 1 LIMIT 1", kind),
                (f"SELECT count(*) FROM (SELECT DISTINCT {v} FROM {inside} {where}) d", "int"),
                (f"SELECT sum(d.n)::int FROM (SELECT count(*) AS n FROM {inside} {where} GROUP BY {v}) d", "int"),
            )
        )
    )
    if seldom(draw):
        same = one(draw, l, (kind,), ("NULL", kind))[0]
        rest = f"FROM {left.item('l')} WHERE {same} IS NOT DISTINCT FROM ({inner})"
        return select(some(draw, l), rest, [left, right])
    if seldom(draw, 3):
        inner = f"coalesce(({inner}), {one(draw, l, (kind,), ('NULL', kind))[0]})"
    return select([*some(draw, l, 2), (f"({inner})", kind)], f"FROM {left.item('l')}", [left, right])


def tied_twice(draw: Draw, world: World) -> Made:
    """Subqueries tied to the rows outside by more than an equality, and over two levels."""
    left, right = world.below(draw), world.beside(draw)
    l, r = left.typed("l"), right.typed("r")
    a, b, _ = pair(draw, l, r)
    x = one(draw, l, ("int",), ("1", "int"))[0]
    y = one(draw, r, ("int",), ("2", "int"))[0]
    source, column = world.source(draw)
    inside = right.item("r")
    inner = f"SELECT FROM {source.sql} n WHERE n.{column} = {x} AND n.{column} >= {y}"
    forms = (
        f"EXISTS (SELECT FROM {inside} WHERE {a} = {b} AND NOT EXISTS ({inner}))",
        f"NOT EXISTS (SELECT FROM {inside} WHERE {a} = {b} OR EXISTS ({inner}))",
        f"{x} < (SELECT sum({y} + {x}) FROM {inside} WHERE {a} = {b})",
        f"{x} IN (SELECT {y} FROM {inside} GROUP BY {y} HAVING count(*) > {x})",
        f"{x} <= (SELECT count(*) FROM {inside} WHERE {a} = {b} AND {y} > (SELECT min(n.{column}) FROM {source.sql} n"
        f" WHERE n.{column} >= {x}))",
    )
    return select(some(draw, l), f"FROM {left.item('l')} WHERE {pick(draw, forms)}", [left, right])


def lateral(draw: Draw, world: World) -> Made:
    left, right = world.below(draw), world.beside(draw)
    l, r = left.typed("l"), right.typed("r")
    a, b, kind = pair(draw, l, r)
    tie = pick(draw, (f"{b} = {a}", f"{b} = {a}", f"{b} > {a}" if kind in ORDERED else f"{b} <> {a}"))
    total, total_kind = call(draw, r)
    v, v_kind = one(draw, r)
    own, own_kind = one(draw, l)
    inner, offered = draw(
        st.sampled_from(
            (
                (f"SELECT r.* FROM {right.item('r')} WHERE {tie} ORDER BY {right.all('r')} LIMIT 2", right.typed("x")),
                (
                    f"SELECT {total} AS t, count(*) AS n FROM {right.item('r')} WHERE {tie}",
                    _named(("t", total_kind), ("n", "int")),
                ),
                (
                    f"SELECT DISTINCT {v} AS t, {own} AS n FROM {right.item('r')} WHERE {tie}",
                    _named(("t", v_kind), ("n", own_kind)),
                ),
                (
                    f"SELECT {v} AS t, count(*) AS n FROM {right.item('r')} WHERE {tie} GROUP BY {v}",
                    _named(("t", v_kind), ("n", "int")),
                ),
                (
                    f"SELECT {v} AS t FROM {right.item('r')} WHERE {tie} UNION ALL SELECT {own} WHERE {test(draw, l)}",
                    _named(("t", v_kind)),
                )
                if v_kind == own_kind
                else (f"SELECT {own} AS t", _named(("t", own_kind))),
                (
                    f"SELECT {v} AS t, row_number() OVER (ORDER BY {right.all('r')})::int AS n FROM {right.item('r')} WHERE {tie}",
                    _named(("t", v_kind), ("n", "int")),
                ),
            )
        )
    )
    word = pick(draw, ("CROSS JOIN LATERAL ({i}) x", "LEFT JOIN LATERAL ({i}) x ON true")).format(i=inner)
    return select(some(draw, [*l, *offered], 4), f"FROM {left.item('l')} {word}", [left, right])


def _named(*columns: Typed) -> list[Typed]:
    return [(f"x.{name}", kind) for name, kind in columns]
