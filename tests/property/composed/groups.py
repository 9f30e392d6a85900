"""GROUP BY in every form, with aggregates, HAVING and subqueries in them; DISTINCT and DISTINCT ON."""

from __future__ import annotations

from hypothesis import strategies as st

from property.composed.calls import call, calls, having
from property.composed.conditions import condition, test
from property.composed.made import Draw, Made, Typed, World, one, pair, pick, seldom, select, some
from property.composed.rows import value


def grouped(draw: Draw, world: World) -> Made:
    q = world.below(draw)
    typed = q.typed("q")
    keys = draw(st.lists(st.sampled_from(typed), max_size=2, unique=True))
    if keys and seldom(draw):
        keys = [value(draw, *keys[0])]
    tail = f" GROUP BY {', '.join(k for k, _ in keys)}" if keys else ""
    parts = [q]
    if seldom(draw):
        tail += f" HAVING {having(draw, typed)}"
    elif keys and seldom(draw):
        sql, more = condition(draw, world, keys)
        tail += f" HAVING {sql}"
        parts += more
    return select([*keys, *calls(draw, typed)], f"FROM {q.item('q')}{tail}", parts)


def in_sets(draw: Draw, world: World) -> Made:
    """ROLLUP, CUBE, GROUPING SETS, and GROUPING() among the columns."""
    q = world.below(draw)
    typed = q.typed("q")
    keys = some(draw, typed, 2)
    names = [k for k, _ in keys]
    both, first, last = ", ".join(names), names[0], names[-1]
    forms = (
        "ROLLUP ({b})",
        "CUBE ({b})",
        "GROUPING SETS (({b}), ())",
        "GROUPING SETS (({f}), ({l}))",
        "{f}, ROLLUP ({l})",
    )
    form = pick(draw, (*forms, "GROUPING SETS (({b}), ({f}), ({f}), ())")).format(b=both, f=first, l=last)
    shown: list[Typed] = [*keys, *calls(draw, typed, 2)]
    if seldom(draw, 2):
        shown.append((f"GROUPING({both})", "int"))
    tail = (
        f" HAVING {pick(draw, ('count(*) > 1', f'GROUPING({first}) = 0', f'{last} IS NOT NULL'))}"
        if seldom(draw)
        else ""
    )
    return select(shown, f"FROM {q.item('q')} GROUP BY {form}{tail}", [q])


def by_set(draw: Draw, world: World) -> Made:
    """A set-returning function among the keys."""
    q = world.below(draw)
    series = f"generate_series(0, {one(draw, q.typed('q'), ('int',), ('2', 'int'))[0]} % 3)"
    return select([(series, "int"), *calls(draw, q.typed("q"), 2)], f"FROM {q.item('q')} GROUP BY {series}", [q])


def of_subqueries(draw: Draw, world: World) -> Made:
    """Aggregates whose arguments and filters hold subqueries."""
    q, inner = world.below(draw), world.beside(draw)
    typed = q.typed("q")
    a, b, _ = pair(draw, typed, inner.typed("r"))
    key = one(draw, typed)
    many = f"(SELECT count(*) FROM {inner.item('r')} WHERE {a} = {b})"
    sql, more = condition(draw, world, typed)
    forms = (
        f"sum({many})::int",
        f"max({many})::int",
        f"count(*) FILTER (WHERE {sql})",
        f"count(*) FILTER (WHERE {many} > 1)",
    )
    shown = [key, (pick(draw, forms), "int")]
    return select(shown, f"FROM {q.item('q')} GROUP BY {key[0]}", [q, inner, *more])


def of_groups(draw: Draw, world: World) -> Made:
    """Aggregates of aggregates."""
    q = world.below(draw)
    typed = q.typed("q")
    key, kind = one(draw, typed)
    first, second = call(draw, typed), call(draw, typed)
    inner = f"SELECT {key} AS k, {first[0]} AS x, {second[0]} AS y FROM {q.item('q')} GROUP BY {key}"
    outer: list[Typed] = [("g.k", kind), ("g.x", first[1]), ("g.y", second[1])]
    keys = draw(st.lists(st.sampled_from(outer), max_size=1))
    tail = f" GROUP BY {keys[0][0]}" if keys else ""
    return select([*keys, *calls(draw, outer, 2)], f"FROM ({inner}) g{tail}", [q])


def distinct(draw: Draw, world: World) -> Made:
    q = world.below(draw)
    typed = q.typed("q")
    if draw(st.booleans()):
        where = f" WHERE {test(draw, typed)}" if seldom(draw) else ""
        return select(some(draw, typed, 2), f"FROM {q.item('q')}{where}", [q], "DISTINCT ")
    on = ", ".join(x for x, _ in some(draw, typed, 2))
    order = pick(draw, ("", " DESC", " NULLS FIRST")).join((on, f", {q.all('q')}"))
    return select(typed, f"FROM {q.item('q')} ORDER BY {order}", [q], f"DISTINCT ON ({on}) ")
