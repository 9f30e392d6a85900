"""Calls over a join, had in two steps: over the rows of one side, and then over the sums of these.

    Σv = Σs                    s = Σv over the rows of one group of F
    count(*) = Σn              n = count(*), and so with count(x)
    Σ(CASE WHEN d THEN v ELSE 0 END) = Σ(CASE WHEN d THEN s ELSE 0 END)          d reads the other side alone

F is added up before it is known which of its rows count. So v has to have a value for every row: it is a column, or
made of numeric ones, of which sums and products cannot be too large. And all its values show the same number of digits,
so that a sum of sums looks like the sum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from postgast import pg_query_pb2 as pb

from trickle.errors import Ours
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Call
from trickle.ivm.algebra.scalars import Column, Scalar, column_number, expression, is_numbered, reference
from trickle.ivm.algebra.scale import fixed_scale, is_null, is_zero
from trickle.ivm.facts import ColumnFacts
from trickle.ivm.program.calls import Classified, Kind


@dataclass(slots=True)
class TwoSteps:
    """The calls over F, those over their values, and what is shown for one whose value has another type then."""

    here: frozenset[int]
    known: Mapping[int, ColumnFacts]
    numbering: Numbering
    inner: list[Call] = field(default_factory=list)
    outer: list[Call] = field(default_factory=list)
    shown: dict[int, Scalar] = field(default_factory=dict)
    scales: dict[int, int] = field(default_factory=dict)
    """How many digits each sum over F shows."""

    def added(self, value: Scalar) -> Column:
        """The column of a call over F; one that is there already serves twice."""
        for call in self.inner:
            if call.value == value:
                return call.column
        column = self.numbering.column("sum")
        self.inner.append(Call(column, value))
        return column

    def total_of(self, classified: Classified) -> Scalar | None:
        """What is to be added up above F, or None where the call cannot be had so."""
        argument = classified.argument
        if classified.filter is not None or classified.kind not in (Kind.ROWS, Kind.COUNT, Kind.SUM):
            return None
        if argument is None:
            return reference(self.added(expression("count(*)")))
        if classified.kind is Kind.SUM:
            return self.sum_of(argument) or self.choice_of(argument)
        return reference(self.added(expression("count(a)", a=argument))) if argument.column in self.here else None

    def sum_of(self, value: Scalar) -> Scalar | None:
        """Σv over F."""
        scale = fixed_scale(value.node, self.known)
        if not value.columns or not value.columns <= self.here or scale is None:
            return None
        if value.column is None and not self.numeric(value.node):
            return None
        total = self.added(expression("sum(a)", a=value))
        self.scales[total.number] = scale
        return reference(total)

    def choice_of(self, value: Scalar) -> Scalar | None:
        """CASE WHEN d THEN s ELSE 0 END."""
        made = pb.Node()
        made.CopyFrom(value.node)
        case = made.case_expr
        if made.WhichOneof("node") != "case_expr" or case.arg.WhichOneof("node"):
            return None
        if any(Scalar(when.case_when.expr).columns & self.here for when in case.args):
            return None
        results = [when.case_when.result for when in case.args]
        for result in [*results, case.defresult] if case.defresult.WhichOneof("node") else results:
            if is_zero(result) or is_null(result):
                continue
            total = self.sum_of(Scalar(result))
            if total is None:
                return None
            result.CopyFrom(total.node)
        return Scalar(made)

    def numeric(self, node: pb.Node) -> bool:
        """Is it a sum or product of numeric values?"""
        match node.WhichOneof("node"):
            case "column_ref":
                return self.known[column_number(node)].base_type == "numeric"
            case "type_cast":
                cast = node.type_cast
                wide = cast.type_name.names[-1].string.sval == "numeric" and not cast.type_name.typmods
                return wide and (is_numbered(cast.arg) or cast.arg.WhichOneof("node") == "a_const")
            case "a_const":
                return bool(node.a_const.WhichOneof("val") == "fval")
            case "a_expr":
                sides = [side for side in (node.a_expr.lexpr, node.a_expr.rexpr) if side.WhichOneof("node")]
                return all(self.numeric(side) for side in sides)
            case _:
                return False


def in_two_steps(
    calls: Sequence[Classified], here: frozenset[int], known: Mapping[int, ColumnFacts], numbering: Numbering
) -> TwoSteps | None:
    """Split calls over a join into calls over F, which has the columns `here`, and calls over their values."""
    made = TwoSteps(here, known, numbering)
    for classified in calls:
        total = made.total_of(classified)
        if total is None:
            return None
        column = classified.call.column
        made.outer.append(Call(column, expression("sum(s)", s=total)))
        if classified.kind is not Kind.SUM:
            made.shown[column.number] = expression("coalesce(s, 0)::bigint", s=reference(column))
        elif classified.sum_type is None:
            raise Ours("a sum has no type")
        elif classified.sum_type != "numeric":
            made.shown[column.number] = expression(f"s::{classified.sum_type}", s=reference(column))
    return made
