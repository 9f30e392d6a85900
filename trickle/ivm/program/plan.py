"""How the root of a query is kept, in order of preference.

1. an aggregate without HAVING         → fold
2. an aggregate under HAVING           → recompute the touched groups
3. rows valued by their place among all → rows by hash, computed anew
4. rows identified by their inputs' keys → rows by key
5. anything else                        → rows by hash
"""

from __future__ import annotations

from dataclasses import replace

from trickle.errors import Ours, Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.relations import Aggregate, Block, Rel
from trickle.ivm.algebra.walk import scans
from trickle.ivm.explain import print_rel
from trickle.ivm.lineage import lineage
from trickle.ivm.lookups import Lookup, lookups, read_again
from trickle.ivm.program.as_written import as_written
from trickle.ivm.program.count import count_text
from trickle.ivm.program.fold import fold
from trickle.ivm.program.function import function_texts
from trickle.ivm.program.parts import Alone, Apply, Program, Root, Target
from trickle.ivm.program.recompute import recompute
from trickle.ivm.program.rows import by_hash, by_key, places_all_rows, usable_key
from trickle.ivm.program.settle import settled


def plan(root: Root, target: Target, numbering: Numbering) -> Program:
    """Write the program that keeps `root` in `target`.

    Raises:
        Unsupported: some part of the query has no delta rule.
        MissingFacts: the types of some expressions have to be described first.
    """
    block = as_block(settled(root.block, root.facts))
    apply = _choose(replace(root, block=block), target, numbering)
    if apply.algebra is None or apply.delta is None:
        raise Ours("a strategy did not say what it derived")
    tables = {s.table.oid: s.table for s in scans(apply.algebra)}
    buffers = sorted({t.buffer for t in tables.values() if t.buffer is not None})
    sources = sorted((t.schema, t.name) for t in tables.values())
    alone = _alone(replace(root, block=block), target, apply.algebra, numbering)
    function, large_function = function_texts(target, apply, alone, buffers, sources, root.facts.settings)
    return Program(
        storage=apply.storage,
        function=function,
        large_function=large_function,
        count_function=count_text(target, buffers),
        sources=tuple(sorted(tables)),
        captured=_captured(apply.algebra),
        strategy=apply.strategy,
        algebra=print_rel(apply.algebra),
        delta=print_rel(apply.delta),
        lineage=lineage(root.block, root.names),
        lookups=_lookups(apply, block),
        as_written=as_written(root, apply) if block == root.block else None,
        determinised=block != root.block,
    )


def _choose(root: Root, target: Target, numbering: Numbering) -> Apply:
    block = root.block
    if len(block.inputs) == 1 and isinstance(block.inputs[0], Aggregate):
        aggregate = block.inputs[0]
        if not block.predicates:
            return fold(root, aggregate, target, numbering)
        return recompute(root, aggregate, target, numbering)
    if places_all_rows(root):
        return by_hash(root, target, numbering, whole=True)
    key = usable_key(root)
    if key is not None:
        return by_key(root, key, numbering)
    return by_hash(root, target, numbering)


def _lookups(apply: Apply, block: Block) -> tuple[Lookup, ...]:
    """What the derivative looks up, and what is read again for groups that are computed anew."""
    found = set(lookups(apply.delta)) if apply.delta is not None else set()
    top = block.inputs[0] if len(block.inputs) == 1 else None
    if isinstance(top, Aggregate) and top.keys and "recomputed" in apply.strategy:
        found.update(lookups(read_again(top)))
    return tuple(sorted(found))


def _alone(root: Root, target: Target, algebra: Rel, numbering: Numbering) -> Alone | None:
    """The largest source as the only one that changes, which it mostly is: a much smaller statement.

    Of sources of one size the first in FROM is taken. Where all is computed anew there is nothing to save.
    """
    read = sorted(scans(algebra), key=lambda scan: min((c.number for c in scan.columns), default=0))
    tables = {scan.table.oid: scan.table for scan in read}
    if len(tables) < 2 or places_all_rows(root):
        return None
    largest = max(tables.values(), key=lambda table: table.rows)
    others = {oid: table.buffer for oid, table in tables.items() if oid != largest.oid}
    try:
        apply = _choose(root, target, numbering.assuming_still(others))
    except Unsupported:
        return None
    return Alone(apply, tuple(sorted({buffer for buffer in others.values() if buffer is not None})))


def _captured(rel: Rel) -> dict[int, tuple[int, ...]]:
    """Columns of each source that the program reads from its change buffer."""
    needed: dict[int, set[int]] = {}
    for scan in scans(rel):
        for _, facts in scan.attributes:
            if facts.virtual:
                raise Unsupported(f"the virtual generated column {scan.table.name}.{facts.name} is never stored")
        needed.setdefault(scan.table.oid, set()).update(facts.number for _, facts in scan.attributes)
    return {oid: tuple(sorted(numbers)) for oid, numbers in needed.items()}
