"""Aggregate calls of every sort, alone and in expressions; each is a function of the bag of rows."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from property.composed.conditions import test
from property.composed.kinds import ORDERED
from property.composed.made import Draw, Typed, one, pick, seldom

# By kind of the argument; {x} is the argument, {y} an integer beside it.
ANY = (("count({x})", "int"), ("count(DISTINCT {x})", "int"), ("bool_or({x} IS NULL)", "bool"))
ORDER = (("min({x})", ""), ("max({x})", ""), ("max({x})", ""))
OF = {
    "int": (
        ("sum({x})::int % 1000", "int"),
        ("coalesce(sum({x}), 0)::int % 7", "int"),
        ("sum(DISTINCT {x})::int", "int"),
        ("avg({x})", "loose"),
        ("max({x}) - min({x})", "int"),
        ("bit_or({x})", "int"),
        ("stddev_samp({x})", "loose"),
        ("var_pop({x})", "loose"),
        ("round(corr({x}, {y})::numeric, 4)", "loose"),
        ("round(regr_slope({x}, {y})::numeric, 4)", "loose"),
        ("regr_count({x}, {y})::int", "int"),
        ("round(covar_pop({x}, {y})::numeric, 4)", "loose"),
        ("percentile_disc(0.5) WITHIN GROUP (ORDER BY {x})", "int"),
        ("percentile_cont(0.25) WITHIN GROUP (ORDER BY {x})::numeric(8,2)", "money"),
        ("mode() WITHIN GROUP (ORDER BY {x})", "int"),
        ("rank(1) WITHIN GROUP (ORDER BY {x})::int", "int"),
        ("dense_rank(2) WITHIN GROUP (ORDER BY {x} DESC)::int", "int"),
        ("(cume_dist(1) WITHIN GROUP (ORDER BY {x}))::numeric(8,2)", "money"),
        ("array_to_string(array_agg({x} ORDER BY {x}), ',', '-')", "text"),
        ("jsonb_agg({x} ORDER BY {x} DESC)::text", "text"),
    ),
    "text": (
        ("string_agg({x}, ',' ORDER BY {x})", "text"),
        ("string_agg(DISTINCT {x}, '' ORDER BY {x} DESC)", "text"),
        ("mode() WITHIN GROUP (ORDER BY {x})", "text"),
        ("percentile_disc(0.75) WITHIN GROUP (ORDER BY {x})", "text"),
        ("jsonb_object_agg(coalesce({x}, '-'), 1)::text", "text"),
    ),
    "money": (
        ("sum({x})", "money"),
        ("sum(DISTINCT {x})", "money"),
        ("avg({x})", "loose"),
        ("var_samp({x})", "loose"),
        ("max({x}) + min({x})", "money"),
        ("percentile_disc(0.5) WITHIN GROUP (ORDER BY {x})", "money"),
    ),
    "loose": (("sum({x})", "loose"), ("avg({x})", "loose"), ("count(DISTINCT {x})", "int")),
    "date": (
        ("max({x}) - min({x})", "int"),
        ("mode() WITHIN GROUP (ORDER BY {x} DESC)", "date"),
        ("percentile_disc(0) WITHIN GROUP (ORDER BY {x})", "date"),
    ),
    "stamp": (("(max({x}) - min({x}))::text", "text"),),
    "bool": (("bool_and({x})", "bool"), ("bool_or({x})", "bool"), ("count(*) FILTER (WHERE {x})", "int")),
}
# These stand in an expression or take no FILTER in this place.
UNFILTERED = ("%", " - ", "::", " + ", "round(", "FILTER", "array_to_string", "coalesce(sum")


def call(draw: Draw, typed: Sequence[Typed]) -> Typed:
    """One call."""
    if seldom(draw, 5):
        return draw(st.sampled_from((("count(*)", "int"), ("count(*) * 2", "int"), ("(count(*) > 1)", "bool"))))
    x, kind = one(draw, typed)
    y = one(draw, typed, ("int",))[0]
    forms = (*ANY, *OF[kind], *OF[kind], *(ORDER if kind in ORDERED else ()))
    form, result = draw(st.sampled_from(forms))
    sql = form.format(x=x, y=y)
    if seldom(draw) and not any(mark in sql for mark in UNFILTERED):
        sql = f"{sql} FILTER (WHERE {test(draw, typed)})"
    return sql, result or kind


def calls(draw: Draw, typed: Sequence[Typed], most: int = 3) -> list[Typed]:
    return [call(draw, typed) for _ in range(draw(st.integers(1, most)))]


def having(draw: Draw, typed: Sequence[Typed]) -> str:
    x, _ = one(draw, typed)
    return pick(draw, ("count(*) > 1", f"count({x}) >= 1", f"count(DISTINCT {x}) < 3", f"max({x}::text) IS NOT NULL"))
