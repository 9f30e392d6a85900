"""Roots kept by recomputing what the change touches (key-restricted recompute).

    ΔQ = Q(new|K) − stored|K          K: the keys that occur in the change of Q's input

Legal because selecting by K commutes with the aggregate when K ⊆ group keys. The rows to take away come from the
stored table itself, so they are right whatever was stored. Serves HAVING, where a group that is not shown
keeps no state: what it would show now has to be read from the sources.
"""

from __future__ import annotations

from trickle.errors import Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.passes import prune_columns
from trickle.ivm.algebra.properties import not_null_columns
from trickle.ivm.algebra.relations import Aggregate, Block, Given, Item
from trickle.ivm.algebra.scalars import expression, reference
from trickle.ivm.delta import derive
from trickle.ivm.program.match import KeyColumn, against_stored, restricted, touched_groups, unchanged
from trickle.ivm.program.parts import OPERATION, ROW, TUPLE, Apply, Root, Storage, Target
from trickle.ivm.program.quote import ident
from trickle.ivm.program.select import Renderer


def recompute(root: Root, aggregate: Aggregate, target: Target, numbering: Numbering) -> Apply:
    """Keep the groups of `aggregate` that pass the predicates of `root`."""
    values = [*(k.value for k in aggregate.keys), *(c.value for c in aggregate.calls)]
    child = prune_columns(aggregate.child, frozenset().union(*(v.columns for v in values)))
    calls = aggregate.calls
    aggregate = Aggregate(child, aggregate.keys, calls, aggregate.scalar)
    names = {i.value.column: n for i, n in zip(root.items, root.names, strict=True)}
    certain = not_null_columns(child)
    hidden = [k for k in aggregate.keys if k.column.number not in names]
    keys = [
        KeyColumn(
            k.column,
            k.value,
            names[k.column.number] if k not in hidden else f"__pgt_key_{hidden.index(k) + 1}",
            k.value.column not in certain,
        )
        for k in aggregate.keys
    ]
    hidden_names = tuple(f"__pgt_key_{i + 1}" for i in range(len(hidden)))
    items = (*root.items, *(Item(k.column, reference(k.column)) for k in hidden))
    stored = Block((aggregate,), root.block.predicates, items)
    columns = root.names + hidden_names
    delta = derive(child, numbering)
    if delta is None:
        raise Unsupported("nothing this query reads can change")

    renderer = Renderer(from_states=True)
    row = numbering.column("row")
    everything = (Item(numbering.column("everything"), expression("true")),)
    touched = Aggregate(delta.rel, aggregate.keys or everything, ())
    labels = [column.label for column in touched.columns]
    renderer.add("touched_groups", "the keys that occur in the change", renderer.select(touched, labels))
    numbered = ", ".join(ident(label) for label in labels)
    renderer.add(
        "touched",
        "each touched key with a number to meet by",
        f"SELECT row_number() OVER () AS {ident(row.label)}, {numbered}\nFROM touched_groups",
    )
    restriction = restricted(child, "touched", keys, row, numbering)
    fresh = Block(
        (Aggregate(restriction, (Item(row, reference(row)), *aggregate.keys), calls),),
        root.block.predicates,
        (*items, Item(row, reference(row))),
    )
    if aggregate.scalar:
        fresh = Block(
            (Aggregate(child, (), calls, scalar=True),),
            root.block.predicates,
            (*items, Item(row, expression("1::bigint"))),
            gate=Block((Given("touched", (row,)),), (), ()),
        )
    renderer.add("fresh", "the touched groups as they are now", renderer.select(fresh, (*columns, ROW)))
    old_columns = ", ".join(f"s.{ident(c)}" for c in columns)
    outputs = f"d.{ident(row.label)} AS {ROW}, {target.place_of('s')}, {old_columns}"
    renderer.add(
        "old",
        "the touched groups as they are stored",
        against_stored("touched", target, keys, outputs, "s.ctid IS NOT NULL"),
    )
    updated = tuple(c for c in columns if c not in {k.stored for k in keys})
    return Apply(
        Storage(root.names, hidden_names, Renderer().select(stored, columns), tuple(k.stored for k in keys)),
        (
            *((c.name, c.comment, c.body) for c in renderer.ctes),
            ("net", "touched groups that appear, change or disappear", _net(root, target, columns, updated)),
        ),
        match=target.met,
        updated=updated,
        algebra=stored,
        delta=delta.rel,
        strategy="recomputed groups",
        touched=touched_groups("touched_groups", keys, root, child),
        recomputes=True,
    )


def _net(root: Root, target: Target, columns: tuple[str, ...], updated: tuple[str, ...]) -> str:
    operation = f"CASE WHEN o.{TUPLE} IS NULL THEN 'i' WHEN f.{ROW} IS NULL THEN 'd' ELSE 'u' END"
    values = ", ".join(f"f.{ident(c)}" for c in columns)
    facts = {c.name: c for c in root.facts.output}
    differs = [f"NOT ({unchanged(f'f.{ident(c)}', f'o.{ident(c)}', facts.get(c))})" for c in updated]
    return (
        f"SELECT {operation} AS {OPERATION}, {target.carried('o')}, {values}\n"
        f"FROM fresh f FULL JOIN old o ON f.{ROW} = o.{ROW}\n"
        f"WHERE {' OR '.join([f'o.{TUPLE} IS NULL', f'f.{ROW} IS NULL', *differs])}"
    )
