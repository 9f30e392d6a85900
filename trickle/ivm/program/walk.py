"""Roots that show columns of a linear recursion: what follows from a change is walked, from what is stored.

Under UNION ALL each way to a row counts (see walk_bags.py), under UNION only whether there is one (see walk_sets.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from trickle.ivm.algebra.numbering import STORED, Numbering
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.relations import Scan, copy_of
from trickle.ivm.algebra.scalars import Column, reference
from trickle.ivm.facts import ColumnFacts, RelationFacts
from trickle.ivm.program.calls import IDENTICAL, type_of
from trickle.ivm.program.closure import Closure, closure
from trickle.ivm.program.linear import Linear, linear
from trickle.ivm.program.parts import Apply, Root, Target
from trickle.ivm.program.rows import HASH, WEIGHT, found_by_hash, hashed
from trickle.ivm.program.select import Renderer
from trickle.ivm.program.walk_bags import lost_and_gained
from trickle.ivm.program.walk_sets import Stored, derived_again

_SHORT = frozenset(IDENTICAL - {"text", "character varying", "bytea"})


def walked(root: Root, target: Target, numbering: Numbering) -> Apply | None:
    """Keep the rows of a linear recursion, or None where the root is something else."""
    walkable = walkable_recursion(root)
    if walkable is None:
        return None
    found, types = walkable
    full = _with_hidden(root, found.shown, types)
    apply, algebra = hashed(full, numbering)
    names = {item.value.column: name for item, name in zip(full.items, full.names, strict=True)}
    stored = [names[column.number] for column in found.shown]
    attributes = [
        (column, ColumnFacts(0, name, type, type, not_null=column.number in found.certain))
        for column, name, type in zip(found.again, stored, types, strict=True)
    ]
    renderer = Renderer(from_states=True)
    if isinstance(found, Closure):
        places = _places(target, numbering)
        before = Stored(_scan(target, [*attributes, *places]), tuple(column for column, _ in places), target)
        delta, said = derived_again(renderer, found, before, as_block(algebra), numbering)
        met, strategy = _met_or_passed(found, types), "rows by hash, derived again from what has changed"
    else:
        delta = said = lost_and_gained(renderer, found, _scan(target, attributes), as_block(algebra), numbering)
        met, strategy = found.met, "rows by hash, walked from what has changed"
    change = renderer.select(delta, (*apply.storage.columns, WEIGHT))
    by_number = {column.number: name for (column, _), name in zip(attributes, stored, strict=True)}
    storage = replace(
        apply.storage,
        outputs=root.names,
        hidden=(*full.names[len(root.names) :], HASH),
        lookups=tuple(by_number[number] for number in met),
    )
    ctes = (*((c.name, c.comment, c.body) for c in renderer.ctes), ("change", "", change))
    return found_by_hash(full, target, replace(apply, storage=storage, ctes=ctes, delta=said), strategy)


def walkable_recursion(root: Root) -> tuple[Linear | Closure, tuple[str, ...]] | None:
    """The linear recursion whose columns a root shows, with their types, or None where it is something else."""
    found = linear(root) or closure(root)
    if found is None:
        return None
    types = tuple(type_of(root.block.inputs[0], reference(column), root.facts) for column in found.shown)
    return (found, types) if all(type.removesuffix("[]") in IDENTICAL for type in types) else None


def _met_or_passed(found: Closure, types: Sequence[str]) -> tuple[int, ...]:
    """The columns by which stored rows are found that lead to a given one; of those it takes over, the short ones."""
    if not found.met:
        return ()
    short = {column.number for column, type in zip(found.again, types, strict=True) if type in _SHORT}
    return tuple(dict.fromkeys((*found.met, *(number for number in found.passed if number in short))))


def _with_hidden(root: Root, shown: Sequence[Column], types: Sequence[str]) -> Root:
    """The root with every column of R that is read among its own."""
    there = {item.value.column for item in root.items}
    hidden = [(c, type) for c, type in zip(shown, types, strict=True) if c.number not in there]
    facts = [ColumnFacts(0, f"__pgt_walk_{i + 1}", type, type) for i, (_, type) in enumerate(hidden)]
    return Root(
        replace(root.facts, output=(*root.facts.output, *facts)),
        replace(root.block, items=(*root.items, *(copy_of(column) for column, _ in hidden))),
        (*root.names, *(column.name for column in facts)),
    )


def _scan(target: Target, attributes: Sequence[tuple[Column, ColumnFacts]]) -> Scan:
    """R as it was: what is stored."""
    return Scan(RelationFacts(STORED, target.schema, target.name, "r"), tuple(attributes))


def _places(target: Target, numbering: Numbering) -> list[tuple[Column, ColumnFacts]]:
    """The system columns that tell where a row is stored."""
    system = (("ctid", "tid"), ("tableoid", "oid"))[: len(target.places)]
    return [
        (numbering.column(called), ColumnFacts(0, name, type, type, not_null=True))
        for called, (name, type) in zip(target.places, system, strict=True)
    ]
