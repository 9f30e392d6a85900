"""Subqueries inside expressions, replaced by columns of the relation below.

    EXISTS (S)              a Mark: does S have a row?
    x IN (S), x op ANY (S)  a Mark on x op y; where NULL matters, a second one on (x op y) IS NULL
    x op ALL (S)            the Mark of the opposite
    (SELECT agg(…) …)       without correlation a join with one row; correlated by equality a left join with the
                            groups of the inner table, where a missing group counts nothing
    (SELECT x …)            a left join; where no key says that there is at most one row, they are counted

A condition that WHERE decides needs to know only what is true, so one mark serves it; elsewhere unknown counts as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.pairing import Mark, OuterJoin
from trickle.ivm.algebra.passes.fuse_blocks import as_block, fuse_blocks
from trickle.ivm.algebra.properties import input_keys, trusted_equalities
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Item, Join, Project, Rel, copy_of
from trickle.ivm.algebra.scalars import (
    Scalar,
    columns_of,
    equated_columns,
    expression,
    reference,
    replace_matching,
    tree_key,
)
from trickle.ivm.query.grouping import function_name
from trickle.ivm.query.tied import Tied

COUNTS = frozenset({"count", "regr_count"})
"""Aggregates over no rows are NULL, except these, which are 0 …"""
RANKS = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})
"""… and these, which are not."""


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
        return _scalar(rel, inner, numbering)
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


def _scalar(rel: Rel, inner: Tied, numbering: Numbering) -> tuple[Rel, Scalar]:
    """The value of a subquery with one column, for each row: NULL where it has no row, an error where it has two."""
    if inner.calls:
        rel, (answer,) = beside_group(rel, inner, numbering)
        return rel, answer
    target = inner.targets[0]
    if not inner.ties and _has_one_row(inner.rel):
        return Join(rel, inner.rel), target
    partner, (answer,) = partners(rel, inner, numbering)
    if not _at_most_one(rel, partner, inner.ties):
        counted = Call(numbering.column("count"), expression("count(*)"))
        rel = _beside_grouped(rel, replace(inner, calls=(counted,)), numbering)
        only = "CASE WHEN pgtrickle._at_most_one(n) THEN v END"
        answer = expression(only, n=reference(counted.column), v=answer)
    return OuterJoin(rel, partner, inner.ties), answer


def partners(rel: Rel, inner: Tied, numbering: Numbering) -> tuple[Rel, list[Scalar]]:
    """The rows of a subquery as partners of a left join with `rel`, and its outputs: NULL for a row without partner."""
    here, there = ({column.number for column in side.columns} for side in (rel, inner.rel))
    if not columns_of((*inner.ties, *inner.targets)) <= here | there:
        raise Unsupported("a subquery tied to a query further out than the next has no delta rule yet")
    items = [Item(numbering.column(name), value) for name, value in inner.outputs if value.columns <= there]
    inside = {value: reference(item.column) for item, value in ((item, item.value) for item in items)}
    present = Item(numbering.column("present"), expression("true"))
    only = {
        value: expression("CASE WHEN p THEN v END", p=reference(present.column), v=value)
        for value in inner.targets
        if value not in inside
    }
    if only:
        items.append(present)
    partner = Project(inner.rel, (*(copy_of(column) for column in inner.rel.columns), *items))
    return partner, [inside[value] if value in inside else only[value] for value in inner.targets]


def beside_group(rel: Rel, inner: Tied, numbering: Numbering) -> tuple[Rel, list[Scalar]]:
    """Put each row beside the one group of the rows tied to it; a group without rows counts nothing."""
    return _beside_grouped(rel, inner, numbering), [_over_calls(target, inner.calls) for target in inner.targets]


def _beside_grouped(rel: Rel, inner: Tied, numbering: Numbering) -> Rel:
    if not inner.ties:
        return Join(rel, Aggregate(inner.rel, (), inner.calls, scalar=True))
    here = {column.number for column in rel.columns}
    keys: list[Item] = []
    meetings: list[Scalar] = []
    for tie in inner.ties:
        a, b = equated_columns(tie) or (0, 0)
        outside, inside = (a, b) if a in here else (b, a)
        if outside not in here or inside in here or not inside:
            raise Unsupported("a scalar subquery correlated by anything but = has no delta rule yet")
        keys.append(Item(numbering.column("key"), reference(inside)))
        meetings.append(expression("x = k", x=reference(outside), k=reference(keys[-1].column)))
    return OuterJoin(rel, Aggregate(inner.rel, tuple(keys), inner.calls), tuple(meetings))


def _has_one_row(rel: Rel) -> bool:
    match rel:
        case Project(child):
            return _has_one_row(child)
        case Aggregate():
            return rel.scalar
        case Block(inputs, predicates):
            return not inputs and not predicates
        case _:
            return False


def _at_most_one(rel: Rel, partner: Rel, ties: Sequence[Scalar]) -> bool:
    """Do the ties equate every column of some key of the partner?"""
    left, right = as_block(fuse_blocks(rel)), as_block(fuse_blocks(partner))
    pairs = trusted_equalities((left, right), ties)
    equated = frozenset(number for pair in pairs for number in pair)
    return any(key <= equated for key in input_keys(right))


def _over_calls(target: Scalar, calls: Sequence[Call]) -> Scalar:
    """An output of a group over the columns of its aggregate calls, which are NULL where there is no group."""
    replacements: dict[bytes, Scalar] = {}
    for call in calls:
        schema, name = function_name(call.value.node.func_call)
        if schema != "pg_catalog" or name in RANKS:
            raise Unsupported(f"the value of {name}() over no rows, in a subquery for each row, has no delta rule yet")
        column = reference(call.column)
        replacements[tree_key(call.value.node)] = expression("COALESCE(n, 0)", n=column) if name in COUNTS else column
    return replace_matching(target, replacements)
