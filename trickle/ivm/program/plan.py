"""How the root of a query is kept, in order of preference.

1. an aggregate without HAVING         → fold
2. an aggregate under HAVING           → recompute the touched groups
3. the rows of a linear recursion     → walked from what changed
4. rows valued by their place among all, or without a rule → rows by hash, computed anew
5. rows identified by their inputs' keys → rows by key
6. anything else                        → rows by hash
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from trickle.errors import Ours, Unmaintainable, Unsupported
from trickle.ivm.algebra.keeping import Kept
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.passes import nest_arms
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.relations import Aggregate, Block, Rel
from trickle.ivm.algebra.walk import children, scans, walk
from trickle.ivm.algebra.windows import Window
from trickle.ivm.explain import print_rel
from trickle.ivm.facts import RelationFacts
from trickle.ivm.lineage import lineage
from trickle.ivm.lookups import Lookup, lookups, read_again
from trickle.ivm.program.append import appended
from trickle.ivm.program.as_written import as_written
from trickle.ivm.program.count import count_text
from trickle.ivm.program.fold import fold
from trickle.ivm.program.function import function_texts
from trickle.ivm.program.immediate import immediate_texts
from trickle.ivm.program.keep import Keeper
from trickle.ivm.program.locking import confined
from trickle.ivm.program.parts import Alone, Apply, Designated, Program, Root, Target
from trickle.ivm.program.recompute import recompute
from trickle.ivm.program.rows import by_hash, by_key, counts_anew, places_all_rows, usable_key
from trickle.ivm.program.settle import settled
from trickle.ivm.program.walk import walked


def plan(root: Root, target: Target, numbering: Numbering) -> Program:
    """Write the program that keeps `root` in `target`.

    Raises:
        Unsupported: some part of the query has no delta rule.
        MissingFacts: the types of some expressions have to be described first.
    """
    block = as_block(settled(root.block, root.facts))
    keeper = Keeper(replace(root, block=block), target, numbering)
    outer = replace(root, block=keeper.divided())
    _refuse_fragile(outer)
    states = keeper.states(outer.block, _choose)
    apply = replace(_choose(outer, target, numbering), states=states)
    algebra, delta = _said(apply.algebra), _said(apply.delta)
    tables = {s.table.oid: s.table for s in scans(algebra)}
    buffers = sorted({t.buffer for t in tables.values() if t.buffer is not None})
    sources = sorted(tables.values(), key=lambda table: (table.schema, table.name))
    fixed = block != root.block or (not places_all_rows(outer) and _orders_rows(block))
    alone = _alone(outer, target, apply, keeper)
    appends = appended(apply, alone, len(tables)) if target.append_only and not target.immediate else None
    if target.immediate:
        designated = _designated(apply, alone, tables)
        texts = immediate_texts(target, apply, alone, designated, buffers, sources, root.facts.settings)
    else:
        texts = function_texts(target, apply, alone, appends, buffers, sources, root.facts.settings)
    return Program(
        storage=apply.storage,
        names=target.functions,
        function=texts[0],
        large_function=texts[1],
        count_function=count_text(target, buffers),
        sources=tuple(sorted(tables)),
        captured=_captured(algebra),
        strategy=apply.strategy,
        algebra=print_rel(algebra),
        delta=print_rel(delta),
        lineage=lineage(root.block, root.names),
        lookups=_lookups(apply, numbering),
        as_written=None if fixed else as_written(root, apply),
        determinised=fixed or any(isinstance(rel, Opaque) and rel.settled for rel in walk(block)),
        states=tuple(state for state, _ in states),
        appends=appends is not None,
    )


def _orders_rows(rel: Rel) -> bool:
    """Is an order completed in it? What was stored by the order that the query leaves open would not be found again."""
    return any(
        (isinstance(found, Window) and found.order is not None) or (isinstance(found, Opaque) and found.settled)
        for found in walk(rel)
    )


def _refuse_fragile(root: Root) -> None:
    """What only stored rows know may be computed where it is stored alone: at the root, or in a state table."""
    if places_all_rows(root):
        return
    stack: list[Rel] = [root.block]
    while stack:
        rel = stack.pop()
        stack.extend(() if isinstance(rel, Kept) else children(rel))
        if isinstance(rel, Opaque) and rel.fragile:
            raise Unsupported(f"{rel.reason}, around {rel.fragile}")


def _choose(root: Root, target: Target, numbering: Numbering) -> Apply:
    block = as_block(nest_arms(root.block))
    root = replace(root, block=block)
    if counts_anew(root):
        return by_hash(root, target, numbering, whole=True)
    if len(block.inputs) == 1 and isinstance(block.inputs[0], Aggregate):
        aggregate = block.inputs[0]
        if not block.predicates:
            return fold(root, aggregate, target, numbering)
        return recompute(root, aggregate, target, numbering)
    if places_all_rows(root):
        return walked(root, target, numbering) or by_hash(root, target, numbering, whole=True)
    key = usable_key(root)
    if key is not None:
        return by_key(root, key, numbering)
    return by_hash(root, target, numbering)


def _lookups(apply: Apply, numbering: Numbering) -> tuple[Lookup, ...]:
    """What the derivatives look up, and what is read again for groups that are computed anew."""
    found: set[Lookup] = set()
    for part in (apply, *(kept for _, kept in apply.states if kept is not None)):
        found.update(lookups(_said(part.delta)))
        top = part.algebra.inputs[0] if isinstance(part.algebra, Block) and len(part.algebra.inputs) == 1 else None
        if isinstance(top, Aggregate) and top.keys and "recomputed" in part.strategy:
            found.update(lookups(read_again(top, numbering)))
    return tuple(sorted(found))


def _alone(root: Root, target: Target, general: Apply, keeper: Keeper) -> Alone | None:
    """The largest source as the only one that changes, which it mostly is: a much smaller statement.

    Of sources of one size the first in FROM is taken. Where all is computed anew there is nothing to save.
    """
    read = sorted(scans(_said(general.algebra)), key=lambda scan: min((c.number for c in scan.columns), default=0))
    tables = {scan.table.oid: scan.table for scan in read}
    if len(tables) < 2 or (places_all_rows(root) and not general.states):
        return None
    largest = max(tables.values(), key=lambda table: table.rows)
    others = {oid: table.buffer for oid, table in tables.items() if oid != largest.oid}
    still = keeper.numbering.assuming_still(others)
    try:
        apply = _choose(root, target, still)
        states = keeper.while_still([state for state, _ in general.states], _choose, still)
    except Unsupported:
        return None
    buffers = tuple(sorted({buffer for buffer in others.values() if buffer is not None}))
    return Alone(replace(apply, states=tuple(states)), buffers, largest.oid)


def _said(rel: Rel | None) -> Rel:
    if rel is None:
        raise Ours("a strategy did not say what it derived")
    return rel


def _designated(apply: Apply, alone: Alone | None, tables: Mapping[int, RelationFacts]) -> Designated | None:
    """The source whose change alone reads that source nowhere but in its buffer, if there is one."""
    if len(tables) == 1:
        oid, chosen = next(iter(tables)), apply
    elif alone is not None:
        oid, chosen = alone.changed, alone.apply
    else:
        return None
    buffer = tables[oid].buffer
    if buffer is None or not confined(chosen, oid):
        return None
    return Designated(buffer, chosen, len(tables) == 1 and not chosen.recomputes)


def _captured(rel: Rel) -> dict[int, tuple[int, ...]]:
    """Columns of each source that the program reads from its change buffer."""
    needed: dict[int, set[int]] = {}
    for scan in scans(rel):
        for _, facts in scan.attributes:
            if facts.virtual:
                raise Unmaintainable(f"the virtual generated column {scan.table.name}.{facts.name} is never stored")
        needed.setdefault(scan.table.oid, set()).update(facts.number for _, facts in scan.attributes)
    return {oid: tuple(sorted(numbers)) for oid, numbers in needed.items()}
