"""A state table brought up to date inside the one statement, and read there as it was and as it is.

net       what its own strategy says: rows to insert, update, delete            (a nested WITH)
write     three data-modifying CTEs, whose counts the frontier compares with what `net` asked for
read      before = the table, which shows a statement nothing of what that statement writes
          now    = before, without the rows that are touched, and with those that come
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trickle.ivm.program.layout import commented, indented
from trickle.ivm.program.parts import OPERATION, TUPLE, UNFOLDABLE, Apply, State
from trickle.ivm.program.quote import ident
from trickle.ivm.program.state_names import (
    WEIGHT,
    state_before,
    state_change,
    state_come,
    state_left,
    state_net,
    state_now,
    state_touched,
)

MISSING = "__pgt_missing"


@dataclass(frozen=True, slots=True)
class Cte:
    """One CTE. One that only `reads` is left out where nobody reads it, and planned where it is read."""

    name: str
    comment: str
    body: str
    reads: bool = False


def state_ctes(state: State, apply: Apply | None, guard: str) -> list[Cte]:
    """The CTEs of one state table; `guard`, if there is one, is a condition without which nothing is written."""
    if apply is None:
        return _unchanged(state)
    return [*_net(state, apply), *_writes(state, apply, guard), *_reads(state)]


def _unchanged(state: State) -> list[Cte]:
    stored = f"SELECT {_columns(state, 't')} FROM {state.table} t"
    law = f"state {state.number}: nothing it is made of has changed"
    return [
        Cte(state_before(state.number), law, stored, reads=True),
        Cte(state_left(state.number), law, stored, reads=True),
        Cte(state_come(state.number), law, f"{stored} WHERE false", reads=True),
        Cte(state_now(state.number), law, stored, reads=True),
    ]


def _net(state: State, apply: Apply) -> list[Cte]:
    inner = ",\n".join(
        f"{commented(comment)}\n{ident(name)} AS (\n{indented(body)}\n)" for name, comment, body in apply.ctes
    )
    deleted = f"(SELECT count(*) FROM net WHERE {OPERATION} = 'd')"
    missing = f"{apply.expected_deletions} - {deleted}" if apply.expected_deletions else "0"
    net = state_net(state.number)
    rows = f"SELECT n.*, m.{MISSING} FROM (SELECT {missing} AS {MISSING}) m LEFT JOIN net n ON true"
    touched = (
        f"SELECT t.ctid AS {TUPLE}, {_columns(state, 't')}\n"
        f"FROM {state.table} t JOIN {ident(net)} n ON {apply.match}\nWHERE n.{OPERATION} IN ('u', 'd')"
    )
    return [
        Cte(net, f"state {state.number}: what has to be written", f"WITH\n{inner}\n{rows}"),
        Cte(state_touched(state.number), "the stored rows that this touches", touched),
    ]


def _writes(state: State, apply: Apply, guard: str) -> list[Cte]:
    net, columns = ident(state_net(state.number)), [ident(c) for c in state.storage.columns]
    only = f" AND {guard}" if guard else ""
    writes = [
        Cte(
            _deleted(state),
            "",
            f"DELETE FROM {state.table} t USING {net} n\nWHERE {apply.match} AND n.{OPERATION} = 'd'{only} RETURNING 1",
        ),
        Cte(
            _inserted(state),
            "",
            f"INSERT INTO {state.table} ({', '.join(columns)})\n"
            f"SELECT {', '.join(f'n.{c}' for c in columns)} FROM {net} n WHERE n.{OPERATION} = 'i'{only} RETURNING 1",
        ),
    ]
    if apply.updated:
        settings = ", ".join(f"{ident(c)} = n.{ident(c)}" for c in apply.updated)
        found = f"FROM {net} n WHERE {apply.match} AND n.{OPERATION} = 'u'{only} RETURNING 1"
        writes.append(Cte(_updated(state), "", f"UPDATE {state.table} t SET {settings}\n{found}"))
    return writes


def _reads(state: State) -> list[Cte]:
    number = state.number
    touched, stored = ident(state_touched(number)), _columns(state, "t")
    labels = [ident(c) for c in state.columns]
    left = f"SELECT {stored} FROM {state.table} t\nWHERE t.ctid NOT IN (SELECT x.{TUPLE} FROM {touched} x)"
    come = f"SELECT {_columns(state, 'n')} FROM {ident(state_net(number))} n WHERE n.{OPERATION} IN ('i', 'u')"
    change = (
        f"SELECT {', '.join([*labels, f'-1 AS {WEIGHT}'])} FROM {touched}\nUNION ALL\n"
        f"SELECT {', '.join([*labels, '1'])} FROM {ident(state_come(number))}"
    )
    now = f"SELECT * FROM {ident(state_left(number))}\nUNION ALL\nSELECT * FROM {ident(state_come(number))}"
    return [
        Cte(state_before(number), f"state {number} as it was", f"SELECT {stored} FROM {state.table} t", reads=True),
        Cte(state_left(number), "what stays as it was", left, reads=True),
        Cte(state_come(number), "what is new", come, reads=True),
        Cte(state_now(number), f"state {number} as it is now", now, reads=True),
        Cte(state_change(number), f"Δ of state {number}", change, reads=True),
    ]


def faults(states: Sequence[tuple[State, Apply | None]]) -> str:
    """How many rows were written otherwise than asked for, all state tables together."""
    return " + ".join(_faults(state, apply) for state, apply in states if apply is not None)


def _faults(state: State, apply: Apply) -> str:
    def asked(operation: str) -> str:
        return f"count(*) FILTER (WHERE n.{OPERATION} = '{operation}')"

    def written(name: str) -> str:
        return f"(SELECT count(*) FROM {ident(name)})"

    update = f"abs({written(_updated(state))} - {asked('u')})" if apply.updated else asked("u")
    terms = (
        f"abs({written(_deleted(state))} - {asked('d')})",
        f"abs({written(_inserted(state))} - {asked('i')})",
        update,
        asked("x"),
        f"max(abs(n.{MISSING}))",
    )
    return f"(SELECT {' + '.join(terms)} FROM {ident(state_net(state.number))} n)"


def unfoldable(states: Sequence[tuple[State, Apply | None]]) -> str:
    """Summands that count what the state tables cannot have by adding."""
    return "".join(
        f" + (SELECT count(*) FROM {ident(state_net(state.number))} n WHERE n.{OPERATION} = '{UNFOLDABLE}')"
        for state, apply in states
        if apply is not None
    )


def _columns(state: State, alias: str) -> str:
    pairs = zip(state.storage.outputs, state.columns, strict=True)
    return ", ".join(f"{alias}.{ident(name)} AS {ident(label)}" for name, label in pairs)


def _deleted(state: State) -> str:
    return f"state_{state.number}_deleted"


def _inserted(state: State) -> str:
    return f"state_{state.number}_inserted"


def _updated(state: State) -> str:
    return f"state_{state.number}_updated"
