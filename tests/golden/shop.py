"""A small shop, told to the compiler as facts, and the queries whose programs are kept as text."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from trickle.errors import MissingFacts
from trickle.ivm import ColumnFacts, Facts, FunctionFacts, Program, RelationFacts, Target, compile_query

INEXACT = ("numeric", "double precision", "jsonb")
WITHOUT_EQUALITY = ("json", "point")


def column(number: int, name: str, type: str, *, not_null: bool = False) -> ColumnFacts:
    """Facts of a column, as the server would tell them."""
    base = type.split("(")[0]
    comparable = base not in WITHOUT_EQUALITY
    return ColumnFacts(
        number, name, type, base, not_null, comparable, comparable, comparable and (base not in INEXACT or "(" in type)
    )


def table(oid: int, name: str, key: tuple[int, ...], *columns: ColumnFacts, schema: str = "shop") -> RelationFacts:
    return RelationFacts(oid, schema, name, "r", columns, (key,) if key else (), buffer=oid)


TABLES = (
    table(
        1,
        "orders",
        (1,),
        column(1, "id", "bigint", not_null=True),
        column(2, "customer", "integer"),
        column(3, "amount", "numeric(10,2)"),
        column(4, "weight", "double precision"),
        column(6, "note", "text"),
    ),
    table(2, "customers", (1,), column(1, "id", "integer", not_null=True), column(2, "region", "text")),
    table(3, "events", (), column(1, "kind", "text"), column(2, "body", "json"), column(3, "rate", "numeric")),
    table(
        4,
        'Odd "Name"',
        (2, 1),
        column(1, "select", "text", not_null=True),
        column(2, "Xid", "integer", not_null=True),
        column(3, "ü" * 31, "integer"),
    ),
)
AGGREGATES = tuple(
    FunctionFacts("pg_catalog", name, "a", "i") for name in ("count", "sum", "avg", "min", "max", "bool_and", "bool_or")
)


@dataclass(frozen=True, slots=True)
class Case:
    """A canonical query, its output columns, and the types the server would describe its expressions with."""

    query: str
    output: tuple[ColumnFacts, ...]
    described: str = "integer"
    kept: tuple[ColumnFacts, ...] = ()
    """The columns of what it keeps in a table of its own."""
    immediate: bool = False
    append_only: bool = False

    def facts(self) -> Facts:
        return Facts(self.query, self.output, TABLES, AGGREGATES)

    def compile(self) -> Program:
        facts, target = self.facts(), Target(7, "shop", "st", self.immediate, self.append_only)
        while True:
            try:
                return compile_query(facts, target)
            except MissingFacts as missing:
                facts = facts.with_types(dict.fromkeys(missing.expressions, self.described))
                facts = facts.with_described(dict.fromkeys(missing.queries, self.kept))


def case(query: str, **output: str) -> Case:
    """`case(query, name=type, …)`."""
    return Case(query, tuple(column(i, name, type) for i, (name, type) in enumerate(output.items(), 1)))


CASES = {
    "filter": case(
        "SELECT o.id, o.amount FROM shop.orders o WHERE o.customer > 3", id="bigint", amount="numeric(10,2)"
    ),
    "project_without_key": case(
        "SELECT upper(o.note) AS note, o.weight FROM shop.orders o", note="text", weight="double precision"
    ),
    "keyless_without_equality": case(
        "SELECT e.kind, e.body, e.rate FROM shop.events e", kind="text", body="json", rate="numeric"
    ),
    "join_along_a_key": case(
        "SELECT o.id, c.region FROM shop.orders o JOIN shop.customers c ON c.id = o.customer"
        " WHERE o.amount > 1::numeric",
        id="bigint",
        region="text",
    ),
    "join_without_equality": case(
        "SELECT e.kind, c.id FROM shop.events e CROSS JOIN shop.customers c WHERE c.id::numeric < e.rate",
        kind="text",
        id="integer",
    ),
    "self_join_of_three": case(
        "SELECT a.id, b.id AS b, c.note FROM shop.orders a JOIN shop.orders b ON a.customer = b.id"
        " JOIN shop.orders c ON c.id = b.customer",
        id="bigint",
        b="bigint",
        note="text",
    ),
    "left_join": case(
        "SELECT o.id, c.region FROM shop.orders o LEFT JOIN shop.customers c ON c.id = o.customer",
        id="bigint",
        region="text",
    ),
    "not_exists": case(
        "SELECT c.id FROM shop.customers c WHERE NOT (EXISTS ( SELECT 1::integer AS one FROM shop.orders o"
        " WHERE o.customer = c.id AND o.amount > 5::numeric))",
        id="integer",
    ),
    "above_the_average": case(
        "SELECT o.customer, count(*) AS n FROM shop.orders o WHERE o.amount > (( SELECT avg(x.amount) AS avg"
        " FROM shop.orders x)) GROUP BY o.customer",
        customer="integer",
        n="bigint",
    ),
    "union_all": case(
        "SELECT o.id FROM shop.orders o UNION ALL SELECT c.id FROM shop.customers c WHERE c.region IS NOT NULL",
        id="bigint",
    ),
    "union": case("SELECT o.note FROM shop.orders o UNION SELECT c.region FROM shop.customers c", note="text"),
    "distinct": case("SELECT DISTINCT o.customer, o.note FROM shop.orders o", customer="integer", note="text"),
    "count_and_sum": case(
        "SELECT o.customer, count(*) AS n, sum(o.amount) AS total FROM shop.orders o GROUP BY o.customer",
        customer="integer",
        n="bigint",
        total="numeric",
    ),
    "join_and_aggregate": case(
        "SELECT c.region, count(*) AS n, sum(o.amount) AS total FROM shop.orders o JOIN shop.customers c"
        " ON c.id = o.customer GROUP BY c.region",
        region="text",
        n="bigint",
        total="numeric",
    ),
    "average_and_filter": case(
        "SELECT avg(o.customer) AS a, count(o.note) FILTER (WHERE o.amount > 1::numeric) AS n FROM shop.orders o"
        " GROUP BY o.note",
        a="numeric",
        n="bigint",
    ),
    "extremes": case(
        "SELECT o.customer, min(o.amount) AS lo, max(o.note) AS hi FROM shop.orders o GROUP BY o.customer",
        customer="integer",
        lo="numeric",
        hi="text",
    ),
    "recomputed": case(
        "SELECT o.customer, sum(o.weight) AS w, count(DISTINCT o.note) AS n FROM shop.orders o GROUP BY o.customer",
        customer="integer",
        w="double precision",
        n="bigint",
    ),
    "scalar_aggregate": case("SELECT count(*) AS n, sum(o.id) AS s FROM shop.orders o", n="bigint", s="numeric"),
    "having": case(
        "SELECT o.customer, sum(o.amount) AS total FROM shop.orders o GROUP BY o.customer HAVING count(*) > 2",
        customer="integer",
        total="numeric",
    ),
    "recursion": case(
        "WITH RECURSIVE below(id, depth) AS (SELECT o.id, 1::bigint FROM shop.orders o WHERE o.customer = 7 UNION ALL"
        " SELECT o.id, b.depth + 1::bigint FROM shop.orders o JOIN below b ON o.customer = b.id)"
        " SELECT below.id, below.depth FROM below",
        id="bigint",
        depth="bigint",
    ),
    "recursion_of_sets": case(
        "WITH RECURSIVE below(id) AS (SELECT c.id::bigint AS id FROM shop.customers c UNION"
        " SELECT o.id FROM shop.orders o JOIN below b ON o.customer = b.id) SELECT below.id FROM below",
        id="bigint",
    ),
    "without_a_rule": case(
        "SELECT o.id FROM shop.orders o WHERE o.customer > (SELECT sum(c.id + o.customer) FROM shop.customers c)",
        id="bigint",
    ),
    "row_local": case(
        "SELECT o.id, x.word FROM shop.orders o, LATERAL (SELECT upper(w.w) AS word FROM"
        " regexp_split_to_table(o.note, ' '::text) w(w) WHERE w.w <> ''::text) x",
        id="bigint",
        word="text",
    ),
    "first_groups": dataclasses.replace(
        case(
            "SELECT c.region, o.customer, sum(o.amount) AS total FROM shop.orders o JOIN shop.customers c"
            " ON c.id = o.customer GROUP BY c.region, o.customer ORDER BY (sum(o.amount)) DESC, o.customer LIMIT 3",
            region="text",
            customer="integer",
            total="numeric",
        ),
        kept=(column(1, "c1", "text"), column(2, "c2", "integer"), column(3, "c3", "numeric")),
    ),
    "immediate_groups_of_a_join": dataclasses.replace(
        case(
            "SELECT c.region, count(*) AS n, sum(o.amount) AS total FROM shop.orders o JOIN shop.customers c"
            " ON c.id = o.customer GROUP BY c.region",
            region="text",
            n="bigint",
            total="numeric",
        ),
        immediate=True,
    ),
    "immediate_filter": dataclasses.replace(
        case("SELECT o.id, o.amount FROM shop.orders o WHERE o.customer > 3", id="bigint", amount="numeric(10,2)"),
        immediate=True,
    ),
    "immediate_pairs": dataclasses.replace(
        case(
            "SELECT a.customer, count(*) AS n FROM shop.orders a JOIN shop.orders b ON a.customer = b.customer"
            " GROUP BY a.customer",
            customer="integer",
            n="bigint",
        ),
        immediate=True,
    ),
    "append_only": dataclasses.replace(
        case(
            "SELECT o.id, c.region FROM shop.orders o JOIN shop.customers c ON c.id = o.customer",
            id="integer",
            region="text",
        ),
        append_only=True,
    ),
    "odd_names": case(
        f'SELECT a."select", b."{"ü" * 31}" AS "a b"'
        ' FROM shop."Odd ""Name""" a JOIN shop."Odd ""Name""" b ON a."Xid" = b."Xid"',
        **{"select": "text", "a b": "integer"},
    ),
}
