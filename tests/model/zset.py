"""What every operator of the algebra means, over bags of rows: the oracle of the compiler's laws.

A relation is a Counter of tuples, in the order of its columns. A change is the same with negative counts too;
the algebra holds it as a bag of rows with a weight column, and `zset` adds it up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from model.scalars import NotModelled, Row, value_of
from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.keeping import Kept, KeptBefore, KeptChange, KeptFirst
from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.pairing import Mark, OuterJoin, Wanted
from trickle.ivm.algebra.relations import (
    Aggregate,
    Block,
    Change,
    Copies,
    Filter,
    Given,
    Join,
    Project,
    Rel,
    Scan,
    Shared,
    UnionAll,
)
from trickle.ivm.algebra.scalars import Column
from trickle.ivm.algebra.windows import Window

Bag = Counter[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class State:
    """Tables before and after, by oid, their rows in the order of the table's columns; and given CTEs."""

    before: Mapping[int, Bag]
    after: Mapping[int, Bag]
    given: Mapping[str, Bag] = field(default_factory=dict)

    def change(self, oid: int) -> Bag:
        """The signed rows that lead from before to after."""
        signed = Counter(self.after[oid])
        signed.subtract(self.before[oid])
        return Counter({row: n for row, n in signed.items() if n})

    def earlier(self) -> State:
        """The same world, seen before the changes."""
        return State(self.before, self.before, self.given)


def evaluate(rel: Rel, state: State) -> Bag:
    """The rows of a relation, as a statement after the changes sees them."""
    match rel:
        case Scan():
            return _scanned(rel, state.after[rel.table.oid])
        case Change(scan):
            signed = _scanned(scan, state.change(scan.table.oid))
            return Counter({(*row, n): 1 for row, n in signed.items() if n})
        case Filter(child, predicates):
            found = evaluate(child, state)
            return Counter({t: n for t, n in found.items() if _holds(predicates, _row(child, t))})
        case Project(child, items):
            return _project(items, ((_row(child, t), n) for t, n in evaluate(child, state).items()))
        case Join(left, right, predicates):
            return evaluate(Block((left, right), predicates, _all_of(left, right)), state)
        case Block(_, _, _, gate) if gate is not None and not evaluate(gate, state):
            return Counter()
        case Block(inputs, predicates, items):
            return _project(items, _joined(inputs, predicates, state))
        case UnionAll(branches):
            return sum((evaluate(branch, state) for branch in branches), Counter())
        case Aggregate():
            return _aggregated(rel, state)
        case Mark():
            return _marked(rel, state)
        case OuterJoin():
            return _outer_joined(rel, state)
        case Window():
            return _windowed(rel, state)
        case Expand():
            return _expanded(rel, state)
        case Shared(_, _, child):
            return evaluate(child, state)
        case Copies(child, weight):
            return _copied(child, weight, state)
        case Wanted(groups):
            return evaluate(groups, state)
        case Kept(_, kept):
            return evaluate(kept, state)
        case KeptBefore(kept):
            return evaluate(kept.rel, state.earlier())
        case KeptChange(kept):
            signed = difference(evaluate(kept.rel, state), evaluate(kept.rel, state.earlier()))
            return Counter({(*row, n): 1 for row, n in signed.items()})
        case KeptFirst():
            return _first(rel, state)
        case Opaque():
            return FUNCTIONS[rel.reason][1](*(evaluate(i, state) for i in rel.inputs))
        case Given(name):
            return state.given[name]
        case _:
            raise NotModelled(f"no meaning for {type(rel).__name__}")


FUNCTIONS: Mapping[str, tuple[str, Callable[..., Bag]]] = {
    "the rows of one that the other has": (
        """(SELECT k.id, k.a, k.b FROM "#0" k
            WHERE EXISTS (SELECT FROM "#1" o WHERE (o.a, o.b) IS NOT DISTINCT FROM (k.a, k.b)))""",
        lambda a, b: Counter({row: n for row, n in a.items() if row[1:] in b}),
    ),
    "how many rows both have": (
        """(SELECT count(*) FROM "#0" k, "#1" o)""",
        lambda a, b: Counter({(a.total() * b.total(),): 1}),
    ),
}
"""Blocks kept as text, and what they say, by the reason for which they are kept so."""


def zset(rel: Rel, weight: Column, state: State) -> Bag:
    """Add up signed rows by their weight column; rows that cancel are gone."""
    place = [column.number for column in rel.columns].index(weight.number)
    total: Bag = Counter()
    for row, n in evaluate(rel, state).items():
        total[row[:place] + row[place + 1 :]] += row[place] * n
    return Counter({row: n for row, n in total.items() if n})


def difference(after: Bag, before: Bag) -> Bag:
    """The signed rows between two bags."""
    signed = Counter(after)
    signed.subtract(before)
    return Counter({row: n for row, n in signed.items() if n})


def _copied(child: Rel, weight: Column, state: State) -> Bag:
    place = [column.number for column in child.columns].index(weight.number)
    found: Bag = Counter()
    for row, n in evaluate(child, state).items():
        if (row[place] or 0) > 0:
            found[row[:place] + row[place + 1 :]] += row[place] * n
    return found


