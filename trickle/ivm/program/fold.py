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
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Item, Rel
from trickle.ivm.algebra.scalars import Column, expression, reference, render
from trickle.ivm.delta import Delta, derive, netted
from trickle.ivm.program.calls import Classified, Kind, classify, exact
from trickle.ivm.program.match import KeyColumn, against_stored, restricted, unchanged
from trickle.ivm.program.parts import OPERATION, ROW, TUPLE, Apply, Root, Storage, Target
from trickle.ivm.program.quote import ident
from trickle.ivm.program.select import Renderer
from trickle.ivm.program.states import State, Tally, tally
from trickle.ivm.query.grouping import function_name

NOT_FINITE = "('NaN', 'Infinity', '-Infinity')"


def fold(root: Root, aggregate: Aggregate, target: Target, numbering: Numbering) -> Apply:
    """Keep the groups of `aggregate`, from which `root` selects its columns."""
    child = prune_columns(aggregate.child, _read(aggregate))
    aggregate = Aggregate(child, aggregate.keys, aggregate.calls, aggregate.scalar)
    calls = exact([classify(call, child, root.facts) for call in aggregate.calls], root.items, origins(child))
    names = {i.value.column: n for i, n in zip(root.items, root.names, strict=True) if i.value.column is not None}
    kept = tally(calls, names, numbering, not_null_columns(child))
    keys, hidden_keys = _keys(aggregate, names, child)
    storage, algebra = _storage(root, aggregate, kept, keys, hidden_keys)
    delta = derive(child, numbering)
    if delta is None:
        raise Unsupported("nothing this query reads can change")
    if kept.extremes or kept.recomputed:
        delta = netted(delta, child, numbering)
    renderer = Renderer()
    renderer.add(
        "change_groups",
        "the change of each group: rows, values and sums by weight",
        _grouped(renderer, delta, aggregate, kept, numbering),
    )
    fresh = _may_recompute(kept)
    renderer.add(
        "matched", "each changed group beside its stored row", _matched(target, keys, kept, storage, numbered=fresh)
    )
    if fresh:
        row = numbering.column("row")
        renderer.add("lost", "groups whose new values cannot be had by adding", _lost(keys, kept, row))
        renderer.add(
            "fresh",
            "those groups, computed anew from the sources as they are now",
            _fresh(renderer, child, aggregate, keys, kept, row),
        )
    renderer.add("folded", "new = stored + change", _folded(keys, kept, storage, fresh=fresh))
    renderer.add(
        "net", "groups that appear, change or disappear", _net(root, aggregate, keys, kept, storage, fresh=fresh)
    )
    return Apply(
        storage,
        tuple((c.name, c.comment, c.body) for c in renderer.ctes),
        match=f"t.ctid = n.{TUPLE}",
        updated=tuple(c for c in storage.columns if c not in {k.stored for k in keys}),
        algebra=algebra,
        unfoldable=_unfoldable(kept),
        delta=delta.rel,
        strategy="folded groups" + (" with recomputed groups" if fresh else ""),
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


def _grouped(renderer: Renderer, delta: Delta, aggregate: Aggregate, kept: Tally, numbering: Numbering) -> str:
    """ΔG: for each touched group the weighted count and sums, and the extremes of what came and went."""
    weight = reference(delta.weight)
    calls = [Call(s.change, s.derivative(weight)) for s in kept.states]
    for extreme in kept.extremes:
        calls.append(Call(extreme.came, extreme.of_weights(weight, "> 0")))
        calls.append(Call(extreme.went, extreme.of_weights(weight, "< 0")))
    keys = aggregate.keys or (Item(numbering.column("everything"), expression("true")),)
    grouped = Aggregate(delta.rel, keys, tuple(calls))
    return renderer.select(grouped)


def _matched(target: Target, keys: Sequence[KeyColumn], kept: Tally, storage: Storage, *, numbered: bool) -> str:
    stored = [
        *(f"s.{ident(s.stored)} AS {ident(s.old)}" for s in kept.states),
        *(f"s.{ident(e.stored)} AS {ident(e.old)}" for e in kept.extremes),
    ]
    if numbered:
        stored += [f"s.{ident(name)} AS {ident(was)}" for name, was in _before(storage, keys)]
    changed = [f"d.{ident(s.change.label)} <> 0" for s in kept.states]
    for extreme in kept.extremes:
        changed += [f"d.{ident(c.label)} IS NOT NULL" for c in (extreme.came, extreme.went)]
    if kept.recomputed:
        changed = ["true"]
    outputs = f"s.ctid AS {TUPLE}, d.*, {', '.join(stored)}"
    rows = against_stored("change_groups", target, keys, outputs, " OR ".join(changed))
    if not numbered:
        return rows
    body = "\n".join(f"  {line}" for line in rows.split("\n"))
    return f"SELECT row_number() OVER () AS {ROW}, q.*\nFROM (\n{body}\n) q"


def _may_recompute(kept: Tally) -> bool:
    return bool(kept.extremes or kept.recomputed)


def _unfoldable(kept: Tally) -> str:
    """NaN − NaN is NaN: a sum that is, was or becomes not finite cannot be folded."""
    tests = [
        f"m.{ident(name)} IN {NOT_FINITE}"
        for state in kept.states
        if state.sum_type == "numeric"
        for name in (state.old, state.change.label)
    ]
    return f"(SELECT count(*) FROM matched m WHERE {' OR '.join(tests)})" if tests else "0"


def _lost(keys: Sequence[KeyColumn], kept: Tally, row: Column) -> str:
    reasons = ["true"] if kept.recomputed else []
    for e in kept.extremes:
        best, beyond = ("least", "<=") if e.kind is Kind.LEAST else ("greatest", ">=")
        candidate = f"{best}(m.{ident(e.old)}, m.{ident(e.came.label)})"
        went = f"m.{ident(e.went.label)}"
        reasons.append(f"({went} IS NOT NULL AND coalesce({went} {beyond} {candidate}, true))")
    rows = f"coalesce(m.{ident(kept.rows.old)}, 0) + m.{ident(kept.rows.change.label)}"
    columns = [f"m.{ROW} AS {ident(row.label)}", *(f"m.{ident(k.column.label)}" for k in keys)]
    return f"SELECT {', '.join(columns)}\nFROM matched m\nWHERE {rows} > 0 AND ({' OR '.join(reasons)})"


def _fresh(
    renderer: Renderer,
    child: Rel,
    aggregate: Aggregate,
    keys: Sequence[KeyColumn],
    kept: Tally,
    row: Column,
) -> str:
    restriction = restricted(child, "lost", keys, row)
    calls = (*aggregate.calls, *(Call(s.column, s.value) for s in kept.states if s.hidden))
    grouped = Aggregate(restriction, (Item(row, reference(row)),), calls)
    return renderer.select(grouped, (ROW, *(call.column.label for call in calls)))


def _before(storage: Storage, keys: Sequence[KeyColumn]) -> list[tuple[str, str]]:
    """Stored columns that an update may set, and what their old values are called in CTEs."""
    names = [name for name in storage.columns if name not in {k.stored for k in keys}]
    return [(name, f"__pgt_was_{i + 1}") for i, name in enumerate(names)]


def _folded(keys: Sequence[KeyColumn], kept: Tally, storage: Storage, *, fresh: bool) -> str:
    """One row per changed group with the new value of every key, call and state."""

    def chosen(value: str, column: Column) -> str:
        label = ident(column.label)
        text = f"CASE WHEN f.{ROW} IS NOT NULL THEN f.{label} ELSE {value} END" if fresh else value
        return f"{text} AS {label}"

    columns = [f"m.{ident(k.column.label)}" for k in keys]
    written: set[int] = set()
    for classified in kept.calls:
        columns.append(chosen(_value(classified, kept), classified.call.column))
        written.add(classified.call.column.number)
    unwritten = [state for state in kept.states if state.column.number not in written]
    columns += [chosen(_stored_value(state, kept), state.column) for state in unwritten]
    rows = _new(kept.rows)
    columns += [f"m.{TUPLE}", f"{rows} AS __pgt_rows"]
    if fresh:
        columns += [f"m.{ident(was)}" for _, was in _before(storage, keys)]
    join = f"\nLEFT JOIN fresh f ON f.{ROW} = m.{ROW}" if fresh else ""
    return f"SELECT {', '.join(columns)}\nFROM matched m{join}"


def _net(
    root: Root, aggregate: Aggregate, keys: Sequence[KeyColumn], kept: Tally, storage: Storage, *, fresh: bool
) -> str:
    hidden_states = [s for s in kept.states if s.hidden]
    by_number = {c.number: c for c in (*(k.column for k in keys), *(c.call.column for c in kept.calls))}
    labels = {c.number: c.label for c in (*by_number.values(), *(s.column for s in hidden_states))}
    hidden_keys = [k for k in keys if k.stored in storage.hidden]
    items = (
        *(item.value for item in root.items),
        *(reference(k.column) for k in hidden_keys),
        *(reference(s.column) for s in hidden_states),
    )
    values = [
        f"{render(value, lambda number: ('folded', labels[number]))} AS {ident(name)}"
        for value, name in zip(items, storage.columns, strict=True)
    ]
    if aggregate.scalar:
        operation = f"CASE WHEN folded.{TUPLE} IS NULL OR folded.__pgt_rows < 0 THEN 'x' ELSE 'u' END"
        condition = ""
    else:
        operation = (
            f"CASE WHEN folded.__pgt_rows < 0 THEN 'x' WHEN folded.{TUPLE} IS NULL THEN 'i'"
            " WHEN folded.__pgt_rows = 0 THEN 'd' ELSE 'u' END"
        )
        condition = f"\nWHERE NOT (folded.{TUPLE} IS NULL AND folded.__pgt_rows = 0)"
    select = f"SELECT {operation} AS {OPERATION}, folded.{TUPLE}, {', '.join(values)}"
    if not fresh:
        return f"{select}\nFROM folded{condition}"
    before = _before(storage, keys)
    facts = {c.name: c for c in root.facts.output}
    same = " AND ".join(unchanged(f"x.{ident(name)}", f"x.{ident(was)}", facts.get(name)) for name, was in before)
    outputs = ", ".join(f"x.{ident(name)}" for name in (OPERATION, TUPLE, *storage.columns))
    was = ", ".join(f"folded.{ident(name)}" for _, name in before)
    body = "\n".join(f"  {line}" for line in f"{select}, {was}\nFROM folded{condition}".split("\n"))
    return f"SELECT {outputs}\nFROM (\n{body}\n) x\nWHERE NOT (x.{OPERATION} = 'u' AND {same})"


def _value(classified: Classified, kept: Tally) -> str:
    """New value of a call, by folding."""
    match classified.kind:
        case Kind.ROWS | Kind.COUNT:
            return _new(kept.state_of(classified))
        case Kind.SUM:
            return _stored_value(kept.state_of(classified), kept)
        case Kind.AVERAGE:
            state = kept.state_of(classified)
            count = _new(kept.counter_of(state))
            return f"CASE WHEN {count} > 0 THEN ({_new(state)})::numeric / ({count}) END"
        case Kind.LEAST | Kind.GREATEST:
            extreme = kept.extreme_of(classified)
            best = "least" if classified.kind is Kind.LEAST else "greatest"
            candidate = f"{best}(m.{ident(extreme.old)}, m.{ident(extreme.came.label)})"
            return f"CASE WHEN {_new(kept.rows)} > 0 THEN {candidate} END"
        case Kind.RECOMPUTED:
            return "0" if function_name(classified.call.value.node.func_call)[1] == "count" else "NULL"


def _stored_value(state: State, kept: Tally) -> str:
    """New value of a state: a sum of no values is NULL, as SQL has it."""
    if state.sum_type is None:
        return _new(state)
    return f"CASE WHEN {_new(kept.counter_of(state))} > 0 THEN {_new(state)} END"


def _new(state: State) -> str:
    return f"coalesce(m.{ident(state.old)}, 0) + m.{ident(state.change.label)}"
