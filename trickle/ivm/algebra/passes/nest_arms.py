"""A small table, and the yet smaller ones that only it ties to the rest, are joined with each other first.

    F ⋈ S ⋈ σ_p(N)  =  F ⋈ (S ⋈ σ_p(N))          N is tied to S alone, and much smaller

PostgreSQL joins in whatever order it likes. A derivative joins its inputs one after another: a supplier that moves
would meet all its lines before p says that its nation is none of those asked for. The arm's own change says so first.
"""

from __future__ import annotations

from dataclasses import replace

from trickle.ivm.algebra.properties import trusted_equalities
from trickle.ivm.algebra.relations import Block, Rel, Scan, copy_of
from trickle.ivm.algebra.scalars import columns_of, equated_columns
from trickle.ivm.algebra.walk import over

FAN_OUT = 10
"""How many rows the largest table has, at least, for each of one that begins an arm."""
SMALLER = 100
"""How many rows a table has, at least, for each of one that hangs on it."""


def nest_arms(rel: Rel) -> Rel:
    """Return an equal relation in which arms that select are joined first."""
    nested = over(rel, nest_arms)
    return _nested(nested) if isinstance(nested, Block) else nested


def beyond(block: Block, pivot: int) -> frozenset[int]:
    """The inputs that equalities tie to the largest one through the input `pivot` only."""
    owner = {column.number: n for n, rel in enumerate(block.inputs) for column in rel.columns}
    ties = [(owner[a], owner[b]) for a, b in trusted_equalities(block.inputs, block.predicates)]
    sizes = [size(rel) for rel in block.inputs]
    reached = {sizes.index(max(sizes)), pivot}
    while True:
        more = {b for tie in ties for a, b in (tie, tie[::-1]) if a in reached and a != pivot} - reached
        if not more:
            return frozenset(range(len(sizes))) - reached
        reached |= more


def size(rel: Rel) -> float:
    """Rows of a table; 0 where nothing is known."""
    return rel.table.rows if isinstance(rel, Scan) else 0.0


def with_arm(block: Block, pivot: int, hanging: frozenset[int]) -> Block:
    """The block with one input that joins the small table `pivot` and those that hang on it, themselves one."""
    if not hanging:
        return block
    if len(hanging) == 1:
        return _joined_first(block, hanging | {pivot})
    small = block.inputs[pivot]
    block = _joined_first(block, hanging)
    return _joined_first(block, frozenset({block.inputs.index(small), len(block.inputs) - 1}))


def _joined_first(block: Block, chosen: frozenset[int]) -> Block:
    """The block with the inputs in `chosen` made one, the last."""
    inside = tuple(rel for n, rel in enumerate(block.inputs) if n in chosen)
    rest = tuple(rel for n, rel in enumerate(block.inputs) if n not in chosen)
    columns = tuple(column for rel in inside for column in rel.columns)
    here = frozenset(column.number for column in columns)
    local = tuple(p for p in block.predicates if p.columns and p.columns <= here)
    others = tuple(p for p in block.predicates if p not in local)
    read = columns_of((*others, *(item.value for item in block.items)))
    arm = Block(inside, local, tuple(copy_of(column) for column in columns if column.number in read))
    return replace(block, inputs=(*rest, arm), predicates=others)


def _nested(block: Block) -> Block:
    largest = max((size(rel) for rel in block.inputs), default=0.0)
    for pivot, rel in enumerate(block.inputs):
        few = size(rel)
        if not few or few * FAN_OUT > largest:
            continue
        hanging = beyond(block, pivot)
        if all(0 < size(block.inputs[n]) * SMALLER <= few for n in hanging) and _selects(block, hanging):
            return _nested(with_arm(block, pivot, hanging))
    return block


def _selects(block: Block, chosen: frozenset[int]) -> bool:
    """Is more asked of these inputs alone than that they meet?"""
    here = frozenset(column.number for n in chosen for column in block.inputs[n].columns)
    return any(p.columns and p.columns <= here and equated_columns(p) is None for p in block.predicates)
