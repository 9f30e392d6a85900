"""What is stored beside the user's columns so that a change can be added: counts, sums and extremes.

A state the user selects anyway (count(*), a plain sum) is stored once, in the user's own column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trickle.errors import Ours
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.scalars import Column, Scalar, expression, reference
from trickle.ivm.program.calls import Classified, Kind

PRESENT = "a IS DISTINCT FROM NULL"
"""What count(a) counts: a row with a NULL in it as well, of which IS NOT NULL says that it is not true."""


@dataclass(frozen=True, slots=True)
class State:
    """A count or a sum that changes by addition."""

    column: Column
    value: Scalar
    stored: str
    hidden: bool
    change: Column
    argument: Scalar | None
    filter: Scalar | None
    sum_type: str | None = None
    argument_type: str | None = None

    @property
    def old(self) -> str:
        """Name of the stored value in CTEs."""
        return f"old_{self.column.label}"

    @property
    def type(self) -> str:
        """The type it is stored in."""
        return self.sum_type or "bigint"

    @property
    def contribution(self) -> Scalar | None:
        """What one row adds to it; None where every row adds one."""
        if self.argument is None and self.filter is None:
            return None
        if self.sum_type is None:
            counted = "true" if self.argument is None else PRESENT
            value, otherwise = "1::bigint", "0::bigint"
        else:
            counted = "a IS NOT NULL"
            value, otherwise = "a::numeric", "0::numeric"
        condition = counted if self.filter is None else f"{counted} AND f"
        named = {"a": self.argument, "f": self.filter}
        parts = {name: part for name, part in named.items() if part is not None}
        return expression(f"CASE WHEN {condition} THEN {value} ELSE {otherwise} END", **parts)

    def derivative(self, weight: Scalar) -> Scalar:
        """Its change over signed rows."""
        if self.argument is None and self.filter is None:
            return expression("sum(w)::bigint", w=weight)
        condition = self.filter
        if self.sum_type is None:
            if self.argument is not None:
                present = expression(PRESENT, a=self.argument)
                condition = present if condition is None else expression("p AND f", p=present, f=condition)
            return expression("coalesce(sum(w) FILTER (WHERE f), 0)::bigint", w=weight, f=_some(condition))
        filtered = "" if condition is None else " FILTER (WHERE f)"
        wide = "a::numeric" if self.argument_type == "bigint" else "a::bigint" if self.sum_type == "bigint" else "a"
        value = f"CASE w WHEN 1 THEN {wide} WHEN -1 THEN -({wide}) ELSE ({wide}) * w END"
        parts = {"a": _some(self.argument), "w": weight} | ({} if condition is None else {"f": condition})
        return expression(f"coalesce(sum({value}){filtered}, 0)::{self.sum_type}", **parts)


@dataclass(frozen=True, slots=True)
class Extreme:
    """A min or max: its stored value, and the extremes of what came and what went."""

    classified: Classified
    stored: str
    balance: Column
    """By how many the copies of a row's value grew or shrank in its group."""
    came: Column
    went: Column

    @property
    def kind(self) -> Kind:
        """LEAST or GREATEST."""
        return self.classified.kind

    @property
    def old(self) -> str:
        """Name of the stored value in CTEs."""
        return f"old_{self.classified.call.column.label}"

    def balance_of(self, weight: Scalar, keys: Sequence[Scalar]) -> Scalar:
        """How the number of copies of the value changes; one that left and came back has not gone."""
        names = {f"k{i}": key for i, key in enumerate(keys)}
        partition = ", ".join(["a", *names])
        counted = "w" if self.classified.filter is None else "CASE WHEN f THEN w ELSE 0 END"
        filtered = {} if self.classified.filter is None else {"f": self.classified.filter}
        parts = {"a": _some(self.classified.argument), "w": weight, **names, **filtered}
        return expression(f"sum({counted}) OVER (PARTITION BY {partition})", **parts)

    def among(self, sign: str) -> Scalar:
        """The extreme of the values that became more (`> 0`) or fewer (`< 0`)."""
        function = "min" if self.kind is Kind.LEAST else "max"
        condition = "b " + sign if self.classified.filter is None else f"b {sign} AND f"
        filtered = {} if self.classified.filter is None else {"f": self.classified.filter}
        parts = {"a": _some(self.classified.argument), "b": reference(self.balance), **filtered}
        return expression(f"{function}(a) FILTER (WHERE {condition})", **parts)


