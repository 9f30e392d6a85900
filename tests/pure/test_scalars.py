"""Scalar expressions survive being printed: the text means what the tree meant.

Lies it would catch: a printer that leaves out parentheses (libpg_query's does: `(NOT x) IS NULL` becomes
`NOT x IS NULL`), so that a program computes something else than its query; equal expressions that are held to
be different; references that capture each other when they are replaced.
Oracle: the parser; the tree of the printed text is the tree that was printed.
"""

from __future__ import annotations

import pytest
from google.protobuf.message import Message
from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.scalars import (
    Column,
    conjuncts,
    equated_columns,
    expression,
    reference,
    render,
    replace_matching,
    substitute,
    tree_key,
)
from trickle.ivm.syntax import deparse_expression, parse_expression

FORMS = (
    *("{a} = {b}", "{a} < {b}", "{a} <> {b}", "{a} >= {b}", "{a} IS DISTINCT FROM {b}", "{a} IS NOT DISTINCT FROM {b}"),
    *("{a} IS NULL", "{a} IS NOT NULL", "{a} IS TRUE", "{a} IS NOT FALSE", "{a} IS UNKNOWN", "NOT {a}", "{a} AND {b}"),
    *("{a} OR {b}", "{a} + {b}", "{a} - {b}", "{a} * {b}", "{a} % {b}", "{a} ^ {b}", "- {a}", "+ {a}", "@ {a}"),
    *("{a} || {b}", "{a} -> {b}", "{a} ~ {b}", "{a} OPERATOR(pg_catalog.+) {b}", "{a} LIKE {b}", "{a} NOT LIKE {b}"),
    *("{a} ILIKE {b}", "{a} LIKE {b} ESCAPE '!'", "{a} SIMILAR TO {b}", "{a} BETWEEN {b} AND {c}", "{a} IN ({b}, {c})"),
    *("{a} NOT BETWEEN {b} AND {c}", "{a} BETWEEN SYMMETRIC {b} AND {c}", "{a} NOT IN ({b}, {c})", "{a} = ANY ({b})"),
    *("{a} <> ALL ({b})", "({a})::int", "({a})::numeric(10,2)[]", 'CAST({a} AS s."T")', '({a}) COLLATE "C"'),
    *(
        "CASE WHEN {a} THEN {b} ELSE {c} END",
        "CASE {a} WHEN {b} THEN {c} END",
        "coalesce({a}, {b})",
        "nullif({a}, {b})",
    ),
    *("greatest({a}, {b})", 's."F"({a}, {b})', "({a})[1]", "({a})[1:2]", "ARRAY[{a}, {b}]", "ROW({a}, {b})"),
    *(
        "({a}, {b}) < ({c}, 1)",
        '({a})."x Y"',
        "{a} AT TIME ZONE {b}",
        "extract(year FROM {a})",
        "trim(both {a} from {b})",
    ),
    *("substring({a} FROM {b} FOR 2)", "position({a} IN {b})", "overlay({a} PLACING {b} FROM 1)", "{a} IS JSON"),
    *("{a} IS NORMALIZED", "count(*) FILTER (WHERE {a})", "sum(DISTINCT {a} ORDER BY {a})", "f(n => {a})"),
)
ATOMS = (
    "x",
    "1",
    "-1",
    "1.50",
    "1e3",
    "''",
    "'it''s'",
    "'x'::char(3)",
    "B'1'",
    "NULL",
    "true",
    'a."B c"',
    "interval '1' day",
)


def stripped(node: pb.Node) -> bytes:
    """The tree without any note of where in the text it stood."""
    copy = pb.Node()
    copy.CopyFrom(node)
    stack: list[Message] = [copy]
    while stack:
        message = stack.pop()
        for descriptor, value in message.ListFields():
            if descriptor.message_type is not None:
                stack.extend([value] if isinstance(value, Message) else list(value))
            elif "location" in descriptor.name or descriptor.name.endswith(("list_start", "list_end")):
                message.ClearField(descriptor.name)
    return copy.SerializeToString(deterministic=True)


def filled(form: str, **parts: str) -> str:
    for name, default in (("a", "p"), ("b", "q"), ("c", "r")):
        form = form.replace("{" + name + "}", parts.get(name, default))
    return form


@pytest.mark.parametrize("outer", FORMS)
def test_printing_keeps_the_meaning(outer: str) -> None:
    """Every form in every place of every other form."""
    inner = [*ATOMS, *(filled(form, a="x", b="y", c="z") for form in FORMS)]
    wrong = []
    for place in "abc":
        for text in inner if "{" + place + "}" in outer else ():
            tree = parse_expression(filled(outer, **{place: f"({text})"}))
            printed = deparse_expression(tree)
            try:
                again = stripped(parse_expression(printed))
            except Exception as error:
                again = repr(error).encode()
            if again != stripped(tree):
                wrong.append(f"({text}) in {outer}: {printed}")
    assert not wrong


@pytest.mark.parametrize("form", FORMS)
def test_equal_expressions_are_equal_wherever_they_stand(form: str) -> None:
    text = filled(form, a="x", b="y", c="z")
    assert tree_key(parse_expression(text)) == tree_key(parse_expression(f"          {text}"))


def test_a_replacement_is_not_replaced_again() -> None:
    swapped = substitute(expression("a - b", a=reference(1), b=reference(2)), {1: reference(2), 2: reference(1)})
    assert swapped == expression("a - b", a=reference(2), b=reference(1))
    outermost = {tree_key(expression("a + 1", a=reference(1)).node): reference(7)}
    assert replace_matching(expression("(a + 1) + 1", a=reference(1)), outermost).text == '"#7" + 1'


def test_a_substituted_expression_stays_one_operand() -> None:
    product = expression("a * (1 - b)", a=reference(1), b=reference(2))
    sums = {
        1: expression("x + y", x=reference(3), y=reference(4)),
        2: expression("x - y", x=reference(3), y=reference(4)),
    }
    names = {3: ("t", "Col"), 4: ("t", "select")}
    printed = render(substitute(product, sums), names.__getitem__)
    wanted = parse_expression('(t."Col" + t."select") * (1 - (t."Col" - t."select"))')
    assert stripped(parse_expression(printed)) == stripped(wanted)


def test_only_top_level_conjunctions_are_split() -> None:
    predicate = expression("a AND (b OR c AND a) AND (b AND c)", a=reference(1), b=reference(2), c=reference(3))
    assert len(conjuncts(predicate)) == 4


@pytest.mark.parametrize(
    "text", ["a < b", "a OPERATOR(s.=) b", "a = 1", "a = b OR a = b", "a + 0 = b", "a IS NOT DISTINCT FROM b"]
)
def test_what_does_not_equate_two_columns(text: str) -> None:
    parts = {name: reference(number) for name, number in (("a", 1), ("b", 2)) if name in text}
    assert equated_columns(expression(text, **parts)) is None


def test_labels_of_long_names_differ_and_fit() -> None:
    """PostgreSQL cuts names at 63 bytes, in the middle of the number if need be."""
    labels = {Column(number, "ü" * 31).label for number in (1, 12, 123456)}
    assert len(labels) == 3
    assert all(len(label.encode()) <= 63 for label in labels)
