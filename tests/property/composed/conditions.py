"""Conditions: comparisons of columns, and subqueries of every sort, under AND, OR, NOT, IS TRUE and CASE."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from property.composed.kinds import KINDS, ORDERED
from property.composed.made import Draw, Made, Typed, World, one, pair, pick, seldom


def test(draw: Draw, typed: Sequence[Typed]) -> str:
    """A comparison of a column with a literal or another column."""
    x, kind = draw(st.sampled_from(typed))
    literal = pick(draw, KINDS[kind].literals)
    forms = [
        "{x} = {l}",
        "{x} <> {l}",
        "{x} IS NULL",
        "{x} IS NOT NULL",
        "{x} IS DISTINCT FROM {l}",
        "{x} IN ({l}, {x})",
    ]
    if kind in ORDERED:
        forms += ["{x} < {l}", "{x} >= {l}", "{x} BETWEEN {l} AND {l}"]
    others = [other for other, k in typed if k == kind and other != x]
    if others and seldom(draw, 3):
        literal = pick(draw, others)
    return pick(draw, forms).format(x=x, l=literal)


def condition(draw: Draw, world: World, typed: Sequence[Typed]) -> tuple[str, list[Made]]:
    """A condition over these columns that holds at least one subquery."""
    sql, made = _subquery(draw, world, typed)
    parts = [made]
    form = draw(st.integers(0, 9))
    if form in (4, 5):
        sql = f"({sql} {pick(draw, ('OR', 'AND'))} {test(draw, typed)})"
    elif form == 6:
        other, more = _subquery(draw, world, typed)
        parts.append(more)
        sql = f"({sql} {pick(draw, ('OR', 'AND', 'OR NOT'))} {other})"
    elif form == 7:
        sql = f"NOT ({sql})"
    elif form == 8:
        sql = f"({sql}) {pick(draw, ('IS TRUE', 'IS NOT TRUE', 'IS NULL', 'IS NOT FALSE'))}"
    elif form == 9:
        sql = f"CASE WHEN {test(draw, typed)} THEN {sql} ELSE {test(draw, typed)} END"
    return sql, parts


def _subquery(draw: Draw, world: World, typed: Sequence[Typed]) -> tuple[str, Made]:
    inner = world.beside(draw)
    inside, r = inner.item("s"), inner.typed("s")
    a, b, kind = pair(draw, typed, r)
    tie = pick(draw, (f"{a} = {b}", f"{a} = {b}", f"{a} = {b} AND {test(draw, r)}", f"{a} IS NOT DISTINCT FROM {b}"))
    if kind in ORDERED and seldom(draw):
        tie = f"{b} {pick(draw, ('<', '>=', '<>'))} {a}"
    where = f"WHERE {tie}"
    if seldom(draw):
        where += f" AND {_nested(draw, world, typed, r)}"
    loose = pick(draw, ("", "", f" WHERE {test(draw, r)}", f" WHERE {_tie(draw, typed, r)}"))
    forms = [
        f"EXISTS (SELECT FROM {inside} {where})",
        f"NOT EXISTS (SELECT FROM {inside} {where})",
        f"EXISTS (SELECT {b} FROM {inside} {where} GROUP BY {b} HAVING count(*) > 1)",
        f"EXISTS (SELECT DISTINCT {b} FROM {inside} {where} OFFSET 1)",
        f"{a} IN (SELECT {b} FROM {inside}{loose})",
        f"{a} NOT IN (SELECT {b} FROM {inside}{loose})",
        f"({a}, {a}) IN (SELECT {b}, {pair(draw, [(a, kind)], r)[1]} FROM {inside})",
        f"(SELECT count(*) FROM {inside} {where}) {pick(draw, ('> 0', '= 1', '< 2'))}",
        f"{a} = (SELECT max({b}) FROM {inside}{loose})" if kind in ORDERED else f"{a} = ALL (SELECT {b} FROM {inside})",
    ]
    if kind in ORDERED:
        operator, word = pick(draw, ("=", "<>", "<", ">=")), pick(draw, ("ANY", "ALL", "SOME"))
        forms += [f"{a} {operator} {word} (SELECT {b} FROM {inside}{loose})"] * 2
    return pick(draw, forms), inner


def _tie(draw: Draw, left: Sequence[Typed], right: Sequence[Typed]) -> str:
    a, b, _ = pair(draw, left, right)
    return f"{a} = {b}"


def _nested(draw: Draw, world: World, outer: Sequence[Typed], middle: Sequence[Typed]) -> str:
    """A subquery in the subquery, tied to the one around it, or across it to the outermost."""
    source, column = world.source(draw)
    x = one(draw, [*middle, *outer], ("int",))[0]
    form = pick(
        draw, ("EXISTS ({s} {c} = {x})", "NOT EXISTS ({s} {c} = {x})", "{x} IN ({n})", "{x} > ({m} {c} <> {x})")
    )
    return form.format(
        s=f"SELECT FROM {source.sql} n WHERE",
        c=f"n.{column}",
        x=x,
        n=f"SELECT n.{column} FROM {source.sql} n",
        m=f"SELECT min(n.{column}) FROM {source.sql} n WHERE",
    )
