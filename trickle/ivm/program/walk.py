"""Roots that are a linear recursion: only what follows from a change is walked, not what was there before.

    R = B ⊎ R⋈E                       bags, E one table: WITH RECURSIVE … UNION ALL, of which the root shows columns

    lost   = ΔB⁻ ⊎ R⋈ΔE⁻ ⊎ lost⋈(E − ΔE⁺)                    what is taken away goes first, along what is left of E
    gained = ΔB⁺ ⊎ (R − lost)⋈ΔE⁺ ⊎ gained⋈E                 then what is added, along E as it is now
    ΔR     = gained − lost

Let E′ = E − ΔE⁺ be the old E without what it lost, and B′ alike. From R(1 − E_old) = B_old follows the first line, for
then (R − lost)(1 − E′) = B′; the second follows in the same way from there. Each walk stays inside the rows of the
old or of the new R, so it ends where the query ends, also where a change closes a cycle that the query no longer
reaches. R is what is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.pairing import Mark
from trickle.ivm.algebra.passes import fuse_blocks, prune_columns
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.properties import input_keys
from trickle.ivm.algebra.relations import (
    Aggregate,
    Block,
    Call,
    Given,
    Item,
    Rel,
    Scan,
    Shared,
    UnionAll,
    copy_of,
)
from trickle.ivm.algebra.scalars import Column, columns_of, equated_columns, expression, reference, substitute
from trickle.ivm.algebra.walk import scans, walk
from trickle.ivm.delta import Delta, derive, netted
from trickle.ivm.facts import ColumnFacts, RelationFacts
from trickle.ivm.program.calls import IDENTICAL, type_of
from trickle.ivm.program.layout import indented
from trickle.ivm.program.parts import Apply, Root, Target
from trickle.ivm.program.quote import ident
from trickle.ivm.program.rows import HASH, WEIGHT, found_by_hash, hashed
from trickle.ivm.program.select import Renderer


@dataclass(frozen=True, slots=True)
class Walk:
    """A recursion of which only the columns that are read are left."""

    base: Block
    step: Block
    edges: Scan
    again: tuple[Column, ...]
    """The columns of R as the step reads them …"""
    shown: tuple[Column, ...]
    """… and as the root reads them."""


def walked(root: Root, target: Target, numbering: Numbering) -> Apply | None:
    """Keep the rows of a linear recursion, or None where the root is something else."""
    walk = _walk(root)
    if walk is None:
        return None
    types = [type_of(root.block.inputs[0], reference(column), root.facts) for column in walk.shown]
    if any(type.removesuffix("[]") not in IDENTICAL for type in types):
        return None
    full = _with_hidden(root, walk, types)
    apply, algebra = hashed(full, numbering)
    names = {item.value.column: name for item, name in zip(full.items, full.names, strict=True)}
    stored = [names[column.number] for column in walk.shown]
    renderer = Renderer()
    delta = _lost_and_gained(renderer, walk, _stored(target, walk, stored), as_block(algebra), numbering)
    change = renderer.select(delta, (*apply.storage.columns, WEIGHT))
    met = columns_of(p for p in walk.step.predicates if equated_columns(p) is not None)
    storage = replace(
        apply.storage,
        outputs=root.names,
        hidden=(*full.names[len(root.names) :], HASH),
        lookups=tuple(name for name, column in zip(stored, walk.again, strict=True) if column.number in met),
    )
    ctes = (*((c.name, c.comment, c.body) for c in renderer.ctes), ("change", "", change))
    apply = replace(apply, storage=storage, ctes=ctes, delta=delta)
    return found_by_hash(full, target, apply, "rows by hash, walked from what has changed")


def _walk(root: Root) -> Walk | None:
    block = root.block
    rel = block.inputs[0] if len(block.inputs) == 1 else None
    if not isinstance(rel, Opaque) or rel.recursion is None or block.predicates:
        return None
    known = rel.recursion
    base, step = as_block(fuse_blocks(known.base)), as_block(fuse_blocks(known.step))
    places = _read_places(block, rel, step, known.again.columns)
    again = tuple(known.again.columns[place] for place in places)
    base = as_block(prune_columns(_narrow(base, places)))
    step = _narrow(step, places)
    others = [i for i in step.inputs if i is not known.again]
    edges = _keyed(others[0], step) if len(others) == 1 and len(step.inputs) == 2 else None
    if edges is None or not _plain(base) or not _identical((base, edges)):
        return None
    return Walk(base, step, edges, again, tuple(rel.outputs[place] for place in places))


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


def _with_hidden(root: Root, walk: Walk, types: Sequence[str]) -> Root:
    """The root with every column of R that is read among its own."""
    there = {item.value.column for item in root.items}
    hidden = [(c, type) for c, type in zip(walk.shown, types, strict=True) if c.number not in there]
    facts = [ColumnFacts(0, f"__pgt_walk_{i + 1}", type, type) for i, (_, type) in enumerate(hidden)]
    return Root(
        replace(root.facts, output=(*root.facts.output, *facts)),
        replace(root.block, items=(*root.items, *(copy_of(column) for column, _ in hidden))),
        (*root.names, *(column.name for column in facts)),
    )


def _stored(target: Target, walk: Walk, names: Sequence[str]) -> Scan:
    """R as it was: what is stored."""
    table = RelationFacts(0, target.schema, target.name, "r")
    attributes = (ColumnFacts(0, name, "", "") for name in names)
    return Scan(table, tuple(zip(walk.again, attributes, strict=True)))


def _lost_and_gained(renderer: Renderer, walk: Walk, stored: Scan, root: Block, numbering: Numbering) -> Rel:
    """Write both walks, and return the change of the root."""
    started = _netted_base(walk, numbering)
    edges = _netted_edges(walk, numbering)
    weight = numbering.column("__pgt_w")
    lost, gained = (Given(name, (*walk.again, weight)) for name in ("lost", "gained"))
    one, many, less = (expression(text, w=reference(weight)) for text in ("1", "w", "-w"))

    terms = _started(started, "-", walk, weight)
    left: Rel = walk.edges
    if edges is not None:
        terms.append(_step(walk, stored, edges, "-1", Item(weight, one)))
        left = _without_new(walk, edges, numbering)
    law = "lost = ΔB⁻ ⊎ R⋈ΔE⁻ ⊎ lost⋈(E − ΔE⁺), each row as often as its weight says"
    follow = _step(walk, lost, Delta(left, weight), None, Item(weight, many))
    _add_walk(renderer, "lost", law, UnionAll(tuple(terms), lost.given), follow)

    terms = _started(started, "+", walk, weight)
    if edges is not None:
        terms.append(_step(walk, stored, edges, "1", Item(weight, one)))
        terms.append(_step(walk, lost, edges, "1", Item(weight, less)))
    total = Call(weight, expression("sum(w)::int", w=reference(weight)))
    added = Aggregate(UnionAll(tuple(terms), gained.given), tuple(copy_of(column) for column in walk.again), (total,))
    some = Block((added,), (expression("w <> 0", w=reference(weight)),), tuple(copy_of(c) for c in gained.given))
    follow = _step(walk, gained, Delta(walk.edges, weight), None, Item(weight, many))
    _add_walk(renderer, "gained", "gained = ΔB⁺ ⊎ (R − lost)⋈ΔE⁺ ⊎ gained⋈E, likewise", some, follow)

    values = {there.number: reference(here) for there, here in zip(walk.shown, walk.again, strict=True)}
    items = tuple(Item(item.column, substitute(item.value, values)) for item in root.items)
    arms = (
        Block((gained,), (), (*items, Item(weight, many))),
        Block((lost,), (), (*items, Item(weight, less))),
    )
    return UnionAll(arms, (*(item.column for item in items), weight))


def _add_walk(renderer: Renderer, name: str, law: str, start: Rel, step: Rel) -> None:
    labels = [column.label for column in start.columns]
    begun, followed = renderer.select(start, labels), renderer.select(step, labels)
    columns = ", ".join(ident(label) for label in labels)
    walk = f"WITH RECURSIVE {name}({columns}) AS (\n  (\n{indented(indented(begun))}\n  )\n  UNION ALL\n"
    renderer.add(name, law, f"{walk}{indented(followed)}\n)\nSELECT * FROM {name}")


def _step(walk: Walk, rows: Rel, edges: Delta, sign: str | None, weighted: Item) -> Block:
    """The step from some rows of R: along the edges that came (1), that went (−1), or all of them."""
    items = tuple(Item(column, item.value) for column, item in zip(walk.again, walk.step.items, strict=True))
    chosen = () if sign is None else (expression(f"w = {sign}", w=reference(edges.weight)),)
    return Block((rows, edges.rel), (*walk.step.predicates, *chosen), (*items, weighted))


def _without_new(walk: Walk, edges: Delta, numbering: Numbering) -> Rel:
    """E − ΔE⁺: the rows whose key did not come."""
    key = sorted(min(input_keys(walk.edges), key=sorted))
    columns = {column.number: column for column in walk.edges.columns}
    came = expression("w = 1", w=reference(edges.weight))
    items = {number: Item(numbering.like(columns[number]), reference(number)) for number in key}
    law = "the keys of the rows that came"
    new = Shared("new_keys", law, Block((edges.rel,), (came,), tuple(items.values())))
    same = tuple(expression("a = b", a=reference(n), b=reference(item.column)) for n, item in items.items())
    mark = numbering.column("came")
    old = expression("NOT m", m=reference(mark))
    return Block((Mark(walk.edges, new, same, mark),), (old,), tuple(copy_of(c) for c in walk.edges.columns))


def _netted_edges(walk: Walk, numbering: Numbering) -> Delta | None:
    """ΔE, each row once."""
    change = derive(walk.edges, numbering)
    if change is None:
        return None
    net = netted(change, walk.edges, numbering)
    law = "what remains of the change of the rows that are followed"
    return Delta(Shared("change_edges", law, net.rel), net.weight)


def _netted_base(walk: Walk, numbering: Numbering) -> Delta | None:
    """ΔB, with the columns of R."""
    change = derive(walk.base, numbering)
    if change is None:
        return None
    weight = numbering.column("__pgt_w")
    renamed = tuple(Item(to, reference(c)) for to, c in zip(walk.again, walk.base.columns, strict=True))
    rows = Block((change.rel,), (), (*renamed, Item(weight, reference(change.weight))))
    total = Call(weight, expression("sum(w)::int", w=reference(weight)))
    net = Aggregate(rows, tuple(copy_of(column) for column in walk.again), (total,))
    return Delta(Shared("change_start", "what remains of the change of the rows that it starts from", net), weight)


def _started(change: Delta | None, sign: str, walk: Walk, weight: Column) -> list[Rel]:
    """The rows of ΔB that came or went, with how often."""
    if change is None:
        return []
    some = expression("w > 0" if sign == "+" else "w < 0", w=reference(change.weight))
    often = Item(weight, expression("abs(w)", w=reference(change.weight)))
    return [Block((change.rel,), (some,), (*(copy_of(column) for column in walk.again), often))]
