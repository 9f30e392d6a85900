"""Of the keys that a change touches, those that a relation asks for: K ⋉ (R ⊎ |ΔR|), or more than those.

Where a key is that of a table of which more is asked, this says so at the price of a lookup, before anything is read
that costs more. It is asked by itself: of a single key PostgreSQL believes that it has a row in every table, so that
one would do as well as another to begin with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.pairing import Mark
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.properties import input_keys, trusted_equalities
from trickle.ivm.algebra.relations import Aggregate, Block, Item, Rel, Scan, Shared, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Column, Scalar, equated_columns, expression, reference, substitute
from trickle.ivm.delta.derivative import derive

Partners = Mapping[int, Column]
"""Columns of a relation, each with the key column that has to equal it."""


def met(keys: Rel, arms: Sequence[Rel], partners: Partners, numbering: Numbering) -> Rel:
    """The keys that meet a row of one of the relations.

    Each by itself: PostgreSQL looks the few keys up among the many rows of a table, but not of a UNION.
    """
    items = tuple(copy_of(column) for column in keys.columns)
    found: list[Rel] = []
    for rows in arms:
        mark = numbering.column("wanted")
        tests = tuple(expression("a = b", a=reference(key), b=reference(n)) for n, key in partners.items())
        columns = tuple(copy_of(c) for c in rows.columns if c.number in partners)
        found.append(Block((Mark(keys, Block((rows,), (), columns), tests, mark),), (reference(mark),), items))
    return found[0] if len(found) == 1 else Aggregate(UnionAll(tuple(found), keys.columns), items, ())


def asked(keys: Rel, rel: Rel, partners: Partners, numbering: Numbering) -> Rel:
    """The keys without some that no row of `rel` meets or met; as they are where that is not cheaply said."""
    block = _plain(rel)
    equal = trusted_equalities(block.inputs, block.predicates)
    values = {item.column.number: item.value.column for item in block.items}
    known = {n: key for number, key in partners.items() if (n := values.get(number)) is not None}
    for one, other in _both_ways(equal):
        if one in known:
            known.setdefault(other, known[one])
    for table in block.inputs:
        meeting = {column.number: known[column.number] for column in table.columns if column.number in known}
        if not any(key <= meeting.keys() for key in input_keys(table)):
            continue
        tables = (table, *(t for t in block.inputs if t is not table and _followed(t, table, block, equal)))
        columns = tuple(copy_of(column) for column in table.columns if column.number in meeting)
        asking = Block(tables, _among(block, tables), columns)
        if all(equated_columns(predicate) for predicate in asking.predicates):
            continue
        change = derive(asking, numbering)
        law = "the keys of which a table has what is asked of it"
        arms = [asking] if change is None else [asking, change.rel]
        keys = Shared("keys_asked", law, met(keys, arms, meeting, numbering))
    return keys


def _followed(rel: Rel, table: Rel, block: Block, equal: Sequence[tuple[int, int]]) -> bool:
    """Has each row of the table at most one row of this one, of which something is asked?"""
    here = {column.number for column in table.columns}
    found = frozenset(other for one, other in _both_ways(equal) if one in here)
    selects = any(equated_columns(predicate) is None for predicate in _among(block, (rel,)))
    return selects and any(key <= found for key in input_keys(rel))


def _among(block: Block, tables: Sequence[Rel]) -> tuple[Scalar, ...]:
    """What is asked of these tables alone."""
    columns = {column.number for table in tables for column in table.columns}
    return tuple(p for p in block.predicates if p.columns and p.columns <= columns)


def _both_ways(pairs: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for a, b in pairs:
        yield a, b
        yield b, a


def _plain(rel: Rel) -> Block:
    """Tables that every row of a relation meets, and what is asked of them; its columns as far as they are theirs."""
    block = as_block(rel)
    inputs: list[Rel] = []
    predicates = list(block.predicates)
    items = list(block.items)
    for found in block.inputs:
        if isinstance(found, Scan):
            inputs.append(found)
        elif isinstance(found, Mark):
            sides = [_plain(found.left)]
            if any(predicate.column == found.mark.number for predicate in block.predicates):
                sides.append(_plain(found.right))
                predicates.extend(found.predicates)
            values = {item.column.number: item.value for side in sides for item in side.items}
            inputs.extend(table for side in sides for table in side.inputs)
            predicates = [substitute(predicate, values) for predicate in predicates]
            predicates.extend(predicate for side in sides for predicate in side.predicates)
            items = [Item(item.column, substitute(item.value, values)) for item in items]
    available = {column.number for table in inputs for column in table.columns}
    return Block(
        tuple(inputs),
        tuple(p for p in predicates if p.columns <= available),
        tuple(item for item in items if item.value.columns <= available),
    )
