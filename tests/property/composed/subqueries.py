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
    near, far = left.typed("l"), right.typed("r")
    a, b, _ = pair(draw, near, far)
    v, kind = one(draw, far)
    inside = right.item("r")
    where = pick(draw, (f"WHERE {b} = {a}", f"WHERE {b} = {a}", f"WHERE {b} = {a} AND {test(draw, far)}", ""))
    order = pick(draw, ("", " DESC")).join((right.all("r"), ""))
    total, total_kind = call(draw, far)
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
        same = one(draw, near, (kind,), ("NULL", kind))[0]
        rest = f"FROM {left.item('l')} WHERE {same} IS NOT DISTINCT FROM ({inner})"
        return select(some(draw, near), rest, [left, right])
    if seldom(draw, 3):
        inner = f"coalesce(({inner}), {one(draw, near, (kind,), ('NULL', kind))[0]})"
    return select([*some(draw, near, 2), (f"({inner})", kind)], f"FROM {left.item('l')}", [left, right])


def tied_twice(draw: Draw, world: World) -> Made:
    """Subqueries tied to the rows outside by more than an equality, and over two levels."""
    left, right = world.below(draw), world.beside(draw)
    near, far = left.typed("l"), right.typed("r")
    a, b, _ = pair(draw, near, far)
    x = one(draw, near, ("int",), ("1", "int"))[0]
    y = one(draw, far, ("int",), ("2", "int"))[0]
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
    return select(some(draw, near), f"FROM {left.item('l')} WHERE {pick(draw, forms)}", [left, right])


def lateral(draw: Draw, world: World) -> Made:
    left, right = world.below(draw), world.beside(draw)
    near, far = left.typed("l"), right.typed("r")
    a, b, kind = pair(draw, near, far)
    tie = pick(draw, (f"{b} = {a}", f"{b} = {a}", f"{b} > {a}" if kind in ORDERED else f"{b} <> {a}"))
    total, total_kind = call(draw, far)
    v, v_kind = one(draw, far)
    own, own_kind = one(draw, near)
    rows = f"FROM {right.item('r')} WHERE {tie}"
    number = f"row_number() OVER (ORDER BY {right.all('r')})::int"
    forms: list[tuple[str, list[Typed]]] = [
        (f"SELECT r.* {rows} ORDER BY {right.all('r')} LIMIT 2", right.typed("x")),
        (f"SELECT {total} AS t, count(*) AS n {rows}", [("x.t", total_kind), ("x.n", "int")]),
        (f"SELECT DISTINCT {v} AS t, {own} AS n {rows}", [("x.t", v_kind), ("x.n", own_kind)]),
        (f"SELECT {v} AS t, count(*) AS n {rows} GROUP BY {v}", [("x.t", v_kind), ("x.n", "int")]),
        (f"SELECT {v} AS t, {number} AS n {rows}", [("x.t", v_kind), ("x.n", "int")]),
        (f"SELECT {own} AS t WHERE {test(draw, near)}", [("x.t", own_kind)]),
    ]
    if v_kind == own_kind:
        also = f"SELECT {own} WHERE {test(draw, near)}"
        forms.append((f"SELECT {v} AS t {rows} UNION ALL {also}", [("x.t", v_kind)]))
    inner, offered = draw(st.sampled_from(forms))
    word = pick(draw, ("CROSS JOIN LATERAL ({i}) x", "LEFT JOIN LATERAL ({i}) x ON true")).format(i=inner)
    return select(some(draw, [*near, *offered], 4), f"FROM {left.item('l')} {word}", [left, right])
