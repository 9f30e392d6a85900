"""Make every aggregate's value a function of the bag it aggregates, or refuse.

Recomputing a group must give the very value that was stored. Floats are therefore added in a fixed order, in the
full refresh and in the program alike; aggregates that depend on more than the bag have no rule.
"""

from __future__ import annotations

from dataclasses import replace

from trickle.errors import Unsupported
from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.pairing import Mark, OuterJoin
from trickle.ivm.algebra.properties import origins
from trickle.ivm.algebra.relations import Aggregate, Block, Copies, Rel, UnionAll
from trickle.ivm.algebra.scalars import Scalar, expression
from trickle.ivm.algebra.scale import fixed_scale
from trickle.ivm.algebra.windows import Window
from trickle.ivm.facts import Facts
from trickle.ivm.program.calls import IDENTICAL, Kind, classify, determinised, type_of
from trickle.ivm.query.grouping import function_name

ALIKE = frozenset({"count", "min", "max", "bool_and", "bool_or", "every"})
"""Aggregates that show nothing of how the distinct values they read look."""


def settled(rel: Rel, facts: Facts, *, root: bool = True) -> Rel:
    """Return the relation with determinate aggregates.

    Raises:
        Unsupported: an aggregate that no rule can maintain.
        MissingFacts: the type of an argument has to be described first.
    """
    match rel:
        case Block(inputs, predicates, items):
            alone = root and len(inputs) == 1
            return Block(tuple(settled(i, facts, root=alone) for i in inputs), predicates, items)
        case UnionAll(branches, outputs):
            return UnionAll(tuple(settled(b, facts, root=False) for b in branches), outputs)
        case Aggregate(child, keys, calls, scalar):
            child = settled(child, facts, root=False)
            for call in calls:
                classify(call, child, facts)
            if not root:
                _refuse_ties(rel, child, facts)
            if not keys and not scalar:
                raise Unsupported("DISTINCT over no columns has no delta rule")
            settled_calls = tuple(determinised(c, child, facts) for c in calls)
            loose = () if root else _loose(rel, child, facts)
            return Aggregate(child, keys, settled_calls, scalar, loose)
        case Window(child, keys, calls, order):
            return Window(settled(child, facts, root=False), keys, calls, order)
        case Expand(child):
            return replace(rel, child=settled(child, facts, root=False))
        case Copies(child, weight):
            return Copies(settled(child, facts, root=False), weight)
        case Mark(left, right, predicates, mark):
            sides = [settled(side, facts, root=False) for side in (left, right)]
            return Mark(sides[0], sides[1], predicates, mark)
        case OuterJoin(left, right, predicates, full):
            sides = [settled(side, facts, root=False) for side in (left, right)]
            return OuterJoin(sides[0], sides[1], predicates, full)
        case _:
            return rel


def _refuse_ties(rel: Aggregate, child: Rel, facts: Facts) -> None:
    """The value that stands for several equal ones that look different is not the same one every time."""
    for call in rel.calls:
        node = call.value.node.func_call
        name = function_name(node)[1]
        over_none = Scalar(node.agg_filter) == expression("false") if node.agg_filter.WhichOneof("node") else False
        if node.agg_within_group and name in ("mode", "percentile_disc") and not over_none:
            if _loose_type(child, Scalar(node.agg_order[0].sort_by.node), facts):
                raise Unsupported(f"{name}() chooses between equal values that look different")
        elif node.agg_distinct and name not in ALIKE and any(_loose_type(child, Scalar(a), facts) for a in node.args):
            raise Unsupported(f"{name}(DISTINCT …) chooses between equal values that look different")


def _loose(rel: Aggregate, child: Rel, facts: Facts) -> tuple[tuple[int, str], ...]:
    """Keys and extremes that stand for equal values that may look different, with their types."""
    values = [(key.column, key.value) for key in rel.keys]
    for call in rel.calls:
        classified = classify(call, child, facts)
        if classified.kind in (Kind.LEAST, Kind.GREATEST) and classified.argument is not None:
            values.append((call.column, classified.argument))
    types = {column.number: _loose_type(child, value, facts) for column, value in values}
    return tuple((number, type) for number, type in types.items() if type is not None)


def _loose_type(child: Rel, value: Scalar, facts: Facts) -> str | None:
    """The type of an expression, if equal values of it may look different."""
    known = origins(child)
    if value.column is not None and value.column in known:
        stored = known[value.column]
        return None if stored.equal_is_identical else stored.base_type
    if fixed_scale(value.node, known) is not None:
        return None
    type_name = type_of(child, value, facts)
    return None if type_name in IDENTICAL else type_name
