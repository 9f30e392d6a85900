"""Random queries composed of every operator, to any depth, over two types.

Each step takes queries whose columns are integers and texts and makes another such query of them, so that anything may
stand below anything. Orders are total: they name all columns, and rows that still tie are the same row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

Draw = st.DrawFn

TABLES = (
    "CREATE TABLE t1 (id int PRIMARY KEY, a int, s text)",
    "CREATE TABLE t2 (a int, b int, s text)",
    "CREATE TABLE t3 (a int NOT NULL, b int NOT NULL, s text, PRIMARY KEY (a, b))",
)
BASE = {
    "t1": (("id", "int"), ("a", "int"), ("s", "text")),
    "t2": (("a", "int"), ("b", "int"), ("s", "text")),
    "t3": (("a", "int"), ("b", "int"), ("s", "text")),
}


@dataclass(frozen=True, slots=True)
class Made:
    """A query and its columns, each called c1, c2, … and either int or text."""

    sql: str
    types: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        return [f"c{i + 1}" for i in range(len(self.types))]

    def as_item(self, alias: str) -> str:
        return f"({self.sql}) {alias}"

    def columns(self, alias: str, type: str | None = None) -> list[str]:
        return [f"{alias}.{n}" for n, t in zip(self.names, self.types, strict=True) if type in (None, t)]

    def typed(self, alias: str) -> list[tuple[str, str]]:
        return [(f"{alias}.{n}", t) for n, t in zip(self.names, self.types, strict=True)]


def _select(targets: Sequence[tuple[str, str]], rest: str, word: str = "") -> Made:
    shown = ", ".join(f"{sql} AS c{i + 1}" for i, (sql, _) in enumerate(targets))
    return Made(f"SELECT {word}{shown} {rest}", tuple(type for _, type in targets))


def _some(draw: Draw, typed: Sequence[tuple[str, str]], most: int = 3) -> list[tuple[str, str]]:
    return draw(st.lists(st.sampled_from(typed), min_size=1, max_size=most, unique=True))


def _pair(draw: Draw, left: Sequence[tuple[str, str]], right: Sequence[tuple[str, str]]) -> tuple[str, str]:
    pairs = [(a, b) for a, at in left for b, bt in right if at == bt]
    return draw(st.sampled_from(pairs)) if pairs else ("1", "1")


def _test(draw: Draw, typed: Sequence[tuple[str, str]]) -> str:
    x, type = draw(st.sampled_from(typed))
    literal = draw(st.sampled_from(("0", "1", "2", "3") if type == "int" else ("'a'", "'b'", "''")))
    form = draw(
        st.sampled_from(("{x} = {l}", "{x} <> {l}", "{x} < {l}", "{x} IS NULL", "{x} IS NOT NULL", "{x} >= {l}"))
    )
    return str(form.format(x=x, l=literal))


@st.composite
def composed(draw: Draw, depth: int) -> Made:
    """A query of at most so many operators above each other."""
    if depth == 0:
        name = draw(st.sampled_from(sorted(BASE)))
        return _select([(f"{name}.{c}", t) for c, t in BASE[name]], f"FROM {name}")
    step = draw(st.sampled_from(STEPS))
    return step(draw, depth)


def _below(draw: Draw, depth: int) -> Made:
    return draw(composed(draw(st.integers(max(0, depth - 2), depth - 1))))


def _filter(draw: Draw, depth: int) -> Made:
    q = _below(draw, depth)
    return _select(q.typed("q"), f"FROM {q.as_item('q')} WHERE {_test(draw, q.typed('q'))}")


def _project(draw: Draw, depth: int) -> Made:
    q = _below(draw, depth)
    forms = {"int": ("{x}", "({x} + 1) % 5", "coalesce({x}, 7)"), "text": ("{x}", "upper({x})", "coalesce({x}, 'z')")}
    shown = [(str(draw(st.sampled_from(forms[t])).format(x=x)), t) for x, t in _some(draw, q.typed("q"))]
    return _select(shown, f"FROM {q.as_item('q')}")


def _join(draw: Draw, depth: int) -> Made:
    left, right = _below(draw, depth), _below(draw, depth - 1 if depth > 1 else depth)
    word = draw(st.sampled_from(("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")))
    a, b = _pair(draw, left.typed("l"), right.typed("r"))
    on = f"{a} = {b}"
    if word not in ("FULL JOIN",):
        on = draw(st.sampled_from((on, on, on, f"{on} AND {_test(draw, right.typed('r'))}", f"{a} < {b}")))
    shown = _some(draw, [*left.typed("l"), *right.typed("r")], 4)
    return _select(shown, f"FROM {left.as_item('l')} {word} {right.as_item('r')} ON {on}")


def _semijoin(draw: Draw, depth: int) -> Made:
    left, right = _below(draw, depth), _below(draw, depth - 1 if depth > 1 else depth)
    a, b = _pair(draw, left.typed("l"), right.typed("r"))
    inside = right.as_item("r")
    forms = (
        f"EXISTS (SELECT FROM {inside} WHERE {a} = {b})",
        f"NOT EXISTS (SELECT FROM {inside} WHERE {a} = {b} AND {_test(draw, right.typed('r'))})",
        f"{a} IN (SELECT {b} FROM {inside})",
        f"{a} NOT IN (SELECT {b} FROM {inside})",
        f"{a} > ANY (SELECT {b} FROM {inside})",
        f"{a} <= ALL (SELECT {b} FROM {inside} WHERE {b} IS NOT NULL)",
        f"{a} IN (SELECT {b} FROM {inside}) OR {_test(draw, left.typed('l'))}",
    )
    condition = draw(st.sampled_from(forms))
    if draw(st.integers(0, 3)) == 0:
        shown = [*_some(draw, left.typed("l"), 2), (f"CASE WHEN {condition} THEN 1 ELSE 0 END", "int")]
        return _select(shown, f"FROM {left.as_item('l')}")
    return _select(left.typed("l"), f"FROM {left.as_item('l')} WHERE {condition}")


def _scalar(draw: Draw, depth: int) -> Made:
    left, right = _below(draw, depth), _below(draw, depth - 1 if depth > 1 else depth)
    a, b = _pair(draw, left.typed("l"), right.typed("r"))
    v, type = draw(st.sampled_from(right.typed("r")))
    order = ", ".join(right.columns("r"))
    inner = draw(
        st.sampled_from(
            (
                (f"SELECT max({v}) FROM {right.as_item('r')} WHERE {b} = {a}", type),
                (f"SELECT count(*) FROM {right.as_item('r')} WHERE {b} = {a}", "int"),
                (f"SELECT min({v}) FROM {right.as_item('r')}", type),
                (f"SELECT {v} FROM {right.as_item('r')} WHERE {b} = {a} ORDER BY {order} LIMIT 1", type),
            )
        )
    )
    return _select([*_some(draw, left.typed("l"), 2), (f"({inner[0]})", inner[1])], f"FROM {left.as_item('l')}")


def _calls(draw: Draw, q: Made) -> list[tuple[str, str]]:
    forms = [("count(*)", "int")]
    for x, type in q.typed("q"):
        forms += [(f"min({x})", type), (f"max({x})", type), (f"count({x})", "int"), (f"count(DISTINCT {x})", "int")]
        if type == "int":
            forms += [(f"sum({x}) % 1000", "int"), (f"count({x}) FILTER (WHERE {_test(draw, q.typed('q'))})", "int")]
        else:
            forms.append((f"string_agg({x}, ',' ORDER BY {x})", "text"))
    return draw(st.lists(st.sampled_from(forms), min_size=1, max_size=2, unique=True))


def _group(draw: Draw, depth: int) -> Made:
    q = _below(draw, depth)
    keys = draw(st.lists(st.sampled_from(q.typed("q")), max_size=2, unique=True))
    calls = _calls(draw, q)
    names = ", ".join(k for k, _ in keys)
    form = draw(st.sampled_from(("{k}", "{k}", "{k}", "ROLLUP ({k})", "CUBE ({k})", "GROUPING SETS (({k}), ())")))
    tail = f" GROUP BY {form.format(k=names)}" if keys else ""
    if draw(st.integers(0, 3)) == 0:
        tail += " HAVING count(*) > 1"
    return _select([*keys, *calls], f"FROM {q.as_item('q')}{tail}")


def _distinct(draw: Draw, depth: int) -> Made:
    q = _below(draw, depth)
    if draw(st.booleans()):
        return _select(_some(draw, q.typed("q"), 2), f"FROM {q.as_item('q')}", "DISTINCT ")
    on, order = draw(st.sampled_from(q.columns("q"))), ", ".join(q.columns("q"))
    return _select(q.typed("q"), f"FROM {q.as_item('q')} ORDER BY {on}, {order}", f"DISTINCT ON ({on}) ")


def _window(draw: Draw, depth: int) -> Made:
    q = _below(draw, depth)
    everything = ", ".join(q.columns("q"))
    part = draw(st.sampled_from(["", *(f"PARTITION BY {x} " for x in q.columns("q"))]))
    x, type = draw(st.sampled_from(q.typed("q")))
    desc = draw(st.sampled_from(("", " DESC", " DESC NULLS LAST")))
    forms = [
        (f"row_number() OVER ({part}ORDER BY {everything})", "int"),
        (f"rank() OVER ({part}ORDER BY {x}{desc})", "int"),
        (f"lag({x}) OVER ({part}ORDER BY {everything})", type),
        (f"count(*) OVER ({part}ORDER BY {x}{desc})", "int"),
        (f"max({x}) OVER ({part}ORDER BY {everything} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)", type),
    ]
    if type == "int":
        forms.append((f"sum({x}) OVER ({part}) % 1000", "int"))
    calls = draw(st.lists(st.sampled_from(forms), min_size=1, max_size=2, unique=True))
    return _select([*_some(draw, q.typed("q"), 2), *calls], f"FROM {q.as_item('q')}")


def _limit(draw: Draw, depth: int) -> Made:
    q = _below(draw, depth)
    order = ", ".join(f"{x}{draw(st.sampled_from(('', ' DESC', ' NULLS FIRST')))}" for x in q.columns("q"))
    tail = draw(st.sampled_from(("LIMIT 3", "LIMIT 2 OFFSET 1", "OFFSET 2", "FETCH FIRST 2 ROWS WITH TIES")))
    return _select(q.typed("q"), f"FROM {q.as_item('q')} ORDER BY {order} {tail}")


def _sets(draw: Draw, depth: int) -> Made:
    left, right = _below(draw, depth), _below(draw, depth - 1 if depth > 1 else depth)
    a, b = _pair(draw, left.typed("l"), right.typed("r"))
    word = draw(st.sampled_from(("UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL")))
    type = dict(left.typed("l")).get(a, "int")
    return Made(f"(SELECT {a} AS c1 FROM {left.as_item('l')}) {word} (SELECT {b} FROM {right.as_item('r')})", (type,))


def _lateral(draw: Draw, depth: int) -> Made:
    left, right = _below(draw, depth), _below(draw, depth - 1 if depth > 1 else depth)
    a, b = _pair(draw, left.typed("l"), right.typed("r"))
    order = ", ".join(right.columns("r"))
    inner = f"SELECT r.* FROM {right.as_item('r')} WHERE {b} = {a} ORDER BY {order} LIMIT 2"
    word = draw(st.sampled_from(("CROSS JOIN LATERAL ({i}) x", "LEFT JOIN LATERAL ({i}) x ON true"))).format(i=inner)
    return _select(_some(draw, [*left.typed("l"), *right.typed("x")], 4), f"FROM {left.as_item('l')} {word}")


def _series(draw: Draw, depth: int) -> Made:
    q = _below(draw, depth)
    x = draw(st.sampled_from([*q.columns("q", "int"), "2"]))
    shown = [*_some(draw, q.typed("q"), 2), ("g.n", "int")]
    return _select(shown, f"FROM {q.as_item('q')} CROSS JOIN LATERAL generate_series(1, {x} % 3) g(n)")


def _with(draw: Draw, depth: int) -> Made:
    q = _below(draw, depth)
    a, b = _pair(draw, q.typed("x"), q.typed("y"))
    shown = _some(draw, [*q.typed("x"), *q.typed("y")], 3)
    made = _select(shown, f"FROM w x JOIN w y ON {a} = {b}")
    return Made(f"WITH w AS ({q.sql}) {made.sql}", made.types)


def _recursive(draw: Draw, depth: int) -> Made:
    q = _below(draw, depth)
    ints = q.columns("q", "int") or ["1"]
    a, b = draw(st.sampled_from(ints)), draw(st.sampled_from([*ints, "r.c1 + 1"]))
    word, bound = draw(st.sampled_from((("UNION", "r.c2 < 3"), ("UNION ALL", "r.c2 < 2"))))
    again = f"SELECT ({b})::int, r.c2 + 1 FROM {q.as_item('q')} JOIN r ON {a} = r.c1 WHERE {bound}"
    first = f"SELECT ({draw(st.sampled_from([*ints, '0']))})::int, 0 FROM {q.as_item('q')}"
    shown = [("r.c1", "int"), ("r.c2", "int")]
    rest = draw(
        st.sampled_from(
            (
                "FROM r",
                "FROM r WHERE r.c2 > 0",
                "FROM r LEFT JOIN t1 x ON x.id = r.c1",
                "FROM t3 x JOIN r ON x.b = r.c1",
            )
        )
    )
    shown += [("x.s", "text")] if " x " in rest else []
    made = _select(_some(draw, shown), rest)
    return Made(f"WITH RECURSIVE r(c1, c2) AS ({first} {word} {again}) {made.sql}", made.types)


def _row_local(draw: Draw, depth: int) -> Made:
    q = _below(draw, depth)
    x = draw(st.sampled_from(q.columns("q", "int") or ["2"]))
    series = f"FROM generate_series(0, {x} % 3) q_1(n)"
    if draw(st.booleans()):
        return _select(
            _some(draw, q.typed("q")), f"FROM {q.as_item('q')} WHERE EXISTS (SELECT {series} WHERE q_1.n > 1)"
        )
    form = draw(st.sampled_from(("(SELECT count(*) {f})", "(SELECT max(q_1.n + {x}) {f} WHERE q_1.n < {x})")))
    return _select([*_some(draw, q.typed("q"), 2), (form.format(f=series, x=x), "int")], f"FROM {q.as_item('q')}")


def _whole_row(draw: Draw, depth: int) -> Made:
    left, right = _below(draw, depth), _below(draw, depth - 1 if depth > 1 else depth)
    a, b = _pair(draw, left.typed("l"), right.typed("r"))
    both = f"FROM {left.as_item('l')} LEFT JOIN {right.as_item('r')} ON {a} = {b}"
    if draw(st.booleans()):
        key, type = draw(st.sampled_from(left.typed("l")))
        return _select([(key, type), ("count(r)", "int"), ("count(l)", "int")], f"{both} GROUP BY {key}")
    return _select([*_some(draw, left.typed("l"), 2), ("to_jsonb(r) ->> 'c1'", "text")], both)


def _tied_twice(draw: Draw, depth: int) -> Made:
    left, right = _below(draw, depth), _below(draw, depth - 1 if depth > 1 else depth)
    a, b = _pair(draw, left.typed("l"), right.typed("r"))
    x = draw(st.sampled_from(left.columns("l", "int") or ["1"]))
    y = draw(st.sampled_from(right.columns("r", "int") or ["length(r.c1)"]))
    inner = f"SELECT FROM t2 WHERE t2.a = {x} AND t2.b >= {y}"
    forms = (
        f"EXISTS (SELECT FROM {right.as_item('r')} WHERE {a} = {b} AND NOT EXISTS ({inner}))",
        f"{x} < (SELECT sum({y} + {x}) FROM {right.as_item('r')} WHERE {a} = {b})",
        f"{x} IN (SELECT {y} FROM {right.as_item('r')} GROUP BY {y} HAVING count(*) > {x})",
    )
    return _select(_some(draw, left.typed("l")), f"FROM {left.as_item('l')} WHERE {draw(st.sampled_from(forms))}")


def _on_a_subquery(draw: Draw, depth: int) -> Made:
    left, right = _below(draw, depth), _below(draw, depth - 1 if depth > 1 else depth)
    a, b = _pair(draw, left.typed("l"), right.typed("r"))
    x = draw(st.sampled_from([*left.columns("l", "int"), *right.columns("r", "int"), "1"]))
    word = draw(st.sampled_from(("LEFT JOIN", "RIGHT JOIN")))
    test = draw(st.sampled_from(("EXISTS (SELECT FROM t2 WHERE t2.a = {x})", "{x} NOT IN (SELECT b FROM t2)")))
    on = f"{a} = {b} AND {test.format(x=x)}"
    shown = _some(draw, [*left.typed("l"), *right.typed("r")], 4)
    return _select(shown, f"FROM {left.as_item('l')} {word} {right.as_item('r')} ON {on}")


def _limit_by_subquery(draw: Draw, depth: int) -> Made:
    q = _below(draw, depth)
    order = ", ".join(q.columns("q"))
    return _select(q.typed("q"), f"FROM {q.as_item('q')} ORDER BY {order} LIMIT (SELECT count(*) / 2 FROM t2)")


def _group_by_set(draw: Draw, depth: int) -> Made:
    q = _below(draw, depth)
    x = draw(st.sampled_from(q.columns("q", "int") or ["2"]))
    return _select(
        [(f"generate_series(0, {x} % 3)", "int"), *_calls(draw, q)],
        f"FROM {q.as_item('q')} GROUP BY generate_series(0, {x} % 3)",
    )


STEPS: tuple[Callable[[Draw, int], Made], ...] = (
    *(_filter, _project, _join, _join, _semijoin, _scalar, _group, _group, _distinct),
    *(_window, _limit, _sets, _lateral, _series, _with),
    *(_recursive, _row_local, _whole_row, _tied_twice, _on_a_subquery, _limit_by_subquery, _group_by_set),
)
