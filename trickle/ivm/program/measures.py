"""Which folds over a join can add up the change of one input before joining it (see delta/measured.py).

One input, the fact, has to hold every column that the counts and sums read. Where none does, or all rows count alike,
the largest table is taken, if it is one: its changes are the many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Aggregate, Block, Scan
from trickle.ivm.algebra.scalars import Scalar, columns_of, expression, reference, substitute
from trickle.ivm.delta import Measure
from trickle.ivm.program.states import State


@dataclass(frozen=True, slots=True)
class Measured:
    """A join to be derived with measures: the block with only its keys, which input is the fact, and the measures."""

    block: Block
    fact: int
    measures: tuple[Measure, ...]
    of_state: tuple[Measure | None, ...]
    states: tuple[State, ...]

    def sum_of(self, state: State, weight: Scalar) -> Scalar:
        """How a state changes over rows that carry measures."""
        measure = self.of_state[self.states.index(state)]
        if measure is None:
            return expression("sum(w)::bigint", w=weight)
        return expression(f"coalesce(sum(m), 0)::{state.type}", m=reference(measure.column))


def measurable(aggregate: Aggregate, states: Sequence[State], numbering: Numbering) -> Measured | None:
    """Return how the aggregate's join can be derived with measures, or None."""
    block = aggregate.child
    if not isinstance(block, Block) or len(block.inputs) < 2 or block.gate is not None:
        return None
    outputs = {item.column.number: item.value for item in block.items}
    values = [None if s.contribution is None else substitute(s.contribution, outputs) for s in states]
    fact = _fact(block, [value for value in values if value is not None])
    if fact is None:
        return None
    made = tuple(
        None if value is None else Measure(numbering.column("measure"), value, _type(state))
        for value, state in zip(values, states, strict=True)
    )
    read = columns_of(key.value for key in aggregate.keys)
    kept = Block(block.inputs, block.predicates, tuple(i for i in block.items if i.column.number in read))
    return Measured(kept, fact, tuple(m for m in made if m is not None), made, tuple(states))


def _fact(block: Block, values: Sequence[Scalar]) -> int | None:
    read = columns_of(values)
    if not read:
        sizes = [i.table.rows if isinstance(i, Scan) else 0.0 for i in block.inputs]
        return sizes.index(max(sizes))
    holders = [n for n, i in enumerate(block.inputs) if read <= {column.number for column in i.columns}]
    return holders[0] if holders else None


def _type(state: State) -> str:
    return "bigint" if state.sum_type is None else "numeric"
