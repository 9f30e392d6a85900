"""The CTEs of a fold: each changed group beside its stored row, its new values, and what becomes of it.

change_groups ─▶ matched ─▶ folded ─▶ net
                    └─▶ lost ─▶ fresh ─┘        only where extremes or recomputed calls are kept
"""

from __future__ import annotations

from dataclasses import dataclass

from trickle.ivm.algebra.relations import Aggregate
from trickle.ivm.algebra.scalars import Column, reference, render
from trickle.ivm.program.calls import Classified, Kind
from trickle.ivm.program.layout import indented
from trickle.ivm.program.match import KeyColumn, against_stored, unchanged
from trickle.ivm.program.parts import HUNDRED, OPERATION, ROW, TUPLE, UNFOLDABLE, Root, Storage, Target
from trickle.ivm.program.quote import ident
from trickle.ivm.program.states import State, Tally

NOT_FINITE = "('NaN', 'Infinity', '-Infinity')"


@dataclass(frozen=True, slots=True)
class Folding:
    """What the CTEs are written from: the root over its aggregate, the keys and states, and where they are stored."""

    root: Root
    aggregate: Aggregate
    target: Target
    keys: tuple[KeyColumn, ...]
    kept: Tally
    storage: Storage

    @property
    def may_recompute(self) -> bool:
        """Can a change ask for a group to be computed anew?"""
        return bool(self.kept.extremes or self.kept.recomputed)

    @property
    def settable(self) -> tuple[str, ...]:
        """Stored columns that an update may set: all but the keys."""
        return tuple(name for name in self.storage.columns if name not in {key.stored for key in self.keys})

    @property
    def before(self) -> list[tuple[str, str]]:
        """Those columns, and what their old values are called in CTEs."""
        return [(name, f"__pgt_was_{i + 1}") for i, name in enumerate(self.settable)]


def matched(f: Folding) -> str:
    """Each changed group (`d`) beside its stored row (`s`)."""
    stored = [
        *(f"s.{ident(s.stored)} AS {ident(s.old)}" for s in f.kept.states),
        *(f"s.{ident(e.stored)} AS {ident(e.old)}" for e in f.kept.extremes),
        *(f"s.{ident(stored)} AS {ident(column.label)}" for column, stored in f.kept.absent),
    ]
    if f.may_recompute:
        stored += [f"s.{ident(name)} AS {ident(was)}" for name, was in f.before]
    changed = [f"d.{ident(s.change.label)} <> 0" for s in f.kept.states]
    for extreme in f.kept.extremes:
        changed += [f"d.{ident(c.label)} IS NOT NULL" for c in (extreme.came, extreme.went)]
    if f.kept.recomputed:
        changed = ["true"]
    outputs = f"{f.target.place_of('s')}, d.*, {', '.join(stored)}"
    rows = against_stored("change_groups", f.target, f.keys, outputs, " OR ".join(changed))
    if not f.may_recompute:
        return rows
    # Believing that one group has changed, the planner would compute all that are lost once for each.
    return f"SELECT row_number() OVER () AS {ROW}, q.*\nFROM (\n{indented(rows)}\n) q, {HUNDRED}"


def _unfoldable(f: Folding) -> str:
    """NaN − NaN is NaN: is a sum of the group, or its change, not finite?"""
    tests = [
        f"coalesce(m.{ident(name)} IN {NOT_FINITE}, false)"
        for state in f.kept.states
        if state.sum_type == "numeric"
        for name in (state.old, state.change.label)
    ]
    return " OR ".join(tests) or "false"


def lost(f: Folding, row: Column) -> str:
    """Groups whose new values cannot be had by adding."""
    reasons = ["true"] if f.kept.recomputed else []
    for e in f.kept.extremes:
        best, beyond = ("least", "<=") if e.kind is Kind.LEAST else ("greatest", ">=")
        candidate = f"{best}(m.{ident(e.old)}, m.{ident(e.came.label)})"
        went = f"m.{ident(e.went.label)}"
        reasons.append(f"({went} IS NOT NULL AND coalesce({went} {beyond} {candidate}, true))")
    columns = [f"m.{ROW} AS {ident(row.label)}", *(f"m.{ident(k.column.label)}" for k in f.keys)]
    # A group of all rows has a value over no rows as well, which only the aggregate itself knows.
    exists = "true" if f.aggregate.scalar and f.kept.recomputed else f"{_new(f.kept.rows)} > 0"
    few = f"(m.{ROW} # m.{ROW}) = 0"  # true, and to the planner rare: so they are read by their indexes
    return f"SELECT {', '.join(columns)}\nFROM matched m\nWHERE {exists} AND ({' OR '.join(reasons)}) AND {few}"


