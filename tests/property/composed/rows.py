"""Operators that look at one row at a time: filters, expressions, set-returning functions, whole rows."""

from __future__ import annotations

from hypothesis import strategies as st

from property.composed.conditions import condition, test
from property.composed.kinds import FORMS, SHOWN, TURNED
from property.composed.made import Draw, Made, Typed, World, one, pair, pick, seldom, select, some


def filtered(draw: Draw, world: World) -> Made:
    q = world.below(draw)
    sql = test(draw, q.typed("q"))
    if seldom(draw, 3):
        sql = f"{pick(draw, ('', 'NOT '))}({sql} {pick(draw, ('OR', 'AND'))} {test(draw, q.typed('q'))})"
    return select(q.typed("q"), f"FROM {q.item('q')} WHERE {sql}", [q])


def value(draw: Draw, x: str, kind: str) -> Typed:
    """An expression over one column."""
    if seldom(draw, 3):
        form, turned = draw(st.sampled_from(TURNED[kind]))
        return f"({form.format(x=x)})", turned
    return (f"({pick(draw, FORMS[kind]).format(x=x)})" if draw(st.booleans()) else x), kind


def projected(draw: Draw, world: World) -> Made:
    q = world.below(draw)
    return select([value(draw, *x) for x in some(draw, q.typed("q"))], f"FROM {q.item('q')}", [q])


def told(draw: Draw, world: World) -> Made:
    """Conditions with subqueries among the columns, plain or in CASE."""
    q = world.below(draw)
    sql, parts = condition(draw, world, q.typed("q"))
    shown = pick(draw, ("{c}", "CASE WHEN {c} THEN 1 ELSE 0 END", "coalesce({c}, false)")).format(c=sql)
    kind = "int" if shown.startswith("CASE WHEN") and shown.endswith("THEN 1 ELSE 0 END") else "bool"
    return select([*some(draw, q.typed("q"), 2), (f"({shown})", kind)], f"FROM {q.item('q')}", [q, *parts])


def kept(draw: Draw, world: World) -> Made:
    """Conditions with subqueries in WHERE."""
    q = world.below(draw)
    sql, parts = condition(draw, world, q.typed("q"))
    return select(q.typed("q"), f"FROM {q.item('q')} WHERE {sql}", [q, *parts])


def row_local(draw: Draw, world: World) -> Made:
    """Subqueries that read no table."""
    q = world.below(draw)
    x = one(draw, q.typed("q"), ("int",), ("2", "int"))[0]
    series = f"FROM generate_series(0, {x} % 3) q_1(n)"
    if draw(st.booleans()):
        rest = f"FROM {q.item('q')} WHERE EXISTS (SELECT {series} WHERE q_1.n > 1)"
        return select(some(draw, q.typed("q")), rest, [q])
    forms = ("(SELECT count(*) {f})", "(SELECT max(q_1.n + {x}) {f} WHERE q_1.n < {x})", "({x} IN (SELECT q_1.n {f}))")
    form = pick(draw, forms)
    kind = "bool" if " IN " in form else "int"
    return select([*some(draw, q.typed("q"), 2), (form.format(f=series, x=x), kind)], f"FROM {q.item('q')}", [q])


def whole_row(draw: Draw, world: World) -> Made:
    left, right = world.below(draw), world.beside(draw)
    a, b, _ = pair(draw, left.typed("l"), right.typed("r"))
    both = f"FROM {left.item('l')} LEFT JOIN {right.item('r')} ON {a} = {b}"
    if draw(st.booleans()) or right.kinds[0] not in SHOWN:
        key = one(draw, left.typed("l"))
        shown = [key, ("count(r)", "int"), ("count(l)", "int"), ("count(*) FILTER (WHERE r IS NULL)", "int")]
        return select(shown, f"{both} GROUP BY {key[0]}", [left, right])
    shown = [*some(draw, left.typed("l"), 2), ("to_jsonb(r) ->> 'c1'", "text"), ("r IS NOT NULL", "bool")]
    return select(shown, both, [left, right])


def series(draw: Draw, world: World) -> Made:
    """Set-returning functions: in FROM, with ordinality, several at once, and among the columns."""
    q = world.below(draw)
    x = one(draw, q.typed("q"), ("int",), ("2", "int"))[0]
    t = one(draw, q.typed("q"), ("text",), ("'a b'", "text"))[0]
    forms: tuple[tuple[str, tuple[Typed, ...]], ...] = (
        (f"CROSS JOIN LATERAL generate_series(1, {x} % 3) g(n)", (("g.n", "int"),)),
        (f"LEFT JOIN LATERAL generate_series(1, {x} % 3) g(n) ON g.n > 1", (("g.n", "int"),)),
        (f", unnest(ARRAY[{x}, 1, NULL]) WITH ORDINALITY g(n, o)", (("g.n", "int"), ("g.o::int", "int"))),
        (f", regexp_split_to_table({t}, ' ') WITH ORDINALITY g(n, o)", (("g.n", "text"), ("g.o::int", "int"))),
        (
            f", ROWS FROM (generate_series(1, {x} % 4), unnest(ARRAY[{t}, 'k'])) g(n, o)",
            (("g.n", "int"), ("g.o", "text")),
        ),
    )
    if seldom(draw):
        return select(
            [*some(draw, q.typed("q"), 2), (f"generate_series(1, {x} % 3)", "int")], f"FROM {q.item('q')}", [q]
        )
    tail, offered = draw(st.sampled_from(forms))
    return select([*some(draw, q.typed("q"), 2), *offered], f"FROM {q.item('q')} {tail}", [q])
