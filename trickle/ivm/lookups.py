"""By which columns a program looks rows up in its sources when little has changed.

A small relation (a change, the keys it touches, a single row) meets a large one by `a = b`: then rows of the large one
are looked up by b, and an index that begins with b is what makes the program fast. What has been looked up is known
from then on, and leads to the next one:

    ΔR ⋈ S ⋈ T on R.s = S.id and S.t = T.id      looks S up by id, then T by id
    γ(C|K)                                       looks the sources of C up by the group keys

Columns only: an index over an expression is for whoever knows the data. Whether an index exists is asked of the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.keeping import Kept, KeptChange, KeptFirst
from trickle.ivm.algebra.numbering import STORED, Numbering
from trickle.ivm.algebra.pairing import Mark, OuterJoin
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.relations import Aggregate, Block, Change, Copies, Given, Rel, Scan, Shared, UnionAll
from trickle.ivm.algebra.scalars import Scalar, column_number, substitute
from trickle.ivm.algebra.walk import children
from trickle.ivm.algebra.windows import Window
from trickle.ivm.delta.restrict import Restriction, restrict


@dataclass(frozen=True, slots=True, order=True)
class Lookup:
    """A source, and the columns by which its rows are found together."""

    schema: str
    table: str
    columns: tuple[str, ...]


Small = dict[int, tuple[Rel, bool]]
"""Which relations are known to be small or not, by their id(), which they keep as long as they stand here."""


def lookups(delta: Rel) -> tuple[Lookup, ...]:
    """Return what a derivative looks up; a relation that stands in several places counts once."""
    found: set[Lookup] = set()
    seen: set[int] = set()
    small: Small = {}
    stack = [delta]
    while stack:
        rel = stack.pop()
        if id(rel) in seen:
            continue
        seen.add(id(rel))
        found.update(_made_by(rel, small))
        # What a state table holds is not looked up where it came from: the table has an index of its own.
        stack.extend(() if isinstance(rel, Kept | KeptFirst) else children(rel))
    return tuple(sorted(found))


def read_again(aggregate: Aggregate, numbering: Numbering) -> Rel:
    """The rows below the touched groups of an aggregate, as they are read to compute these groups anew."""
    touched = Given("touched", tuple(key.column for key in aggregate.keys))
    keys = [Restriction(key.value, key.column, nullable=False) for key in aggregate.keys]
    return restrict(aggregate.child, keys, touched, numbering)


def _made_by(rel: Rel, small: Small) -> Iterator[Lookup]:
    match rel:
        case Block(inputs, predicates):
            yield from _followed(inputs, predicates, small)
        case Mark(left, right, predicates) | OuterJoin(left, right, predicates):
            block = as_block(right)
            values = {item.column.number: item.value for item in block.items}
            met = [substitute(predicate, values) for predicate in predicates]
            yield from _followed((left, *block.inputs), (*block.predicates, *met), small)
        case _:
            return


def _followed(
    inputs: Sequence[Rel], predicates: Sequence[Scalar], small: Small, given: frozenset[int] = frozenset()
) -> Iterator[Lookup]:
    """Start from the small inputs, and from columns whose values are given, and go on as far as equalities lead."""
    waiting = [i for i in inputs if not _is_small(i, small)]
    known = {column.number for i in inputs if _is_small(i, small) for column in i.columns}
    while True:
        reached = [(i, met) for i in waiting if (met := _met(i, predicates, known, given))]
        if not reached:
            return
        for rel, met in reached:
            yield from _looked_up(rel, met, small)
            waiting.remove(rel)
            known |= {column.number for column in rel.columns}


def _looked_up(rel: Rel, met: frozenset[int], small: Small) -> Iterator[Lookup]:
    """What is looked up where the values of some columns of `rel` are known; an aggregate is computed first."""
    match rel:
        case Scan(table) if table.oid == STORED:
            return
        case Scan(table, attributes):
            names = tuple(facts.name for column, facts in attributes if column.number in met)
            yield Lookup(table.schema, table.name, names)
        case Block(inputs, predicates, items):
            copied = (i.value.column for i in items if i.column.number in met)
            yield from _followed(
                inputs, predicates, small, frozenset(number for number in copied if number is not None)
            )
        case Mark(left):
            yield from _looked_up(left, met, small)
        case _:
            return


def _met(rel: Rel, predicates: Sequence[Scalar], known: set[int], given: frozenset[int]) -> frozenset[int]:
    """The columns of `rel` whose values are given, or that some predicate equates with something known."""
    own = {column.number for column in rel.columns}
    found = own & given
    for predicate in predicates:
        for column, value in _equalities(predicate):
            if column in own and value.columns and value.columns <= known:
                found.add(column)
    return frozenset(found)


def _equalities(predicate: Scalar) -> Iterator[tuple[int, Scalar]]:
    """`a = b`, read from both sides, where the one side is a column."""
    node = predicate.node
    if node.WhichOneof("node") != "a_expr" or node.a_expr.kind != pb.AEXPR_OP:
        return
    expression = node.a_expr
    if len(expression.name) != 1 or expression.name[0].string.sval != "=":
        return
    for one, other in ((expression.lexpr, expression.rexpr), (expression.rexpr, expression.lexpr)):
        if one.WhichOneof("node") == "column_ref":
            yield column_number(one), Scalar(other)


def _is_small(rel: Rel, known: Small) -> bool:
    """Is this no larger than the change, or a single row? What stands in several places is looked at once."""
    if id(rel) not in known:
        known[id(rel)] = (rel, _looks_small(rel, known))
    return known[id(rel)][1]


def _looks_small(rel: Rel, known: Small) -> bool:
    match rel:
        case Change() | Given() | KeptChange() | KeptFirst():
            return True
        case Block(inputs):
            return any(_is_small(i, known) for i in inputs)
        case UnionAll(branches):
            return all(_is_small(branch, known) for branch in branches)
        case Aggregate(child, scalar=scalar):
            return scalar or _is_small(child, known)
        case Shared(child=child) | Copies(child) | Window(child) | Expand(child) | Mark(child):
            return _is_small(child, known)
        case OuterJoin(left, right, _, full):
            return _is_small(left, known) and (not full or _is_small(right, known))
        case _:
            return False