@dataclass(frozen=True, slots=True)
class Tally:
    """All states of one aggregate."""

    calls: tuple[Classified, ...]
    states: tuple[State, ...]
    extremes: tuple[Extreme, ...]
    rows: State
    certain: frozenset[int]
    absent: tuple[tuple[Column, str], ...] = ()
    """Keys that are NULL in every group, and the stored columns that hold a NULL of their types."""

    @property
    def recomputed(self) -> bool:
        """Is there a call that addition cannot maintain?"""
        return any(c.kind is Kind.RECOMPUTED for c in self.calls)

    def state_of(self, classified: Classified) -> State:
        """The count or sum that a call stands for."""
        summed = classified.sum_type is not None
        argument = classified.argument
        if not summed and _always_counts(classified, self.certain):
            return self.rows
        return self._find(argument, classified.filter, summed=summed)

    def counter_of(self, state: State) -> State:
        """How many values a sum adds."""
        if state.filter is None and state.argument is not None and state.argument.column in self.certain:
            return self.rows
        return self._find(state.argument, state.filter, summed=False)

    def extreme_of(self, classified: Classified) -> Extreme:
        """The extreme that a min or max call stands for."""
        return next(e for e in self.extremes if e.classified.call.column == classified.call.column)

    def _find(self, argument: Scalar | None, condition: Scalar | None, *, summed: bool) -> State:
        for state in self.states:
            if state.argument == argument and state.filter == condition and (state.sum_type is not None) == summed:
                return state
        raise Ours("an aggregate call has no state")


def tally(
    calls: Sequence[Classified], names: Mapping[int, str], numbering: Numbering, certain: frozenset[int]
) -> Tally:
    """Collect the states the calls need, each once, named by the user's column that already holds it."""
    states: list[State] = []
    extremes: list[Extreme] = []

    def state(like: Classified | None, argument: Scalar | None, condition: Scalar | None, *, summed: bool) -> State:
        for known in states:
            if known.argument == argument and known.filter == condition and (known.sum_type is not None) == summed:
                return known
        owner = _selected(calls, argument, condition, names, summed=summed)
        value = _aggregate("sum" if summed else "count", argument, condition)
        column = owner.call.column if owner is not None else numbering.column("state")
        stored = names[column.number] if owner is not None else _hidden_name(states, argument, condition, summed=summed)
        made = State(
            column,
            value,
            stored,
            owner is None,
            numbering.column("change"),
            argument,
            condition,
            like.sum_type if like is not None and summed else None,
            like.argument_type if like is not None and summed else None,
        )
        states.append(made)
        return made

    rows = state(None, None, None, summed=False)
    for call in calls:
        if call.kind is Kind.COUNT and not _always_counts(call, certain):
            state(call, call.argument, call.filter, summed=False)
        if call.kind in (Kind.SUM, Kind.AVERAGE):
            state(call, call.argument, call.filter, summed=True)
            if call.filter is not None or call.argument is None or call.argument.column not in certain:
                state(call, call.argument, call.filter, summed=False)
        if call.kind in (Kind.LEAST, Kind.GREATEST):
            number = call.call.column.number
            if number not in names:
                continue
            came, went = numbering.column("came"), numbering.column("went")
            extremes.append(Extreme(call, names[number], numbering.column("balance"), came, went))
    absent = tuple(
        (c.call.column, names[c.call.column.number])
        for c in calls
        if c.kind is Kind.ABSENT and c.call.column.number in names
    )
    return Tally(tuple(_unselected(calls, names)), tuple(states), tuple(extremes), rows, certain, absent)


def _unselected(calls: Sequence[Classified], names: Mapping[int, str]) -> list[Classified]:
    """What is kept in the user's own column, and only stands inside an expression, has none: recompute it."""
    return [
        Classified(c.call, Kind.RECOMPUTED, c.argument, c.filter)
        if c.kind in (Kind.LEAST, Kind.GREATEST, Kind.ABSENT) and c.call.column.number not in names
        else c
        for c in calls
    ]


def _always_counts(call: Classified, certain: frozenset[int]) -> bool:
    """count(*) and count(x) of an x that is never NULL are the same number."""
    if call.filter is not None or call.kind not in (Kind.ROWS, Kind.COUNT):
        return False
    return call.argument is None or call.argument.column in certain


def _selected(
    calls: Sequence[Classified],
    argument: Scalar | None,
    condition: Scalar | None,
    names: Mapping[int, str],
    *,
    summed: bool,
) -> Classified | None:
    """The call whose value is this very state and which the user selects as it is."""
    kinds = (Kind.SUM,) if summed else (Kind.ROWS, Kind.COUNT)
    for call in calls:
        same = call.argument == argument and call.filter == condition
        if same and call.kind in kinds and call.call.column.number in names:
            return call
    return None


def _aggregate(function: str, argument: Scalar | None, condition: Scalar | None) -> Scalar:
    inner = "*" if argument is None else "a"
    parts = ({} if argument is None else {"a": argument}) | ({} if condition is None else {"f": condition})
    return expression(f"{function}({inner})" + ("" if condition is None else " FILTER (WHERE f)"), **parts)


def _hidden_name(states: Sequence[State], argument: Scalar | None, condition: Scalar | None, *, summed: bool) -> str:
    if argument is None and condition is None:
        return "__pgt_count"
    return f"__pgt_{'sum' if summed else 'count'}_{len(states)}"


def _some(value: Scalar | None) -> Scalar:
    if value is None:
        raise Ours("a state over a column has lost its argument")
    return value