def _first(rel: KeptFirst, state: State) -> Bag:
    """All rows before which there are fewer than `count`."""
    rows = evaluate(rel.kept.rel, state.earlier() if rel.before else state)
    place = rel.order.node.func_call.over.order_clause[0].sort_by.node
    keys = {values: _sorting(value_of(place, _row(rel.kept, values))) for values in rows}
    return Counter(
        {
            values: n
            for values, n in rows.items()
            if sum(rows[other] for other in rows if keys[other] < keys[values]) < rel.count
        }
    )


def _scanned(scan: Scan, rows: Bag) -> Bag:
    places = [[c.number for c in scan.table.columns].index(facts.number) for _, facts in scan.attributes]
    found: Bag = Counter()
    for row, n in rows.items():
        found[tuple(row[place] for place in places)] += n
    return found


def _marked(rel: Mark, state: State) -> Bag:
    partners = [_row(rel.right, other) for other in evaluate(rel.right, state)]
    found: Bag = Counter()
    for values, n in evaluate(rel.left, state).items():
        row = _row(rel.left, values)
        found[(*values, any(_holds(rel.predicates, row | other) for other in partners))] += n
    return found


def _outer_joined(rel: OuterJoin, state: State) -> Bag:
    left, right = evaluate(rel.left, state), evaluate(rel.right, state)
    found: Bag = Counter()
    met: set[tuple[Any, ...]] = set()
    for values, n in left.items():
        partners = [o for o in right if _holds(rel.predicates, _row(rel.left, values) | _row(rel.right, o))]
        met.update(partners)
        for other in partners:
            found[values + other] += n * right[other]
        if not partners:
            found[values + (None,) * len(rel.right.columns)] += n
    if rel.full:
        for other in set(right) - met:
            found[(None,) * len(rel.left.columns) + other] += right[other]
    return found


def _windowed(rel: Window, state: State) -> Bag:
    """Rows one by one, each beside its place in its partition, or what the partition adds up to."""
    partitions: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for values, n in evaluate(rel.child, state).items():
        row = _row(rel.child, values)
        key = tuple(value_of(k.value.node, row) for k in rel.keys)
        partitions.setdefault(key, []).extend([values] * n)
    found: Bag = Counter()
    for rows in partitions.values():
        columns = [_window_values(call.value.node, rel.child, rows) for call in rel.calls]
        for values, *added in zip(rows, *columns, strict=True):
            found[(*values, *added)] += 1
    return found


def _window_values(node: Any, child: Rel, rows: list[tuple[Any, ...]]) -> list[Any]:
    call = node.func_call
    name = call.funcname[-1].string.sval
    if name == "row_number" and not call.over.order_clause:
        return list(range(1, len(rows) + 1))
    if not call.over.order_clause:
        added = value_of(_without_over(node), {}, [(_row(child, values), 1) for values in rows])
        return [added] * len(rows)
    place = call.over.order_clause[0].sort_by.node
    keys = [_sorting(value_of(place, _row(child, values))) for values in rows]
    if name == "rank":
        return [1 + sum(other < key for other in keys) for key in keys]
    images = [(key, tuple(map(_sorting, values))) for key, values in zip(keys, rows, strict=True)]
    taken: Counter[Any] = Counter()
    numbers: list[Any] = []
    for image in images:
        numbers.append(1 + sum(other < image for other in images) + taken[image])
        taken[image] += 1
    return numbers


def _sorting(value: Any) -> tuple[bool, Any]:
    """NULLS LAST."""
    return (value is None, 0 if value is None else value)


def _without_over(node: Any) -> Any:
    plain = type(node)()
    plain.CopyFrom(node)
    plain.func_call.ClearField("over")
    return plain


def _expanded(rel: Expand, state: State) -> Bag:
    """generate_series(1, x), the one function the model has."""
    found: Bag = Counter()
    for values, n in evaluate(rel.child, state).items():
        last = value_of(rel.functions[0].node.func_call.args[1], _row(rel.child, values))
        returned = list(range(1, (last or 0) + 1)) or ([None] if rel.kept else [])
        for number in returned:
            found[(*values, number)] += n
    return found


def _row(rel: Rel, values: tuple[Any, ...]) -> dict[int, Any]:
    return {column.number: value for column, value in zip(rel.columns, values, strict=True)}


def _holds(predicates: Any, row: Row) -> bool:
    return all(value_of(p.node, row) is True for p in predicates)


def _joined(inputs: Any, predicates: Any, state: State) -> Any:
    bags = [evaluate(i, state).items() for i in inputs]
    for combination in product(*bags):
        row: dict[int, Any] = {}
        count = 1
        for rel, (values, n) in zip(inputs, combination, strict=True):
            row |= _row(rel, values)
            count *= n
        if _holds(predicates, row):
            yield row, count


def _project(items: Any, rows: Any) -> Bag:
    found: Bag = Counter()
    for row, n in rows:
        found[tuple(value_of(item.value.node, row) for item in items)] += n
    return found


def _all_of(*rels: Rel) -> Any:
    from trickle.ivm.algebra.relations import copy_of

    return tuple(copy_of(column) for rel in rels for column in rel.columns)


def _aggregated(rel: Aggregate, state: State) -> Bag:
    groups: dict[tuple[Any, ...], list[tuple[Row, int]]] = {(): []} if rel.scalar else {}
    for values, n in evaluate(rel.child, state).items():
        row = _row(rel.child, values)
        key = tuple(value_of(k.value.node, row) for k in rel.keys)
        groups.setdefault(key, []).append((row, n))
    return Counter({(*key, *(value_of(c.value.node, {}, rows) for c in rel.calls)): 1 for key, rows in groups.items()})
