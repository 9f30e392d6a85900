"""Roots that show columns of a linear recursion: what follows from a change is walked, from what is stored.

Under UNION ALL all changes are (see walk_bags.py), under UNION those that only bring rows (see walk_sets.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.relations import Scan, copy_of
from trickle.ivm.algebra.scalars import columns_of, equated_columns, reference
from trickle.ivm.facts import ColumnFacts, RelationFacts
from trickle.ivm.program.calls import IDENTICAL, type_of
from trickle.ivm.program.linear import Linear, linear
from trickle.ivm.program.parts import Apply, Root, Target
from trickle.ivm.program.rows import HASH, WEIGHT, found_by_hash, hashed
from trickle.ivm.program.select import Renderer
from trickle.ivm.program.walk_bags import lost_and_gained
from trickle.ivm.program.walk_sets import gained_or_anew


def walked(root: Root, target: Target, numbering: Numbering) -> Apply | None:
    """Keep the rows of a linear recursion, or None where the root is something else."""
    found = linear(root)
    if found is None:
        return None
    types = [type_of(root.block.inputs[0], reference(column), root.facts) for column in found.shown]
    if any(type.removesuffix("[]") not in IDENTICAL for type in types):
        return None
    full = _with_hidden(root, found, types)
    apply, algebra = hashed(full, numbering)
    names = {item.value.column: name for item, name in zip(full.items, full.names, strict=True)}
    stored = [names[column.number] for column in found.shown]
    renderer = Renderer(from_states=True)
    before = _stored(target, found, stored)
    if found.distinct:
        change = gained_or_anew(renderer, found, before, as_block(algebra), apply.storage, numbering)
    else:
        delta = lost_and_gained(renderer, found, before, as_block(algebra), numbering)
        change = renderer.select(delta, (*apply.storage.columns, WEIGHT))
        apply = replace(apply, delta=delta)
    met = columns_of(p for p in found.step.predicates if equated_columns(p) is not None)
    storage = replace(
        apply.storage,
        outputs=root.names,
        hidden=(*full.names[len(root.names) :], HASH),
        lookups=tuple(name for name, column in zip(stored, found.again, strict=True) if column.number in met),
    )
    ctes = (*((c.name, c.comment, c.body) for c in renderer.ctes), ("change", "", change))
    strategy = (
        "rows by hash, walked from what has come" if found.distinct else "rows by hash, walked from what has changed"
    )
    return found_by_hash(full, target, replace(apply, storage=storage, ctes=ctes), strategy)


def _with_hidden(root: Root, found: Linear, types: Sequence[str]) -> Root:
    """The root with every column of R that is read among its own."""
    there = {item.value.column for item in root.items}
    hidden = [(c, type) for c, type in zip(found.shown, types, strict=True) if c.number not in there]
    facts = [ColumnFacts(0, f"__pgt_walk_{i + 1}", type, type) for i, (_, type) in enumerate(hidden)]
    return Root(
        replace(root.facts, output=(*root.facts.output, *facts)),
        replace(root.block, items=(*root.items, *(copy_of(column) for column, _ in hidden))),
        (*root.names, *(column.name for column in facts)),
    )


def _stored(target: Target, found: Linear, names: Sequence[str]) -> Scan:
    """R as it was: what is stored."""
    table = RelationFacts(0, target.schema, target.name, "r")
    attributes = (ColumnFacts(0, name, "", "") for name in names)
    return Scan(table, tuple(zip(found.again, attributes, strict=True)))
