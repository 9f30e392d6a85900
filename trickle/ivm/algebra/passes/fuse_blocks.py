"""σ, π and ⋈ above each other are one block: π_items (σ_predicates (input₁ × … × inputₙ)).

    σ_p(Block(I, P, π)) = Block(I, P ∪ p∘π, π)
    π_f(Block(I, P, π)) = Block(I, P, f∘π)
    A ⋈_p B             = Block(I_A ∪ I_B, P_A ∪ P_B ∪ p∘(π_A, π_B), π_A ∪ π_B)
    γ_{k;f}(Block(I, P, π)) = γ_{k∘π;f∘π}(Block(I, P, identity))

One block is rendered as one flat SELECT, whose join order is PostgreSQL's to choose, and has one derivative.
"""

from __future__ import annotations

from dataclasses import replace

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.pairing import Mark, OuterJoin
from trickle.ivm.algebra.relations import (
    Aggregate,
    Block,
    Call,
    Change,
    Copies,
    Filter,
    Item,
    Join,
    Project,
    Rel,
    Scan,
    Shared,
    UnionAll,
    copy_of,
)
from trickle.ivm.algebra.scalars import Scalar, substitute
from trickle.ivm.algebra.windows import Window


def fuse_blocks(rel: Rel) -> Rel:
    """Return an equal relation in which Filter, Project and Join no longer occur."""
    match rel:
        case Scan() | Change() | Shared():
            return rel
        case UnionAll(branches, outputs):
            return UnionAll(tuple(_flat_branches(branches)), outputs)
        case Aggregate(child):
            return _over_inputs(replace(rel, child=fuse_blocks(child)))
        case Filter(child, predicates):
            block = as_block(fuse_blocks(child))
            return Block(block.inputs, block.predicates + _through(block, predicates), block.items)
        case Project(child, items):
            block = as_block(fuse_blocks(child))
            values = _through(block, tuple(item.value for item in items))
            return Block(
                block.inputs,
                block.predicates,
                tuple(Item(item.column, value) for item, value in zip(items, values, strict=True)),
            )
        case Join(left, right, predicates):
            a, b = as_block(fuse_blocks(left)), as_block(fuse_blocks(right))
            both = Block(a.inputs + b.inputs, a.predicates + b.predicates, a.items + b.items)
            return Block(both.inputs, both.predicates + _through(both, predicates), both.items)
        case Window(child, keys, calls, order):
            return Window(fuse_blocks(child), keys, calls, order)
        case Expand(child):
            return replace(rel, child=fuse_blocks(child))
        case Copies(child, weight):
            return Copies(fuse_blocks(child), weight)
        case Mark(left, right, predicates, mark):
            return Mark(fuse_blocks(left), fuse_blocks(right), predicates, mark)
        case OuterJoin(left, right, predicates, full):
            return OuterJoin(fuse_blocks(left), fuse_blocks(right), predicates, full)
        case _:
            return rel


def as_block(rel: Rel) -> Block:
    """View any relation as a block that passes its columns through."""
    if isinstance(rel, Block):
        return rel
    return Block((rel,), (), tuple(copy_of(column) for column in rel.columns))


def _over_inputs(rel: Aggregate) -> Aggregate:
    """Group and add up what the inputs of a block hold, so that the block only selects."""
    block = rel.child
    if not isinstance(block, Block) or block.gate is not None:
        return rel
    keys = _through(block, tuple(key.value for key in rel.keys))
    calls = _through(block, tuple(call.value for call in rel.calls))
    columns = tuple(copy_of(column) for i in block.inputs for column in i.columns)
    return replace(
        rel,
        child=Block(block.inputs, block.predicates, columns),
        keys=tuple(Item(key.column, value) for key, value in zip(rel.keys, keys, strict=True)),
        calls=tuple(Call(call.column, value) for call, value in zip(rel.calls, calls, strict=True)),
    )


def _flat_branches(branches: tuple[Rel, ...]) -> list[Rel]:
    """(A ⊎ B) ⊎ C = A ⊎ B ⊎ C, for the unions that stand directly in a union."""
    flat: list[Rel] = []
    for branch in branches:
        fused = fuse_blocks(branch)
        flat.extend(fused.branches if isinstance(fused, UnionAll) else [fused])
    return flat


def _through(block: Block, scalars: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    """Express scalars over a block's outputs as scalars over its inputs."""
    values = {item.column.number: item.value for item in block.items}
    return tuple(substitute(scalar, values) for scalar in scalars)
