"""The door to libpg_query: what is refused, and how deep it may go.

Lies it would catch: a query that is read wrongly because protobuf stops at a depth of 100, or not read at all.
Oracle: PostgreSQL's own parser, by the tree it gives for the printed text.
"""

from __future__ import annotations

import pytest

from trickle.errors import DefinitionError
from trickle.ivm.syntax import deparse_expression, nodes, parse_expression, parse_select

DEPTH = 500


@pytest.mark.parametrize(
    "text",
    [
        " || ".join(["x"] * DEPTH),
        "(" * DEPTH + "x" + ")" * DEPTH,
        "f(" * DEPTH + "x" + ")" * DEPTH,
        "CASE WHEN x THEN " * DEPTH + "y" + " END" * DEPTH,
        "NOT (" * DEPTH + "x" + ")" * DEPTH,
        "x" + "::int" * DEPTH,
    ],
    ids=["concatenation", "parentheses", "calls", "cases", "negations", "casts"],
)
def test_deep_expressions_are_read_and_printed(text: str) -> None:
    tree = parse_expression(text)
    again = parse_expression(deparse_expression(tree))
    assert sum(1 for _ in nodes(again)) == sum(1 for _ in nodes(tree))


def test_deep_subqueries_are_read() -> None:
    text = "SELECT * FROM (" * 120 + "SELECT 1 AS x" + ") q" * 120
    assert sum(node.WhichOneof("node") == "range_subselect" for node in nodes(parse_select(text))) == 120


@pytest.mark.parametrize(
    "text",
    ["", "SELEC 1", "SELECT 1; SELECT 2", "DELETE FROM t", "CREATE TABLE t ()", "SELECT 'unfinished", ";"],
)
def test_what_is_no_defining_query_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError):
        parse_select(text)


def test_a_semicolon_and_comments_do_no_harm() -> None:
    assert parse_select("/* FROM x */ SELECT 1 -- ; SELECT 2\n;") == parse_select("SELECT 1")
