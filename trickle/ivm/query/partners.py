"""Rows beside what a subquery finds for each of them: its rows, its one value, or the group of them.

(SELECT agg(…) …)       without correlation a join with one row; correlated by equality a left join with the
                        groups of the inner table, where a missing group counts nothing; correlated otherwise
                        the same, over the inner table joined with each value outside that it is tied to
(SELECT x …)            a left join; where no key says that there is at most one row, they are counted
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from postgast import pg_query_pb2 as pb

from trickle.errors import Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.pairing import OuterJoin
from trickle.ivm.algebra.passes.fuse_blocks import as_block, fuse_blocks
from trickle.ivm.algebra.properties import input_keys, origins, trusted_equalities
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Item, Join, Project, Rel, copy_of
from trickle.ivm.algebra.scalars import (
    Column,
    Scalar,
    columns_of,
    equated_columns,
    expression,
    reference,
    replace_calls,
    substitute,
    tree_key,
)
from trickle.ivm.query.grouping import function_name
from trickle.ivm.query.tied import Tied

COUNTS = frozenset({"count", "regr_count"})
"""Aggregates over no rows are NULL, except these, which are 0 …"""
RANKS = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})
"""… and these, which are not."""


def one_value(rel: Rel, inner: Tied, numbering: Numbering) -> tuple[Rel, Scalar]:
    """The value of a subquery with one column, for each row: NULL where it has no row, an error where it has two."""
    if len(inner.targets) != 1:
        raise Unsupported("a comparison of whole rows with a subquery has no delta rule yet")
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
    others: list[Scalar] = []
    for tie in inner.ties:
        a, b = equated_columns(tie) or (0, 0)
        outside, inside = (a, b) if a in here else (b, a)
        if outside not in here or inside in here:
            others.append(tie)
            continue
        keys.append(Item(numbering.column("key"), reference(inside)))
        meetings.append(expression("x = k", x=reference(outside), k=reference(keys[-1].column)))
    rows = inner.rel
    if others:
        domain, rows = _with_domain(rel, rows, others, numbering)
        for value, column in domain:
            keys.append(Item(numbering.column("key"), reference(column)))
            strict = all(_only_compared(number, others) for number in value.columns)
            template = "x = k" if strict else "x IS NOT DISTINCT FROM k"
            meetings.append(expression(template, x=value, k=reference(keys[-1].column)))
    return OuterJoin(rel, Aggregate(rows, tuple(keys), inner.calls), tuple(meetings))


def _with_domain(
    rel: Rel, rows: Rel, ties: Sequence[Scalar], numbering: Numbering
) -> tuple[list[tuple[Scalar, Column]], Rel]:
    """Join rows with the values outside that they are tied to, each value once; the columns that hold them.

    Equal values that look different are two values, where a tie does more with them than compare them.
    """
    there = {column.number for column in rows.columns}
    outside = sorted(columns_of(ties) - there)
    names = {column.number: column for column in rel.columns}
    if not set(outside) <= set(names):
        raise Unsupported("a subquery tied to a query further out than the next has no delta rule yet")
    items = [Item(numbering.like(names[number]), reference(number)) for number in outside]
    values = {number: reference(item.column) for number, item in zip(outside, items, strict=True)}
    known = origins(as_block(fuse_blocks(rel)))
    for number in outside:
        alike = number in known and known[number].equal_is_identical
        if not alike and not _merely_compared(number, ties):
            items.append(Item(numbering.column("text"), expression('x::text COLLATE "C"', x=reference(number))))
    joined = Join(Aggregate(rel, tuple(items), ()), rows, tuple(substitute(tie, values) for tie in ties))
    return [(item.value, item.column) for item in items], joined


def _merely_compared(column: int, ties: Sequence[Scalar]) -> bool:
    """Is the column an operand of a comparison in every tie that reads it, and nothing else there?"""
    reading = [tie for tie in ties if column in tie.columns]
    return all(sum(operand.columns >= {column} for operand in _operands(tie)) == 1 for tie in reading) and all(
        any(operand.column == column for operand in _operands(tie)) for tie in reading
    )


def _only_compared(column: int, ties: Sequence[Scalar]) -> bool:
    """Is the column an operand of a comparison in some tie? Then a NULL of it is tied to no row at all."""
    return any(operand.column == column for tie in ties for operand in _operands(tie))


def _operands(tie: Scalar) -> list[Scalar]:
    """Both sides of a comparison; nothing of any other condition."""
    compared = tie.node.a_expr
    plain = tie.node.WhichOneof("node") == "a_expr" and compared.kind == pb.AEXPR_OP and len(compared.name) == 1
    if plain and compared.name[0].string.sval in ("=", "<>", "<", "<=", ">", ">="):
        return [Scalar(side) for side in (compared.lexpr, compared.rexpr)]
    return []


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
    return replace_calls(target, replacements)
