"""Random defining queries of the class that is kept differentially.

Filter, project, inner, cross, self and non-equi joins of up to four items; subqueries and WITH queries in FROM,
with groups, DISTINCT and UNION ALL in them; UNION ALL and UNION, DISTINCT, GROUP BY with FILTER, DISTINCT aggregates
and HAVING at the top. A query of this class that is not compiled is a failure of the trial, so nothing passes by being
refreshed in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from property.types import BIGINT, BOOLEAN, FLOAT, INT, MONEY, NUMERIC, POSITIVE, SMALLINT, SUMMABLE, TEXT, Type
from property.worlds import COLUMN_NAMES, Column, quoted


@dataclass(frozen=True, slots=True)
class Relation:
    """Anything with a name that can stand in FROM; `wide` ones are joined to little else."""

    sql: str
    columns: tuple[Column, ...]
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """A scalar expression and its type."""

    sql: str
    type: Type


@dataclass(frozen=True, slots=True)
class Query:
    """A query, its output columns, and its shape: rows, groups, distinct or union."""

    sql: str
    columns: tuple[Column, ...]
    shape: str


@dataclass(frozen=True, slots=True)
class From:
    """A FROM clause with what it offers, the WITH queries it needs, and conditions that belong in WHERE."""

    sql: str
    values: tuple[Value, ...]
    ctes: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()

    def select(self, targets: str, conditions: Sequence[str], tail: str = "") -> str:
        """The whole SELECT."""
        where = [*self.conditions, *conditions]
        head = f"WITH {', '.join(self.ctes)} " if self.ctes else ""
        return (
            f"{head}SELECT {targets} FROM {self.sql}"
            + (f" WHERE {' AND '.join(f'({c})' for c in where)}" if where else "")
            + tail
        )


@st.composite
def queries(draw: st.DrawFn, relations: Sequence[Relation], shapes: Sequence[str] = ()) -> Query:
    """A query over the relations."""
    shape = draw(st.sampled_from(shapes or ("rows", "rows", "groups", "groups", "groups", "distinct", "union")))
    match shape:
        case "rows":
            return draw(_rows(relations))
        case "groups":
            return draw(_groups(relations))
        case "distinct":
            return draw(_distinct(relations))
        case _:
            return draw(_union(relations))


# FROM -----------------------------------------------------------------------------------------------------


@st.composite
def _item(draw: st.DrawFn, relations: Sequence[Relation], alias: str) -> tuple[str, tuple[Value, ...], str]:
    """One item of FROM: its text, its columns, and a WITH query if it needs one."""
    relation = draw(st.sampled_from(relations))
    values = tuple(Value(f"{alias}.{c.sql}", c.type) for c in relation.columns)
    kind = draw(st.sampled_from(("plain",) * 7 + ("subquery", "with", "union", "renamed", "groups", "distinct")))
    if kind == "plain":
        return f"{relation.sql} {alias}", values, ""
    if kind == "renamed":
        names = ", ".join(f"r{i}" for i in range(len(values)))
        renamed = tuple(Value(f"{alias}.r{i}", v.type) for i, v in enumerate(values))
        return f"{relation.sql} {alias} ({names})", renamed, ""
    inner = tuple(Value(f"i.{c.sql}", c.type) for c in relation.columns)
    able = [v for v in inner if v.type.groups]
    if kind in ("groups", "distinct") and able:
        return draw(_grouped_item(relation, able, alias, kind))
    chosen = draw(st.lists(st.sampled_from(inner), min_size=1, max_size=4))
    outputs = tuple(Value(f"{alias}.k{i}", v.type) for i, v in enumerate(chosen))
    targets = ", ".join(f"{v.sql} AS k{i}" for i, v in enumerate(chosen))
    condition = draw(predicates(inner))
    body = f"SELECT {targets} FROM {relation.sql} i WHERE {condition}"
    if kind == "union":
        other = draw(predicates(inner))
        body = f"{body} UNION ALL SELECT {targets} FROM {relation.sql} i WHERE {other}"
    if kind == "with":
        return f"w_{alias} {alias}", outputs, f"w_{alias} AS ({body})"
    return f"({body}) {alias}", outputs, ""


@st.composite
def _grouped_item(
    draw: st.DrawFn, relation: Relation, able: Sequence[Value], alias: str, kind: str
) -> tuple[str, tuple[Value, ...], str]:
    """A subquery of one row per group."""
    keys = draw(st.lists(st.sampled_from(able), min_size=1, max_size=2, unique=True))
    calls = draw(st.lists(aggregates(able), min_size=1, max_size=2)) if kind == "groups" else []
    word = "DISTINCT " if kind == "distinct" else ""
    tail = f" GROUP BY {', '.join(v.sql for v in keys)}" if kind == "groups" else ""
    if kind == "groups" and draw(st.integers(0, 3)) == 0:
        tail += " HAVING count(*) > 1"
    shown = [*keys, *calls]
    targets = ", ".join(f"{v.sql} AS k{i}" for i, v in enumerate(shown))
    body = f"SELECT {word}{targets} FROM {relation.sql} i WHERE {draw(predicates(able))}{tail}"
    return f"({body}) {alias}", tuple(Value(f"{alias}.k{i}", v.type) for i, v in enumerate(shown)), ""


@st.composite
def _from(draw: st.DrawFn, relations: Sequence[Relation], most: int = 4) -> From:
    sql, values, cte = draw(_item(relations, "a"))
    ctes = [cte] if cte else []
    conditions: list[str] = []
    narrow = [r for r in relations if not r.wide]
    count = draw(st.sampled_from((1, 1, 2, 2, 2, 3, 4)))
    # A comma binds less than JOIN, so the two are not mixed.
    with_commas = draw(st.integers(0, 2)) == 0
    for alias in "bcd"[: min(count, most) - 1]:
        text, offered, cte = draw(_item(narrow, alias))
        ctes += [cte] if cte else []
        on = draw(_join_condition(values, offered, allow_none=alias == "b"))
        if with_commas:
            sql = f"{sql}, {text}"
            conditions += [on] if on is not None else []
        else:
            sql = f"{sql} CROSS JOIN {text}" if on is None else f"{sql} JOIN {text} ON {on}"
        values = values + offered
    return From(sql, values, tuple(ctes), tuple(conditions))


def _groupable(relations: Sequence[Relation], most: int = 4) -> st.SearchStrategy[From]:
    """A FROM clause that offers something to group by."""
    return _from(relations, most).filter(lambda source: any(v.type.groups for v in source.values))


@st.composite
def _join_condition(draw: st.DrawFn, left: Sequence[Value], right: Sequence[Value], allow_none: bool) -> str | None:
    pairs = [(a, b) for a in left for b in right if a.type.family == b.type.family and a.type.groups]
    if not pairs or (allow_none and draw(st.integers(0, 9)) == 0):
        return None if allow_none or not pairs else "true"
    a, b = draw(st.sampled_from(pairs))
    if draw(st.booleans()):
        a, b = b, a
    kinds = ["=", "=", "=", "=", "IS NOT DISTINCT FROM"]
    if allow_none and a.type.orders:
        kinds += ["<", "<>"]
    kind = draw(st.sampled_from(kinds))
    if kind == "=" and a.type in (INT, NUMERIC, MONEY) and draw(st.integers(0, 4)) == 0:
        return f"{a.sql} + 1 = {b.sql}"
    return f"{a.sql} {kind} {b.sql}"


# Scalars --------------------------------------------------------------------------------------------------


@st.composite
def scalars(draw: st.DrawFn, values: Sequence[Value]) -> Value:
    """A column, or something immutable computed from one."""
    value = draw(st.sampled_from(values))
    x, type = value.sql, value.type
    if draw(st.integers(0, 2)):
        return value
    forms: list[Value] = [Value(f"({x} IS NULL)", BOOLEAN)]
    if type.groups:
        literal = draw(st.sampled_from(type.literals))
        forms += [
            Value(f"coalesce({x}, {literal})", type),
            Value(f"nullif({x}, {literal})", type),
            Value(f"CASE WHEN {draw(predicates(values, 0))} THEN {x} END", type),
            Value(f"({x} = {literal})", BOOLEAN),
        ]
    if type.family == "number":
        wide = {SMALLINT: INT, POSITIVE: INT, MONEY: NUMERIC}.get(type, type)
        forms += [Value(f"({x} + 1)", wide), _product(x, wide)]
    if type.family == "text":
        forms += [Value(f"upper({x})", TEXT), Value(f"({x} || 'it''s from')", TEXT)]
    if type.family == "jsonb":
        forms += [Value(f"({x} ->> 'a')", TEXT)]
    if type.family == "json":
        forms += [Value(f"({x} ->> 'a')", TEXT)]
    if type.family == "ints":
        forms += [Value(f"{x}[1]", INT), Value(f"cardinality({x})", INT)]
    if type.family == "date":
        forms += [Value(f"({x} - 1)", type)]
    if type.family == "boolean":
        forms += [Value(f"(NOT {x})", type)]
    return draw(st.sampled_from(forms))


def _product(x: str, type: Type) -> Value:
    """x · (1 − x), or what stays in range also where stream tables over stream tables compute it again and again."""
    if type is BIGINT:
        return Value(f"({x}::numeric * (1 - {x}))", NUMERIC)
    if type is FLOAT:
        return Value(f"({x} / 3 - {x})", FLOAT)
    return Value(f"({x} * (1 - {x}) % 1000)" if type in (INT, SMALLINT) else f"({x} * (1 - {x}))", type)


@st.composite
def predicates(draw: st.DrawFn, values: Sequence[Value], depth: int = 1) -> str:
    """A condition in three-valued logic."""
    if depth and draw(st.integers(0, 3)) == 0:
        a, b = draw(predicates(values, depth - 1)), draw(predicates(values, depth - 1))
        return draw(st.sampled_from((f"({a} OR {b})", f"({a} AND {b})", f"NOT ({a} AND {b})", f"({a}) IS NOT TRUE")))
    value = draw(st.sampled_from(values))
    x = value.sql
    if not value.type.groups:
        return draw(st.sampled_from((f"{x} IS NULL", f"{x} IS NOT NULL")))
    literal, other = draw(st.sampled_from(value.type.literals)), draw(st.sampled_from(value.type.literals))
    forms = [
        f"{x} IS NULL",
        f"{x} IS NOT NULL",
        f"{x} = {literal}",
        f"{x} <> {literal}",
        f"{x} IS DISTINCT FROM {literal}",
        f"{x} IN ({literal}, {other})",
        "true",
    ]
    if value.type.family not in ("ints", "texts"):
        forms.append(f"{x} = ANY (ARRAY[{literal}, NULL])")
    if value.type.orders:
        forms += [f"{x} < {literal}", f"{x} >= {literal}", f"{x} BETWEEN {literal} AND {other}"]
    if value.type.family == "text":
        forms += [f"{x} LIKE 'a%'", f"{x} ILIKE 'A%'", f"{x} ~ '^[ab]'", f"{x} <> '-- FROM t'"]
    if value.type.family == "boolean":
        forms += [x, f"NOT {x}", f"{x} IS NOT TRUE"]
    return draw(st.sampled_from(forms))


@st.composite
def _names(draw: st.DrawFn, count: int) -> list[str]:
    """Distinct output names."""
    plain = [f"o{i}" for i in range(count)]
    odd = draw(st.lists(st.sampled_from(COLUMN_NAMES), max_size=count, unique=True))
    return [*odd, *plain][:count]


@st.composite
def _where(draw: st.DrawFn, source: From) -> list[str]:
    return draw(st.lists(predicates(source.values), max_size=1)) if draw(st.booleans()) else []


# Shapes ---------------------------------------------------------------------------------------------------


@st.composite
def _rows(draw: st.DrawFn, relations: Sequence[Relation]) -> Query:
    source = draw(_from(relations))
    chosen = draw(st.lists(scalars(source.values), min_size=1, max_size=5))
    return _query(source, chosen, draw(_names(len(chosen))), draw(_where(source)), "rows")


@st.composite
def _distinct(draw: st.DrawFn, relations: Sequence[Relation]) -> Query:
    source = draw(_groupable(relations, most=3))
    able = [v for v in source.values if v.type.groups]
    chosen = [v for v in draw(st.lists(scalars(able), min_size=1, max_size=3)) if v.type.groups]
    names = draw(_names(len(chosen)))
    return _query(source, chosen, names, draw(_where(source)), "distinct", prefix="DISTINCT ")


def _query(
    source: From, chosen: Sequence[Value], names: Sequence[str], where: Sequence[str], shape: str, prefix: str = ""
) -> Query:
    targets = ", ".join(f"{v.sql} AS {quoted(n)}" for v, n in zip(chosen, names, strict=True))
    columns = tuple(Column(n, v.type) for v, n in zip(chosen, names, strict=True))
    return Query(source.select(prefix + targets, where), columns, shape)


@st.composite
def _union(draw: st.DrawFn, relations: Sequence[Relation]) -> Query:
    """Branches of one column list: what a branch lacks is a NULL or a constant."""
    word = draw(st.sampled_from(("UNION ALL", "UNION ALL", "UNION")))
    first = draw(_groupable(relations, most=2))
    able = [v for v in first.values if v.type.groups or word == "UNION ALL"]
    chosen = draw(st.lists(st.sampled_from(able), min_size=1, max_size=3))
    names = draw(_names(len(chosen)))
    branches = [_query(first, chosen, names, draw(_where(first)), "union").sql]
    for _ in range(draw(st.integers(1, 2))):
        source = draw(_from(relations, most=2))
        values: list[Value] = []
        for wanted in chosen:
            same = [v for v in source.values if v.type == wanted.type]
            constants = [Value(f"NULL::{wanted.type.sql}", wanted.type), Value(wanted.type.literals[0], wanted.type)]
            values.append(draw(st.sampled_from(same or constants)))
        branches.append(_query(source, values, names, draw(_where(source)), "union").sql)
    if any(b.startswith("WITH") for b in branches):
        branches = [f"({b})" for b in branches]
    return Query(
        f" {word} ".join(branches), tuple(Column(n, v.type) for v, n in zip(chosen, names, strict=True)), "union"
    )


@st.composite
def _groups(draw: st.DrawFn, relations: Sequence[Relation]) -> Query:
    source = draw(_groupable(relations))
    able = [v for v in source.values if v.type.groups]
    keys = [v for v in draw(st.lists(scalars(able), max_size=2)) if v.type.groups]
    calls = draw(st.lists(aggregates(source.values), min_size=1, max_size=4))
    shown = [*draw(st.lists(st.sampled_from(keys), max_size=2, unique=True) if keys else st.just([])), *calls]
    shown = draw(st.permutations(shown))
    names = draw(_names(len(shown)))
    tail = f" GROUP BY {', '.join(v.sql for v in keys)}" if keys else ""
    if draw(st.integers(0, 3)) == 0:
        tail += f" HAVING {draw(_having(source.values, keys))}"
    targets = ", ".join(f"{v.sql} AS {quoted(n)}" for v, n in zip(shown, names, strict=True))
    columns = tuple(Column(n, v.type) for v, n in zip(shown, names, strict=True))
    return Query(source.select(targets, draw(_where(source)), tail), columns, "groups")


@st.composite
def aggregates(draw: st.DrawFn, values: Sequence[Value]) -> Value:
    """An aggregate call, now and then inside an expression."""
    able = [v for v in values if v.type.groups]
    ordered = [v for v in able if v.type.orders]
    numbers = [v for v in values if v.type in SUMMABLE]
    bigint, one = INT, draw(scalars(able))
    forms = [Value("count(*)", bigint), Value(f"count({one.sql})", bigint)]
    if one.type.groups:
        forms.append(Value(f"count(DISTINCT {one.sql})", bigint))
    forms += [
        Value(f"bool_and({draw(predicates(able, 0))})", BOOLEAN),
        Value(f"bool_or({able[0].sql} IS NULL)", BOOLEAN),
    ]
    if ordered:
        v = draw(st.sampled_from(ordered))
        forms += [Value(f"min({v.sql})", v.type), Value(f"max({v.sql})", v.type)] * 2
    if numbers:
        v = draw(st.sampled_from(numbers))
        total = FLOAT if v.type is FLOAT else NUMERIC
        forms += [Value(f"sum({v.sql})", total), Value(f"avg({v.sql})", total)] * 2
        forms.append(Value(f"sum(CASE WHEN {draw(predicates(able, 0))} THEN {v.sql} ELSE 0 END)", total))
        if v.type is not FLOAT:
            forms.append(Value(f"sum(DISTINCT {v.sql})", total))
    form = draw(st.sampled_from(forms))
    if draw(st.integers(0, 3)) == 0:
        form = Value(f"{form.sql} FILTER (WHERE {draw(predicates(values, 0))})", form.type)
    if form.type in (NUMERIC, FLOAT) and draw(st.integers(0, 4)) == 0:
        return Value(f"(100 * {form.sql} / nullif(count(*), 0))", form.type)
    return form


@st.composite
def _having(draw: st.DrawFn, values: Sequence[Value], keys: Sequence[Value]) -> str:
    forms = ["count(*) > 1", "count(*) < 3", f"count({values[0].sql}) >= 1", "count(*) IS NOT NULL"]
    numbers = [v for v in values if v.type in SUMMABLE]
    if numbers:
        forms += [f"sum({numbers[0].sql}) > 2", f"sum({numbers[0].sql}) IS NOT NULL"]
    if keys:
        forms.append(f"{keys[0].sql} IS NOT NULL")
    return draw(st.sampled_from(forms))
