"""Aggregate calls: what each is, and which of them can be folded.

count         exact for every type
sum, avg      exact over integers and numeric; floats drift, so their groups are recomputed
no key        a key that a grouping set does not group by: NULL, of its type
min, max      folded while the stored extreme survives; its group is recomputed when it may have gone
others        recomputed; where the value depends on the order of the rows, the order is completed first

An order is completed by the image of the arguments: rows that still tie are identical, and may change places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from postgast import pg_query_pb2 as pb

from trickle.errors import MissingFacts, Unsupported
from trickle.ivm.algebra.properties import origins
from trickle.ivm.algebra.relations import Call, Item, Rel
from trickle.ivm.algebra.scalars import Scalar, expression, render
from trickle.ivm.algebra.scale import fixed_scale, is_factor, reads, scale_beside_zero
from trickle.ivm.facts import ColumnFacts, Facts
from trickle.ivm.program.quote import ident
from trickle.ivm.program.select import Renderer
from trickle.ivm.query.grouping import function_name, is_typed_null

FLOATS = frozenset({"real", "double precision"})
SUM_RESULT = {"smallint": "bigint", "integer": "bigint", "bigint": "numeric", "numeric": "numeric"}
IDENTICAL = frozenset(
    {"smallint", "integer", "bigint", "boolean", "text", "character varying", "uuid", "date"}
    | {"timestamp with time zone", "timestamp without time zone", "time without time zone", "bytea", "oid"}
)
"""Types whose equal values look the same."""
ORDERLESS = frozenset(
    {"count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every", "bit_and", "bit_or", "bit_xor"}
)


class Kind(StrEnum):
    """How the value of a call is kept."""

    ROWS = "rows"
    COUNT = "count"
    SUM = "sum"
    AVERAGE = "average"
    LEAST = "least"
    GREATEST = "greatest"
    ABSENT = "absent"
    RECOMPUTED = "recomputed"


@dataclass(frozen=True, slots=True)
class Classified:
    """A call, its kind, its argument and filter, and the type a sum is kept in."""

    call: Call
    kind: Kind
    argument: Scalar | None = None
    filter: Scalar | None = None
    sum_type: str | None = None
    argument_type: str | None = None


def classify(call: Call, child: Rel, facts: Facts) -> Classified:
    """Decide how a call is kept.

    Raises:
        Unsupported: an aggregate whose value depends on more than the bag of its inputs.
        MissingFacts: the type of a sum's argument has to be described first.
    """
    node = call.value.node.func_call
    schema, name = function_name(node)
    if is_typed_null(call.value):
        return Classified(call, Kind.ABSENT)
    if schema != "pg_catalog" or name not in ORDERLESS or node.agg_within_group:
        return Classified(call, Kind.RECOMPUTED)
    condition = Scalar(node.agg_filter) if node.agg_filter.WhichOneof("node") else None
    if node.agg_star:
        return Classified(call, Kind.COUNT if condition else Kind.ROWS, None, condition)
    argument = Scalar(node.args[0])
    if name in ("min", "max"):
        kind = Kind.LEAST if name == "min" else Kind.GREATEST
        return Classified(call, kind, argument, condition)
    if node.agg_distinct or name not in ("count", "sum", "avg"):
        if name in ("sum", "avg") and type_of(child, argument, facts) in FLOATS:
            raise Unsupported(f"{name}(DISTINCT …) over floats has no delta rule yet")
        return Classified(call, Kind.RECOMPUTED, argument, condition)
    if name == "count":
        return Classified(call, Kind.COUNT, argument, condition)
    argument_type = type_of(child, argument, facts)
    if argument_type in SUM_RESULT:
        kind = Kind.SUM if name == "sum" else Kind.AVERAGE
        return Classified(call, kind, argument, condition, SUM_RESULT[argument_type], argument_type)
    return Classified(call, Kind.RECOMPUTED, argument, condition)


def exact(
    calls: Sequence[Classified], items: Sequence[Item], columns: Mapping[int, ColumnFacts], *, inner: bool
) -> list[Classified]:
    """Recompute the sums whose digits would show that they were folded.

    A folded sum has the right value, but the scale of what it once added; a quotient or a text shows it. A sum that
    is selected as it is stays folded: its value is what counts, unless another query reads it (`inner`). So does one
    whose digits can differ only where it is 0, and all that is computed of it is 0 then.
    """
    inside = {n for item in items if inner or item.value.column is None for n in item.value.columns}

    def digits_matter(classified: Classified) -> bool:
        if classified.sum_type != "numeric" or classified.argument is None:
            return False
        number = classified.call.column.number
        used = classified.kind is Kind.AVERAGE or number in inside
        if not used or classified.argument_type != "numeric":
            return False
        if fixed_scale(classified.argument.node, columns) is not None:
            return False
        only_factor = all(is_factor(i.value.node, number) for i in items if reads(i.value.node, number))
        beside_zero = scale_beside_zero(classified.argument.node, columns) is not None
        return inner or classified.kind is Kind.AVERAGE or not (beside_zero and only_factor)

    return [replace(c, kind=Kind.RECOMPUTED, sum_type=None) if digits_matter(c) else c for c in calls]


def determinised(call: Call, child: Rel, facts: Facts) -> Call:
    """Complete the order in which an aggregate reads its rows, so that the same bag always gives the same value."""
    node = call.value.node.func_call
    schema, name = function_name(node)
    if node.agg_within_group or node.agg_distinct or not node.args:
        return call
    arguments = {f"a{i}": Scalar(argument) for i, argument in enumerate(node.args)}
    order = f"ROW({', '.join(arguments)}) USING OPERATOR(pg_catalog.*<)"
    if schema == "pg_catalog" and name in ORDERLESS:
        if name not in ("sum", "avg") or type_of(child, arguments["a0"], facts) not in FLOATS:
            return call
        order = order if node.agg_order else "a0"
    completed = pb.Node()
    completed.CopyFrom(call.value.node)
    last = expression(f"f(a0 ORDER BY {order})", **arguments).node.func_call.agg_order
    completed.func_call.agg_order.extend(last)
    return Call(call.column, Scalar(completed))


def type_of(rel: Rel, value: Scalar, facts: Facts) -> str:
    """Type of an expression over a relation: known for stored columns, else as the server describes it.

    Raises:
        MissingFacts: it has not been described yet.
    """
    stored = origins(rel).get(value.column) if value.column is not None else None
    if stored is not None:
        return stored.base_type
    text = render(value, lambda number: ("q", next(c.label for c in rel.columns if c.number == number)))
    question = f"SELECT {text} AS {ident('value')} FROM (\n{Renderer().select(rel)}\n) q LIMIT 0"
    if question not in facts.types:
        raise MissingFacts([question])
    return facts.types[question]
