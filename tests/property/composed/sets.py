"""Set operations, plain and ALL, in each other; VALUES; WITH queries that are shared and inlined."""

from __future__ import annotations

from hypothesis import strategies as st

from property.composed.kinds import KINDS
from property.composed.made import Draw, Made, Typed, World, pair, pick, seldom, select, some

WORDS = ("UNION", "UNION ALL", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL")


def combined(draw: Draw, world: World) -> Made:
    left, right = world.below(draw), world.beside(draw)
    pairs = [pair(draw, left.typed("l"), right.typed("r")) for _ in range(draw(st.integers(1, 2)))]
    word = pick(draw, WORDS)
    mine = ", ".join(f"{a} AS c{i + 1}" for i, (a, _, _) in enumerate(pairs))
    other = ", ".join(b for _, b, _ in pairs)
    made = f"(SELECT {mine} FROM {left.item('l')}) {word} (SELECT {other} FROM {right.item('r')})"
    kinds, parts = tuple(kind for _, _, kind in pairs), [left, right]
    if seldom(draw):
        third = world.beside(draw)
        constants = [pick(draw, KINDS[kind].literals) for kind in kinds]
        again = ", ".join(
            draw(st.sampled_from(third.columns("x", (kind,)) or [constant]))
            for kind, constant in zip(kinds, constants, strict=True)
        )
        made = f"({made}) {pick(draw, WORDS)} (SELECT {again} FROM {third.item('x')})"
        parts.append(third)
    if seldom(draw, 5):
        made += f" ORDER BY {', '.join(str(i + 1) for i in range(len(kinds)))} LIMIT 3"
    return Made(made, kinds, tuple(parts))


def beside_values(draw: Draw, world: World) -> Made:
    """Joined with VALUES."""
    q = world.below(draw)
    x, kind = draw(st.sampled_from(q.typed("q")))
    rows = ", ".join(f"({pick(draw, KINDS[kind].literals)}, {i})" for i in range(draw(st.integers(1, 3))))
    word = pick(draw, ("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
    shown: list[Typed] = [*some(draw, q.typed("q"), 2), ("v.k", kind), ("v.n", "int")]
    return select(shown, f"FROM {q.item('q')} {word} (VALUES {rows}) v(k, n) ON v.k = {x}", [q])


def shared(draw: Draw, world: World) -> Made:
    """A WITH query that is read twice, or once, or in a subquery, or by another one."""
    q = world.below(draw)
    a, b, _ = pair(draw, q.typed("x"), q.typed("y"))
    word = pick(draw, ("", "", "MATERIALIZED ", "NOT MATERIALIZED "))
    columns = ", ".join(f"c{i + 1}" for i in range(len(q.kinds)))
    head = f"WITH w({columns}) AS {word}({q.sql}) "
    match draw(st.integers(0, 3)):
        case 0:
            return select(some(draw, q.typed("x")), f"FROM w x WHERE {a} NOT IN (SELECT {b} FROM w y)", [q], head=head)
        case 1:
            head = f"{head.rstrip()}, v AS (SELECT * FROM w UNION ALL SELECT * FROM w) "
            return select(some(draw, q.typed("x")), f"FROM v x LEFT JOIN w y ON {a} = {b}", [q], head=head)
        case 2:
            return select([*some(draw, q.typed("x")), ("(SELECT count(*) FROM w)", "int")], "FROM w x", [q], head=head)
        case _:
            both = [*q.typed("x"), *q.typed("y")]
            return select(
                some(draw, both), f"FROM w x {pick(draw, ('JOIN', 'FULL JOIN'))} w y ON {a} = {b}", [q], head=head
            )
