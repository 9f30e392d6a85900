"""Root groups kept by folding: new = stored + Δ, exact for counts and for sums of integers and numeric.

    count, sum     add the change
    avg            sum / count, both kept
    min, max       the lesser (greater) of stored and inserted, unless a value at least as extreme was deleted
    otherwise      the group is recomputed from the sources, read through their indexes

A stored or incoming sum that is not finite cannot be folded (NaN − NaN is not zero): then the whole table is computed
anew, which is dear and rare. A sum over no values is NULL, so each sum keeps beside it how many values it adds; a group
without rows is deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trickle.errors import Unsupported
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.passes import prune_columns
from trickle.ivm.algebra.properties import not_null_columns, origins
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Given, Item, Rel, Shared, copy_of
from trickle.ivm.algebra.scalars import Column, expression, reference
from trickle.ivm.delta import Delta, derive, derive_measured, netted
from trickle.ivm.program.calls import classify, exact
from trickle.ivm.program.folding import Folding, folded, lost, matched, net
from trickle.ivm.program.match import KeyColumn, restricted, touched_groups
from trickle.ivm.program.measures import measurable
from trickle.ivm.program.parts import ROW, Apply, Root, Storage, Target
from trickle.ivm.program.select import Renderer
from trickle.ivm.program.states import Tally, tally


def fold(root: Root, aggregate: Aggregate, target: Target, numbering: Numbering) -> Apply:
    """Keep the groups of `aggregate`, from which `root` selects its columns."""
    child = prune_columns(aggregate.child, _read(aggregate))
    aggregate = Aggregate(child, aggregate.keys, aggregate.calls, aggregate.scalar)
    classified = [classify(call, child, root.facts) for call in aggregate.calls]
    calls = exact(classified, root.items, origins(child), inner=root.inner)
    names = {i.value.column: n for i, n in zip(root.items, root.names, strict=True) if i.value.column is not None}
    kept = tally(calls, names, numbering, not_null_columns(child))
    keys, hidden_keys = _keys(aggregate, names, child)
    storage, algebra = _storage(root, aggregate, kept, keys, hidden_keys)
    delta, grouped = _changes(aggregate, kept, numbering)
    written = Folding(root, aggregate, target, tuple(keys), kept, storage)
    renderer = Renderer(from_states=True)
    groups = renderer.select(grouped)
    renderer.add("change_groups", "the change of each group: rows, values and sums by weight", groups)
    renderer.add("matched", "each changed group beside its stored row", matched(written))
    if written.may_recompute:
        row = numbering.column("row")
        renderer.add("lost", "groups whose new values cannot be had by adding", lost(written, row))
        fresh = _fresh(renderer, written, row, numbering)
        renderer.add("fresh", "those groups, computed anew from the sources as they are now", fresh)
    renderer.add("folded", "new = stored + change", folded(written))
    renderer.add("net", "groups that appear, change or disappear", net(written))
    return Apply(
        storage,
        tuple((c.name, c.comment, c.body) for c in renderer.ctes),
        match=target.met,
        updated=written.settable,
        algebra=algebra,
        delta=delta.rel,
        strategy="folded groups" + (" with recomputed groups" if written.may_recompute else ""),
        touched=touched_groups("change_groups", keys, root, child),
        recomputes=written.may_recompute,
    )


def _read(aggregate: Aggregate) -> frozenset[int]:
    values = [*(k.value for k in aggregate.keys), *(c.value for c in aggregate.calls)]
    return frozenset().union(*(v.columns for v in values))


def _keys(aggregate: Aggregate, names: Mapping[int, str], child: Rel) -> tuple[list[KeyColumn], tuple[Item, ...]]:
    """Name the stored column of each key; keys the user does not select are stored hidden."""
    certain = not_null_columns(child)
    keys: list[KeyColumn] = []
    hidden: list[Item] = []
    for key in aggregate.keys:
        stored = names.get(key.column.number)
        if stored is None:
            stored = f"__pgt_key_{len(hidden) + 1}"
            hidden.append(key)
        keys.append(KeyColumn(key.column, key.value, stored, key.value.column not in certain))
    return keys, tuple(hidden)


def _storage(
    root: Root,
    aggregate: Aggregate,
    kept: Tally,
    keys: Sequence[KeyColumn],
    hidden_keys: Sequence[Item],
) -> tuple[Storage, Rel]:
    """The stored relation: the root, with hidden keys and states after the user's columns."""
    hidden_states = [s for s in kept.states if s.hidden]
    full = Aggregate(
        aggregate.child,
        aggregate.keys,
        (*aggregate.calls, *(Call(s.column, s.value) for s in hidden_states)),
        aggregate.scalar,
    )
    extra = (
        *(Item(k.column, reference(k.column)) for k in hidden_keys),
        *(Item(s.column, reference(s.column)) for s in hidden_states),
    )
    block = Block((full,), (), (*root.items, *extra))
    hidden_names = (
        *(f"__pgt_key_{i + 1}" for i in range(len(hidden_keys))),
        *(s.stored for s in hidden_states),
    )
    names = root.names + hidden_names
    query = Renderer().select(block, names)
    certain = tuple(k.stored for k in keys if k.stored in root.names and not k.nullable)
    return Storage(root.names, hidden_names, query, tuple(k.stored for k in keys), certain=certain), block


