"""Subqueries inside expressions, replaced by columns of the relation below.

    EXISTS (S)              a Mark: does S have a row?
    x IN (S), x op ANY (S)  a Mark on x op y; where NULL matters, a second one on (x op y) IS NULL
    x op ALL (S)            the Mark of the opposite
    (SELECT …)              its value, see partners.py

A condition that WHERE decides needs to know only what is true, so one mark serves it; elsewhere unknown counts as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.pairing import Mark
from trickle.ivm.algebra.relations import Rel
from trickle.ivm.algebra.scalars import (
    Scalar,
    expression,
    reference,
)
from trickle.ivm.query.partners import one_value
from trickle.ivm.query.tied import Tied


def conjunct_nodes(node: pb.Node) -> Iterator[pb.Node]:
    """Split `a AND b AND c` into its parts."""
    if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == pb.AND_EXPR:
        for argument in node.bool_expr.args:
            yield from conjunct_nodes(argument)
    else:
        yield node


def negated(node: pb.Node) -> pb.Node | None:
    """The operand of NOT, or None."""
    if node.WhichOneof("node") == "bool_expr" and node.bool_expr.boolop == pb.NOT_EXPR:
        return node.bool_expr.args[0]
    return None


def condition(
    rel: Rel, link: pb.SubLink, tested: Sequence[Scalar], inner: Tied, *, wanted: bool, numbering: Numbering
) -> tuple[Rel, Scalar]:
    """A subquery that is a condition by itself: one mark, and a test that is true exactly when it is `wanted`."""
    if link.sub_link_type == pb.EXISTS_SUBLINK:
        return _marked(rel, inner, (), numbering, present=wanted)
    compared = _comparison(link, tested, inner)
    if link.sub_link_type == pb.ANY_SUBLINK:
        if wanted:
            return _marked(rel, inner, (compared,), numbering, present=True)
        return _marked(rel, inner, (expression("c IS NOT FALSE", c=compared),), numbering, present=False)
    if wanted:
        return _marked(rel, inner, (expression("c IS NOT TRUE", c=compared),), numbering, present=False)
    return _marked(rel, inner, (expression("c IS FALSE", c=compared),), numbering, present=True)


def value(
    rel: Rel, link: pb.SubLink, tested: Sequence[Scalar], inner: Tied, numbering: Numbering
) -> tuple[Rel, Scalar]:
    """A subquery anywhere in an expression: true, false or unknown, or the value of a scalar subquery."""
    if link.sub_link_type == pb.EXISTS_SUBLINK:
        return _marked(rel, inner, (), numbering, present=True)
    if link.sub_link_type == pb.EXPR_SUBLINK:
        return one_value(rel, inner, numbering)
    compared = _comparison(link, tested, inner)
    decisive, otherwise = ("c IS TRUE", "false") if link.sub_link_type == pb.ANY_SUBLINK else ("c IS FALSE", "true")
    first = (compared,) if decisive == "c IS TRUE" else (expression(decisive, c=compared),)
    rel, decided = _marked(rel, inner, first, numbering, present=True)
    rel, unknown = _marked(rel, inner, (expression("c IS NULL", c=compared),), numbering, present=True)
    found = "true" if otherwise == "false" else "false"
    template = f"CASE WHEN d THEN {found} WHEN u THEN NULL::boolean ELSE {otherwise} END"
    return rel, expression(template, d=decided, u=unknown)


def _marked(
    rel: Rel, inner: Tied, also: tuple[Scalar, ...], numbering: Numbering, *, present: bool
) -> tuple[Rel, Scalar]:
    here = {column.number for side in (rel, inner.rel) for column in side.columns}
    if any(not predicate.columns <= here for predicate in (*inner.ties, *also)):
        raise Unsupported("a subquery tied to a query further out than the next has no delta rule yet")
    mark = numbering.column("mark")
    test = reference(mark) if present else expression("NOT m", m=reference(mark))
    return Mark(rel, inner.rel, (*inner.ties, *also), mark), test


def _comparison(link: pb.SubLink, tested: Sequence[Scalar], inner: Tied) -> Scalar:
    """x op y; a row of several columns is compared column by column by = only."""
    operator = ".".join(part.string.sval for part in link.oper_name) or "="
    if len(tested) != len(inner.targets):
        raise Unsupported("a comparison of whole rows with a subquery has no delta rule yet")
    if len(tested) > 1 and operator != "=":
        raise Unsupported(f"rows compared with a subquery by {operator} have no delta rule yet")
    pairs = [_compared(x, operator, y) for x, y in zip(tested, inner.targets, strict=True)]
    compared = pairs[0]
    for pair in pairs[1:]:
        compared = expression("a AND b", a=compared, b=pair)
    return compared


def _compared(x: Scalar, operator: str, y: Scalar) -> Scalar:
    node = expression("x = y", x=x, y=y).node
    copy = pb.Node()
    copy.CopyFrom(node)
    del copy.a_expr.name[:]
    for part in operator.split(".") if operator[0].isalpha() else [operator]:
        copy.a_expr.name.add().string.sval = part
    return Scalar(copy)
