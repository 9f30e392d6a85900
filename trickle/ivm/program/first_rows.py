"""Where few rows of a state table are asked for: the first ones, the least or greatest value, those between two totals.

They are found by an index on what they are asked for by. The state table has one where its columns are short.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from trickle.ivm.algebra.bounds import ORDERED, bound
from trickle.ivm.algebra.keeping import Kept, KeptFirst
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.properties import origins
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Copies, Rel
from trickle.ivm.algebra.scalars import Scalar, expression, reference
from trickle.ivm.algebra.walk import walk
from trickle.ivm.algebra.windows import Window
from trickle.ivm.delta.one_row import has_one_row
from trickle.ivm.facts import ColumnFacts
from trickle.ivm.program.quote import ident
from trickle.ivm.program.sorting import sort_keys
from trickle.ivm.query.grouping import function_name

_EXTREMES = {("pg_catalog", "min"): "a", ("pg_catalog", "max"): "a DESC NULLS LAST"}
_SHORT = frozenset({"boolean", "uuid", "oid", "name", "interval", "inet", "cidr", "macaddr"}) | {
    "time without time zone",
    "time with time zone",
}
_LIMITED = re.compile(r"^character(?: varying)?\((\d+)\)$")
_CHARACTER_BYTES, _SHORT_BYTES, _INDEXED_BYTES = 4, 64, 2000


def with_first_rows(rel: Block) -> Block:
    """Where only the first rows of a state table can be shown, read no more of it than those.

    σ_{row_number() ≤ n}(ω(R)) = σ_{row_number() ≤ n}(ω(first n of R and their peers)), and so with rank().
    max(x) over R              = max(x) over the first of R by x, descending, and its peers
    """
    inputs = tuple(_over_first_rows(i) for i in rel.inputs)
    if len(inputs) == 1 and isinstance(inputs[0], Window):
        window = inputs[0]
        count = _shown_of(window, rel.predicates)
        if count is not None:
            inputs = (replace(window, child=_first(window.child, window.calls[0].value, count)),)
    return replace(rel, inputs=inputs)


def _over_first_rows(rel: Rel) -> Rel:
    match rel:
        case Block():
            return with_first_rows(rel)
        case Aggregate(child, (), (call,)) if (order := _extreme_first(call)) is not None:
            return replace(rel, child=_first(child, order, 1))
        case _:
            return rel


def _extreme_first(call: Call) -> Scalar | None:
    """The order in which the value of a call comes first, where it is the least or the greatest of a column."""
    node = call.value.node.func_call
    if not node.args or function_name(node) not in _EXTREMES or node.agg_filter.WhichOneof("node"):
        return None
    order = _EXTREMES[function_name(node)]
    value = Scalar(node.args[0])
    return expression(f"row_number() OVER (ORDER BY {order})", a=value) if value.column is not None else None


def _shown_of(window: Window, predicates: Sequence[Scalar]) -> int | None:
    """The n of `place <= n`, where the window numbers or ranks all rows and does nothing else."""
    if window.keys or len(window.calls) != 1:
        return None
    call = window.calls[0]
    if function_name(call.value.node.func_call) not in (("pg_catalog", "row_number"), ("pg_catalog", "rank")):
        return None
    for predicate in predicates:
        test = predicate.node.a_expr
        limit = test.rexpr.a_const.ival.ival
        if limit > 0 and predicate == expression(f"n <= {limit}", n=reference(call.column)):
            return int(limit)
    return None


def _first(child: Rel, order: Scalar, count: int) -> Rel:
    block = as_block(child)
    found = block.inputs[0] if len(block.inputs) == 1 and not block.predicates and block.gate is None else None
    kept = found.child if isinstance(found, Copies) else found
    if not isinstance(kept, Kept) or not order.columns <= {c.number for c in kept.columns}:
        return child
    first = KeptFirst(kept, order, count)
    return replace(block, inputs=(replace(found, child=first) if isinstance(found, Copies) else first,))


def index_of(rel: Rel, kept: Kept) -> tuple[str, ...]:
    """By which columns of its table the first rows of a state table are found, or those between two totals."""
    for found in walk(rel):
        if isinstance(found, KeptFirst) and found.kept.number == kept.number:
            keys = sort_keys(found.order, _stored(found.kept).__getitem__)
            fits = _fits_an_index(found.kept, found.order.columns)
            return keys if fits and not any(" USING " in key for key in keys) else ()
    for found in walk(rel):
        if isinstance(found, Block):
            compared = [name for i in found.inputs for name in _compared(i, kept, found)]
            if compared:
                return (compared[0],)
    return ()


def _compared(rel: Rel, kept: Kept, block: Block) -> Iterator[str]:
    """The stored columns that a block compares with a total, where it reads a state table."""
    if not isinstance(rel, Kept) or rel.number != kept.number:
        return
    totals = frozenset(column.number for i in block.inputs if has_one_row(i) for column in i.columns)
    for predicate in block.predicates:
        found = bound(predicate, totals, origins(rel))
        if found is not None and found.value.column is not None:
            yield _stored(rel)[found.value.column]


def _fits_an_index(kept: Kept, columns: frozenset[int]) -> bool:
    """Is every value of these columns short enough? An index refuses a row of a third of a page."""
    sizes = [_most_bytes(facts) for c, facts in zip(kept.columns, kept.facts, strict=True) if c.number in columns]
    return sum(sizes) <= _INDEXED_BYTES


def _most_bytes(facts: ColumnFacts) -> float:
    """How long a value can be, unless it is a number of thousands of digits."""
    limited = _LIMITED.match(facts.type)
    if limited:
        return int(limited.group(1)) * _CHARACTER_BYTES
    return _SHORT_BYTES if facts.base_type in ORDERED or facts.base_type in _SHORT else math.inf


def _stored(kept: Kept) -> dict[int, str]:
    return {column.number: ident(name) for column, name in zip(kept.columns, stored_names(kept.rel), strict=True)}


def stored_names(rel: Rel) -> tuple[str, ...]:
    """What the columns of a state table are called."""
    return tuple(f"c{i + 1}" for i in range(len(rel.columns)))