def _balanced(delta: Delta, aggregate: Aggregate, kept: Tally) -> Delta:
    """The change with, beside each value that may be an extreme, by how many its copies grew or shrank."""
    weight, keys = reference(delta.weight), [key.value for key in aggregate.keys]
    balances = tuple(Item(extreme.balance, extreme.balance_of(weight, keys)) for extreme in kept.extremes)
    rows = Block((delta.rel,), (), (*(copy_of(column) for column in delta.rel.columns), *balances))
    law = "the change, and how the number of copies of each value changes in its group"
    return Delta(Shared("change_balanced", law, rows), delta.weight)


def _changes(aggregate: Aggregate, kept: Tally, numbering: Numbering) -> tuple[Delta, Aggregate]:
    """The change of what is grouped, and ΔG: for each touched group how its counts and sums change."""
    measured = None if kept.extremes or kept.recomputed else measurable(aggregate, kept.states, numbering)
    if measured is not None:
        delta = derive_measured(measured.block, measured.fact, measured.measures, numbering)
    else:
        delta = derive(aggregate.child, numbering)
    if delta is None:
        raise Unsupported("nothing this query reads can change")
    if kept.recomputed:
        delta = netted(delta, aggregate.child, numbering)
    if kept.extremes:
        delta = _balanced(delta, aggregate, kept)
    weight = reference(delta.weight)
    if measured is not None:
        calls = [Call(state.change, measured.sum_of(state, weight)) for state in kept.states]
    else:
        calls = [Call(state.change, state.derivative(weight)) for state in kept.states]
    for extreme in kept.extremes:
        calls += [Call(extreme.came, extreme.among("> 0")), Call(extreme.went, extreme.among("< 0"))]
    keys = aggregate.keys or (Item(numbering.column("everything"), expression("true")),)
    return delta, Aggregate(delta.rel, keys, tuple(calls))


def _fresh(renderer: Renderer, f: Folding, row: Column, numbering: Numbering) -> str:
    """γ(C|lost): the groups that could not be folded, numbered as in `lost`."""
    calls = (*f.aggregate.calls, *(Call(s.column, s.value) for s in f.kept.states if s.hidden))
    if f.aggregate.scalar:
        one = (Item(row, expression("1::bigint")), *(copy_of(call.column) for call in calls))
        everything = Aggregate(f.aggregate.child, (), calls, scalar=True)
        asked = Block((Given("lost", (row,)),), (), ())
        return renderer.select(Block((everything,), (), one, asked), (ROW, *(call.column.label for call in calls)))
    rows = restricted(f.aggregate.child, "lost", f.keys, row, numbering)
    grouped = Aggregate(rows, (Item(row, reference(row)),), calls)
    return renderer.select(grouped, (ROW, *(call.column.label for call in calls)))
