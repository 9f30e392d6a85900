"""Identifiers and literals in generated SQL, whatever they hold.

Lies it would catch: a name or string that ends its own quotes, or that becomes another name.
Oracle: the parser, which has to read back the very name or string.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trickle.ivm.program.quote import ident, literal
from trickle.ivm.syntax import parse_expression

# Any text PostgreSQL can hold: no NUL, no lone surrogates.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
KEYWORDS = (
    "select",
    "SELECT",
    "user",
    "Order",
    "a b",
    'q"x',
    "1",
    "",
    "é",
    "\\",
    "--",
    "$1",
    "*",
    "current_date",
    "int",
)
# A name has at most 63 bytes.
names = st.one_of(
    st.sampled_from([word for word in KEYWORDS if word]), texts.filter(lambda t: 0 < len(t.encode()) < 64)
)


@given(st.lists(names, min_size=1, max_size=3))
def test_a_name_is_read_back(parts: list[str]) -> None:
    node = parse_expression(ident(*parts))
    assert [part.string.sval for part in node.column_ref.fields] == parts


@given(texts | st.sampled_from(KEYWORDS))
def test_a_string_is_read_back(text: str) -> None:
    assert parse_expression(literal(text)).a_const.sval.sval == text


def test_ordinary_names_are_not_quoted() -> None:
    assert ident("shop", "orders") == "shop.orders"
    assert ident("Shop", "select") == '"Shop"."select"'
