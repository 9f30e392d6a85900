"""A linear recursion taken apart, with only the columns that are read, and how what it starts from has changed.

R = B ⊎ R⋈E        E: one table with a key
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.opaque import Opaque, Recursion
from trickle.ivm.algebra.pairing import Mark, OuterJoin
from trickle.ivm.algebra.passes import fuse_blocks, prune_columns
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.properties import input_keys
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Item, Rel, Scan, Shared, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Column, columns_of, equated_columns, expression, reference
from trickle.ivm.algebra.walk import scans, walk
from trickle.ivm.delta import Delta, derive, netted
from trickle.ivm.program.layout import indented
from trickle.ivm.program.parts import Root
from trickle.ivm.program.quote import ident
from trickle.ivm.program.select import Renderer


@dataclass(frozen=True, slots=True)
class Linear:
    """A recursion of which only the columns that are read are left."""

    base: Block
    step: Block
    edges: Scan
    again: tuple[Column, ...]
    """The columns of R as the step reads them …"""
    shown: tuple[Column, ...]
    """… and as the root reads them."""
    certain: frozenset[int] = frozenset()
    """Columns of R that are known never to be NULL."""

    @property
    def met(self) -> tuple[int, ...]:
        """The columns of R by which the step meets other rows."""
        return met_columns(self.again, self.step)


def recursion_of(root: Root) -> tuple[Opaque, Recursion] | None:
    """The recursion whose columns a root shows, or None where it shows something else."""
    block = root.block
    rel = block.inputs[0] if len(block.inputs) == 1 else None
    if not isinstance(rel, Opaque) or rel.recursion is None or block.predicates:
        return None
    return rel, rel.recursion


def linear(root: Root) -> Linear | None:
    """The recursion under UNION ALL whose columns a root shows, or None where it shows something else."""
    found = recursion_of(root)
    if found is None or found[1].distinct:
        return None
    rel, known = found
    base, step = as_block(fuse_blocks(known.base)), as_block(fuse_blocks(known.step))
    places = _read_places(root.block, rel, step, known.again.columns)
    again = tuple(known.again.columns[place] for place in places)
    base = as_block(prune_columns(_narrow(base, places)))
    step = _narrow(step, places)
    others = [i for i in step.inputs if i is not known.again]
    edges = _keyed(others[0], step) if len(others) == 1 and len(step.inputs) == 2 else None
    if edges is None or not _plain(base) or not _identical((base, edges)):
        return None
    return Linear(base, step, edges, again, tuple(rel.outputs[place] for place in places))


def met_columns(again: Sequence[Column], step: Rel) -> tuple[int, ...]:
    """The columns of R that the step equates with others."""
    tests = (p for rel in walk(step) if isinstance(rel, (Block, Mark, OuterJoin)) for p in rel.predicates)
    met = columns_of(p for p in tests if equated_columns(p) is not None)
    return tuple(column.number for column in again if column.number in met)


def _read_places(root: Block, rel: Opaque, step: Block, again: Sequence[Column]) -> list[int]:
    """Which columns of R are read: by the root, by what the step compares, and by what computes them in turn."""
    place_of = {column.number: place for place, column in enumerate(again)}
    shown = {column.number: place for place, column in enumerate(rel.outputs)}
    found = {shown[number] for number in columns_of(item.value for item in root.items)}
    found |= {place_of[number] for number in columns_of(step.predicates) if number in place_of}
    growing = True
    while growing:
        read = columns_of(step.items[place].value for place in found)
        more = found | {place_of[number] for number in read if number in place_of}
        growing, found = more != found, more
    return sorted(found)


def _narrow(block: Block, places: Sequence[int]) -> Block:
    return replace(block, items=tuple(block.items[place] for place in places))


def _keyed(rel: Rel, step: Block) -> Scan | None:
    """A table with the columns that the step reads and those of a key."""
    keys = input_keys(rel)
    if not isinstance(rel, Scan) or not keys:
        return None
    read = columns_of((*step.predicates, *(item.value for item in step.items))) | min(keys, key=sorted)
    return replace(rel, attributes=tuple(a for a in rel.attributes if a[0].number in read))


def _plain(base: Rel) -> bool:
    return all(isinstance(rel, (Block, UnionAll, Scan)) for rel in walk(base))


def _identical(rels: Sequence[Rel]) -> bool:
    """Do equal values of all columns look the same? Then a change adds up by value."""
    columns = [facts for rel in rels for scan in scans(rel) for _, facts in scan.attributes]
    return all(facts.comparable and facts.equal_is_identical for facts in columns)


def along(linear: Linear, rows: Rel, edges: Delta, sign: str | None, weighted: Item) -> Block:
    """The step from some rows of R: along the edges that came (1), that went (−1), or all of them."""
    items = tuple(Item(column, item.value) for column, item in zip(linear.again, linear.step.items, strict=True))
    chosen = () if sign is None else (expression(f"w = {sign}", w=reference(edges.weight)),)
    return Block((rows, edges.rel), (*linear.step.predicates, *chosen), (*items, weighted))


def change_of_edges(linear: Linear, numbering: Numbering) -> Delta | None:
    """ΔE, each row once."""
    change = derive(linear.edges, numbering)
    if change is None:
        return None
    net = netted(change, linear.edges, numbering)
    law = "what remains of the change of the rows that are followed"
    return Delta(Shared("change_edges", law, net.rel), net.weight)


def change_of_base(base: Rel, again: Sequence[Column], numbering: Numbering) -> Delta | None:
    """ΔB, with the columns of R."""
    change = derive(base, numbering)
    if change is None:
        return None
    weight = numbering.column("__pgt_w")
    renamed = tuple(Item(to, reference(c)) for to, c in zip(again, base.columns, strict=True))
    rows = Block((change.rel,), (), (*renamed, Item(weight, reference(change.weight))))
    total = Call(weight, expression("sum(w)::int", w=reference(weight)))
    net = Aggregate(rows, tuple(copy_of(column) for column in again), (total,))
    return Delta(Shared("change_start", "what remains of the change of the rows that it starts from", net), weight)


def begun(change: Delta | None, sign: str, again: Sequence[Column], weight: Column) -> list[Rel]:
    """The rows of ΔB that came or went, with how often."""
    if change is None:
        return []
    some = expression("w > 0" if sign == "+" else "w < 0", w=reference(change.weight))
    often = Item(weight, expression("abs(w)", w=reference(change.weight)))
    return [Block((change.rel,), (some,), (*(copy_of(column) for column in again), often))]


def none_of(rows: Rel, columns: Sequence[Column], *besides: Item) -> Block:
    """None of some rows, with these of their columns."""
    return Block((rows,), (expression("false"),), (*(copy_of(column) for column in columns), *besides))


def add_walk(renderer: Renderer, name: str, law: str, start: Rel, step: Rel) -> None:
    """Write the rows that follow from some, which are the rows `step` reads by the same name."""
    labels = [column.label for column in start.columns]
    begun, followed = renderer.select(start, labels), renderer.select(step, labels)
    columns = ", ".join(ident(label) for label in labels)
    walk = f"WITH RECURSIVE {name}({columns}) AS (\n  (\n{indented(indented(begun))}\n  )\n  UNION ALL\n"
    renderer.add(name, law, f"{walk}{indented(followed)}\n)\nSELECT * FROM {name}")
