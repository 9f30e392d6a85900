"""Random algebra, built by the operators' own constructors over two small tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import strategies as st

from model.zset import FUNCTIONS, Bag, State
from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.pairing import Mark, OuterJoin
from trickle.ivm.algebra.relations import (
    Aggregate,
    Call,
    Copies,
    Filter,
    Item,
    Join,
    Project,
    Rel,
    Scan,
    UnionAll,
    copy_of,
)
from trickle.ivm.algebra.scalars import Column, Scalar, expression, reference
from trickle.ivm.algebra.windows import Window
from trickle.ivm.facts import ColumnFacts, RelationFacts
from trickle.ivm.syntax import parse_expression

INTEGER = ("integer", "integer")
TABLES = (
    RelationFacts(
        oid=1,
        schema="s",
        name="keyed",
        kind="r",
        columns=tuple(
            ColumnFacts(i, name, *INTEGER, not_null=name == "id") for i, name in enumerate(("id", "a", "b"), 1)
        ),
        keys=((1,),),
        buffer=1,
    ),
    RelationFacts(
        oid=2,
        schema="s",
        name="keyless",
        kind="r",
        columns=tuple(ColumnFacts(i, name, *INTEGER) for i, name in enumerate(("a", "b"), 1)),
        buffer=2,
    ),
)
small = st.none() | st.integers(0, 2)


@st.composite
def _bags(draw: st.DrawFn) -> dict[int, Bag]:
    keyed = draw(st.dictionaries(st.integers(0, 3), st.tuples(small, small), max_size=3))
    keyless = draw(st.lists(st.tuples(small, small), max_size=4))
    return {1: Counter((key, *rest) for key, rest in keyed.items()), 2: Counter(keyless)}


states = st.builds(State, _bags(), _bags())


@st.composite
def scalars(draw: st.DrawFn, columns: tuple[Column, ...]) -> Scalar:
    """An integer expression."""
    numbers = [column for column in columns if column.name != "mark"]
    a, b = (reference(draw(st.sampled_from(numbers))) for _ in range(2))
    template = draw(
        st.sampled_from(
            ("a", "a", "a", "a + 1", "a * b", "a - b", "coalesce(a, b, 0)", "CASE WHEN a > b THEN a END", "7")
        )
    )
    return expression(template, a=a, b=b)


@st.composite
def predicates(draw: st.DrawFn, columns: tuple[Column, ...]) -> Scalar:
    """A condition that may be true, false or unknown."""
    a, b = (reference(draw(st.sampled_from(columns))) for _ in range(2))
    templates = ("a = b", "a = b", "a < b", "a <> b", "a IS NULL", "a IS NOT NULL", "a = 1 OR b IS NULL")
    template = draw(st.sampled_from((*templates, "NOT (a = 1)", "a IS DISTINCT FROM b")))
    return expression(template, a=a, b=b)


@st.composite
def relations(draw: st.DrawFn, numbering: Numbering, depth: int = 3) -> Rel:
    """A tree of scans, filters, projections, joins, unions and aggregates."""
    kinds = ("scan", "filter", "project", "join", "join", "outer join", "marked", "union", "group", "window")
    kinds += ("expand", "copies", "first", "text")
    kind = draw(st.sampled_from(kinds)) if depth else "scan"
    if kind == "scan":
        return _scan(draw(st.sampled_from(TABLES)), numbering)
    if kind == "text":
        return draw(_texts(numbering))
    if kind == "group":
        return draw(aggregates(numbering, depth - 1))
    child = draw(relations(numbering, depth - 1))
    if kind == "filter":
        return Filter(child, tuple(draw(st.lists(predicates(child.columns), min_size=1, max_size=2))))
    if kind == "window":
        return draw(_windows(child, numbering))
    if kind == "first":
        order = reference(draw(st.sampled_from(child.columns)))
        place = Call(numbering.column("w"), expression("row_number() OVER (ORDER BY x)", x=order))
        window = Window(child, (), (place,), place.value)
        first = expression(f"n <= {draw(st.integers(1, 2))}", n=reference(place.column))
        return Project(Filter(window, (first,)), tuple(copy_of(c) for c in child.columns))
    if kind == "expand":
        series = expression("generate_series(1, a)", a=reference(draw(st.sampled_from(child.columns))))
        return Expand(child, (series,), (numbering.column("n"),), kept=draw(st.booleans()))
    if kind == "copies":
        copies = Item(numbering.column("copies"), draw(scalars(child.columns)))
        return Copies(Project(child, (*(copy_of(c) for c in child.columns), copies)), copies.column)
    if kind == "project":
        values = draw(st.lists(scalars(child.columns), min_size=1, max_size=3))
        return Project(child, tuple(Item(numbering.column("p"), value) for value in values))
    other = draw(relations(numbering, depth - 1))
    if kind == "join":
        return Join(child, other, tuple(draw(st.lists(predicates(child.columns + other.columns), max_size=2))))
    if kind == "outer join":
        met = draw(st.lists(predicates(child.columns + other.columns), max_size=2))
        return OuterJoin(child, other, tuple(met), full=draw(st.booleans()))
    if kind == "marked":
        met = draw(st.lists(predicates(child.columns + other.columns), max_size=2))
        mark = numbering.column("mark")
        test = draw(st.sampled_from(("m", "NOT m", "m OR a = 1")))
        kept = expression(test, m=reference(mark), a=reference(child.columns[0]))
        return Project(Filter(Mark(child, other, tuple(met), mark), (kept,)), tuple(copy_of(c) for c in child.columns))
    width = min(len(child.columns), len(other.columns))
    branches = tuple(
        Project(rel, tuple(Item(numbering.column("u"), reference(c)) for c in rel.columns[:width]))
        for rel in (child, other)
    )
    return UnionAll(branches, tuple(numbering.column("u") for _ in range(width)))


def _scan(table: RelationFacts, numbering: Numbering) -> Scan:
    return Scan(table, tuple((numbering.column(c.name), c) for c in table.columns))


@st.composite
def _texts(draw: st.DrawFn, numbering: Numbering) -> Rel:
    """A block of which nothing is known but the tables that it reads."""
    inputs = tuple(_scan(table, numbering) for table in TABLES)
    reason = draw(st.sampled_from(list(FUNCTIONS)))
    width = 1 if reason.startswith("how many") else 3
    outputs = tuple(numbering.column("t") for _ in range(width))
    return Opaque(Scalar(parse_expression(FUNCTIONS[reason][0])), inputs, outputs, reason)


@st.composite
def _windows(draw: st.DrawFn, child: Rel, numbering: Numbering) -> Rel:
    """Functions of one partition; rows that tie in the order of row_number() are told apart by their image."""
    keys = draw(st.lists(st.sampled_from(child.columns), max_size=2, unique=True))
    place = reference(draw(st.sampled_from(child.columns)))
    parts = {f"k{i}": reference(key) for i, key in enumerate(keys)}
    partition = f"PARTITION BY {', '.join(parts)}" if parts else ""
    calls = [
        Call(numbering.column("w"), expression(f"{name} OVER ({partition} {order})", x=place, **parts))
        for name, order in draw(st.lists(st.sampled_from(WINDOW_CALLS), min_size=1, max_size=3))
    ]
    ordered = expression(f"row_number() OVER ({partition} ORDER BY x)", x=place, **parts)
    items = tuple(Item(numbering.like(key), reference(key)) for key in keys)
    return Window(child, items, tuple(calls), ordered)


WINDOW_CALLS = (
    ("row_number()", "ORDER BY x"),
    ("rank()", "ORDER BY x"),
    ("count(*)", ""),
    ("sum(x)", ""),
)


@st.composite
def aggregates(draw: st.DrawFn, numbering: Numbering, depth: int = 2) -> Aggregate:
    """An aggregate over a random tree; without keys it is scalar. It has a column at least."""
    child = draw(relations(numbering, depth))
    keys = draw(st.lists(scalars(child.columns), max_size=2, unique=True))
    calls = []
    names = st.sampled_from(("count", "sum", "min", "max"))
    for name in draw(st.lists(names, min_size=0 if keys else 1, max_size=3)):
        argument = draw(scalars(child.columns))
        calls.append(Call(numbering.column(name), expression(f"{name}(a)", a=argument)))
    return Aggregate(child, tuple(Item(numbering.column("k"), k) for k in keys), tuple(calls), scalar=not keys)


@st.composite
def joins(draw: st.DrawFn, numbering: Numbering) -> Rel:
    """A join of two or three trees, of which some columns are shown."""
    rel: Rel = draw(relations(numbering, 1))
    for _ in range(draw(st.integers(1, 2))):
        other = draw(relations(numbering, 1))
        rel = Join(rel, other, tuple(draw(st.lists(predicates(rel.columns + other.columns), max_size=2))))
    values = draw(st.lists(scalars(rel.columns), min_size=1, max_size=2))
    return Project(rel, tuple(Item(numbering.column("p"), value) for value in values))


@st.composite
def stars(draw: st.DrawFn, numbering: Numbering) -> Join:
    """A join of a table with ever smaller ones, as they are believed to be, each tied to one before it or to none."""
    sizes = (1_000_000.0, 10_000.0, 100.0, 1.0)[: draw(st.integers(2, 4))]
    parts = [_scan(replace(draw(st.sampled_from(TABLES)), rows=rows), numbering) for rows in sizes]
    ties = [
        expression("a = b", a=draw(_references(part)), b=draw(_references(draw(st.sampled_from(parts[:n])))))
        for n, part in enumerate(parts)
        if n and draw(st.integers(0, 9))
    ]
    tests = [draw(predicates(part.columns)) for part in parts if draw(st.booleans())]
    every = tuple(column for part in parts for column in part.columns)
    tests += draw(st.lists(predicates(every), max_size=1))
    rel: Rel = parts[0]
    for part in parts[1:-1]:
        rel = Join(rel, part, ())
    return Join(rel, parts[-1], (*ties, *tests))


def _references(rel: Rel) -> st.SearchStrategy[Scalar]:
    return st.sampled_from(rel.columns).map(reference)


@st.composite
def sums(draw: st.DrawFn, numbering: Numbering) -> Aggregate:
    """Counts and sums of plain columns over such a join."""
    child = draw(stars(numbering))
    columns = draw(st.lists(st.sampled_from(child.columns), max_size=2, unique=True))
    keys = tuple(Item(numbering.like(column), reference(column)) for column in columns)
    templates = st.sampled_from(("count(*)", "count(a)", "sum(a)", "sum(CASE WHEN b > 0 THEN a ELSE 0 END)"))
    calls = []
    for template in draw(st.lists(templates, min_size=1, max_size=3)):
        a, b = (reference(draw(st.sampled_from(child.columns))) for _ in range(2))
        calls.append(Call(numbering.column("c"), expression(template, a=a, b=b)))
    return Aggregate(child, keys, tuple(calls), scalar=not keys)


@st.composite
def distinct_counts(draw: st.DrawFn, numbering: Numbering) -> Aggregate:
    """Counts of the distinct values of one column beside other counts and sums, over anything."""
    child = draw(relations(numbering, 2))
    keys = tuple(Item(numbering.column("k"), key) for key in draw(st.lists(scalars(child.columns), max_size=2)))
    value = draw(scalars(child.columns))
    templates = ("count(DISTINCT x)", *draw(st.lists(st.sampled_from(("count(*)", "sum(a)", "count(a)")), max_size=2)))
    calls = []
    for template in templates:
        a = reference(draw(st.sampled_from(child.columns)))
        calls.append(Call(numbering.column("c"), expression(template, x=value, a=a)))
    return Aggregate(child, keys, tuple(calls), scalar=not keys)
