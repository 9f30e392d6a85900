"""What is said of a program before it runs: by which columns it looks rows up, and where its columns come from.

Oracle: by hand. Catches: an index that is asked for and never used, and one that is needed and not named.
"""

from __future__ import annotations

import pytest
from golden.shop import AGGREGATES, TABLES, column

from trickle.errors import MissingFacts
from trickle.ivm import ColumnFacts, Facts, Program, Target, compile_query

ID = column(1, "id", "bigint", not_null=True)
N = column(2, "n", "bigint")
TEXT = column(1, "region", "text")


def compiled(query: str, *output: ColumnFacts) -> Program:
    facts = Facts(query, output, TABLES, AGGREGATES)
    while True:
        try:
            return compile_query(facts, Target(7, "shop", "st"))
        except MissingFacts as missing:
            facts = facts.with_types(dict.fromkeys(missing.expressions, "bigint"))


JOINED = "FROM shop.orders o JOIN shop.customers c ON c.id = o.customer"


@pytest.mark.parametrize(
    ("query", "output", "expected"),
    [
        # Nothing is looked up where the change itself is the answer.
        ("SELECT o.id FROM shop.orders o", (ID,), []),
        ("SELECT o.customer AS id, count(*) AS n FROM shop.orders o GROUP BY o.customer", (ID, N), []),
        # A join, from both sides.
        (f"SELECT o.id, c.region {JOINED}", (ID, TEXT), ["customers(id)", "orders(customer)"]),
        # EXISTS: the changed side's key leads to the other.
        (
            "SELECT c.id FROM shop.customers c WHERE EXISTS"
            " (SELECT 1 FROM shop.orders o WHERE o.customer = c.id AND o.note = 'x')",
            (ID,),
            ["customers(id)", "orders(customer)"],
        ),
        # No equality, no lookup.
        ("SELECT o.id, c.region FROM shop.orders o JOIN shop.customers c ON c.id < o.customer", (ID, TEXT), []),
        # An extreme may go away: then its group is read again, by its key.
        (
            "SELECT o.note AS region, max(o.amount) AS n FROM shop.orders o GROUP BY o.note",
            (TEXT, N),
            ["orders(note)"],
        ),
        # Through one table to the next: the group's key, then the join.
        (
            f"SELECT c.region, max(o.amount) AS n {JOINED} GROUP BY c.region",
            (TEXT, N),
            ["customers(id)", "customers(region)", "orders(customer)"],
        ),
    ],
)
def test_lookups(query: str, output: tuple[ColumnFacts, ...], expected: list[str]) -> None:
    found = compiled(query, *output).lookups
    assert [f"{lookup.table}({', '.join(lookup.columns)})" for lookup in found] == expected


@pytest.mark.parametrize(
    ("query", "output", "expected"),
    [
        (
            f"SELECT c.region, sum(o.amount * o.weight) AS n {JOINED} WHERE o.note = 'x' GROUP BY c.region",
            (TEXT, N),
            {"region": ["customers.region"], "n": ["orders.amount", "orders.weight"]},
        ),
        (
            "SELECT o.customer AS id, count(*) AS n FROM shop.orders o GROUP BY 1",
            (ID, N),
            {"id": ["orders.customer"], "n": []},
        ),
        (
            "SELECT o.id FROM shop.orders o UNION ALL SELECT c.id FROM shop.customers c",
            (ID,),
            {"id": ["customers.id", "orders.id"]},
        ),
        (
            "SELECT q.id, q.n FROM (SELECT o.customer AS id, max(o.id) AS n FROM shop.orders o GROUP BY o.customer) q",
            (ID, N),
            {"id": ["orders.customer"], "n": ["orders.id"]},
        ),
    ],
)
def test_lineage(query: str, output: tuple[ColumnFacts, ...], expected: dict[str, list[str]]) -> None:
    found = compiled(query, *output).lineage
    assert {name: [f"{origin.table}.{origin.column}" for origin in origins] for name, origins in found} == expected
