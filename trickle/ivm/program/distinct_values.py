"""Counts of distinct values, over the values that each group has: these are kept, so a change says which come and go.

    γ_{K; count(DISTINCT x)}(C)  =  γ_{K; count(x)}(γ_{K, x}(C))

Otherwise a group is read again whenever one of its rows changes. Values of a fixed size only: they are indexed.
"""

from __future__ import annotations

from postgast import pg_query_pb2 as pb

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.properties import origins
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Item
from trickle.ivm.algebra.scalars import Scalar, expression, reference, substitute
from trickle.ivm.facts import Facts
from trickle.ivm.program.calls import IDENTICAL, classify, type_of
from trickle.ivm.program.sums import KeepSums, top_of
from trickle.ivm.program.two_steps import in_two_steps
from trickle.ivm.query.grouping import function_name

FIXED_SIZE = IDENTICAL - {"text", "character varying", "bytea"}


def distinct_values_kept(block: Block, keep: KeepSums, numbering: Numbering, facts: Facts) -> Block | None:
    """Return an equal block over the distinct values of each group, or None where it does not count such."""
    top = top_of(block)
    counted = {call.column.number: value for call in top.calls if (value := _counted(call))} if top else {}
    if top is None or len(set(counted.values())) != 1:
        return None
    (value,) = set(counted.values())
    if type_of(top.child, value, facts) not in FIXED_SIZE:
        return None
    here = frozenset(column.number for column in top.child.columns)
    others = [classify(call, top.child, facts) for call in top.calls if call.column.number not in counted]
    steps = in_two_steps(others, here, origins(top.child), numbering)
    if steps is None:
        return None
    group = [Item(numbering.like(key.column), key.value) for key in top.keys]
    found = Item(numbering.column("found"), value)
    kept = keep(Aggregate(top.child, (*group, found), tuple(steps.inner)), steps.scales)
    if kept is None:
        return None
    outer = {call.column.number: call for call in steps.outer}
    count = expression("count(a)", a=reference(found.column))
    calls = tuple(outer.get(call.column.number) or Call(call.column, count) for call in top.calls)
    keys = tuple(Item(key.column, reference(item.column)) for key, item in zip(top.keys, group, strict=True))
    items = tuple(Item(item.column, substitute(item.value, steps.shown)) for item in block.items)
    return Block((Aggregate(kept, keys, calls, top.scalar),), (), items)


def _counted(call: Call) -> Scalar | None:
    """The x of count(DISTINCT x)."""
    node: pb.FuncCall = call.value.node.func_call
    if function_name(node) != ("pg_catalog", "count") or not node.agg_distinct or node.agg_order:
        return None
    return None if node.agg_filter.WhichOneof("node") else Scalar(node.args[0])