def folded(f: Folding) -> str:
    """One row per changed group with the new value of every key, call and state."""

    def chosen(value: str, column: Column) -> str:
        label = ident(column.label)
        text = f"CASE WHEN f.{ROW} IS NOT NULL THEN f.{label} ELSE {value} END" if f.may_recompute else value
        return f"{text} AS {label}"

    called = {c.call.column.number for c in f.kept.calls}
    columns = [
        *(f"m.{ident(k.column.label)}" for k in f.keys),
        *(chosen(_value(c, f.kept), c.call.column) for c in f.kept.calls),
        *(chosen(_stored_value(s, f.kept), s.column) for s in f.kept.states if s.column.number not in called),
        f.target.carried("m"),
        f"{_new(f.kept.rows)} AS __pgt_rows",
        f"{_unfoldable(f)} AS __pgt_unfoldable",
    ]
    if not f.may_recompute:
        return f"SELECT {', '.join(columns)}\nFROM matched m"
    columns += [f"m.{ident(was)}" for _, was in f.before]
    return (
        f"SELECT {', '.join(columns)}\nFROM matched m\nLEFT JOIN fresh f ON f.{ROW} = m.{ROW}"
        f"\nWHERE (coalesce(f.{ROW}, m.{ROW}) # m.{ROW}) = 0"
    )


def net(f: Folding) -> str:
    """What becomes of each group; a group that would hold less than nothing cannot be right."""
    if f.aggregate.scalar:
        operation = (
            f"CASE WHEN folded.__pgt_unfoldable THEN '{UNFOLDABLE}'"
            f" WHEN folded.{TUPLE} IS NULL OR folded.__pgt_rows < 0 THEN 'x' ELSE 'u' END"
        )
        source = "FROM folded"
    else:
        operation = (
            f"CASE WHEN folded.__pgt_unfoldable THEN '{UNFOLDABLE}'"
            f" WHEN folded.__pgt_rows < 0 THEN 'x' WHEN folded.{TUPLE} IS NULL THEN 'i'"
            " WHEN folded.__pgt_rows = 0 THEN 'd' ELSE 'u' END"
        )
        source = f"FROM folded\nWHERE NOT (folded.{TUPLE} IS NULL AND folded.__pgt_rows = 0)"
    select = f"SELECT {operation} AS {OPERATION}, {f.target.carried('folded')}, {', '.join(_outputs(f))}"
    if not f.may_recompute:
        return f"{select}\n{source}"
    facts = {c.name: c for c in f.root.facts.output}
    same = " AND ".join(unchanged(f"x.{ident(name)}", f"x.{ident(was)}", facts.get(name)) for name, was in f.before)
    outputs = ", ".join(f"x.{ident(name)}" for name in (OPERATION, *f.target.places, *f.storage.columns))
    was = ", ".join(f"folded.{ident(name)}" for _, name in f.before)
    inner = indented(f"{select}, {was}\n{source}")
    return f"SELECT {outputs}\nFROM (\n{inner}\n) x\nWHERE NOT (x.{OPERATION} = 'u' AND {same})"


def _outputs(f: Folding) -> list[str]:
    """The stored columns, computed from the keys, calls and states of `folded`."""
    hidden_states = [s for s in f.kept.states if s.hidden]
    hidden_keys = [k for k in f.keys if k.stored in f.storage.hidden]
    columns = [k.column for k in f.keys] + [c.call.column for c in f.kept.calls] + [s.column for s in hidden_states]
    labels = {c.number: c.label for c in columns}
    values = (
        *(item.value for item in f.root.items),
        *(reference(k.column) for k in hidden_keys),
        *(reference(s.column) for s in hidden_states),
    )
    return [
        f"{render(value, lambda number: ('folded', labels[number]))} AS {ident(name)}"
        for value, name in zip(values, f.storage.columns, strict=True)
    ]


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
        case Kind.ABSENT:
            return f"m.{ident(classified.call.column.label)}"
        case Kind.RECOMPUTED:
            return "NULL"


def _stored_value(state: State, kept: Tally) -> str:
    """New value of a state: a sum of no values is NULL, as SQL has it."""
    if state.sum_type is None:
        return _new(state)
    return f"CASE WHEN {_new(kept.counter_of(state))} > 0 THEN {_new(state)} END"


def _new(state: State) -> str:
    return f"coalesce(m.{ident(state.old)}, 0) + m.{ident(state.change.label)}"
