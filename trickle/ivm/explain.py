"""Print algebra the way golden files and `explain` show it: one operator a line, inputs indented below."""

from __future__ import annotations

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.keeping import Kept, KeptBefore, KeptChange, KeptFirst
from trickle.ivm.algebra.pairing import Mark, OuterJoin, Wanted
from trickle.ivm.algebra.relations import Aggregate, Block, Change, Copies, Given, Rel, Scan, Shared, UnionAll
from trickle.ivm.algebra.scalars import Scalar, render
from trickle.ivm.algebra.walk import children
from trickle.ivm.algebra.windows import Window


def print_rel(rel: Rel) -> str:
    """Print a relation as an indented tree; what is shared is printed once."""
    lines: list[str] = []
    printed: set[int] = set()
    _print(rel, 0, lines, printed)
    return "\n".join(lines)


def _print(rel: Rel, depth: int, lines: list[str], printed: set[int]) -> None:
    again = isinstance(rel, Shared) and id(rel) in printed
    lines.append("  " * depth + _line(rel) + (" (above)" if again else ""))
    if again:
        return
    printed.add(id(rel))
    for child in children(rel):
        _print(child, depth + 1, lines, printed)


def _line(rel: Rel) -> str:
    names = {c.number: c.label for child in children(rel) for c in child.columns}

    def text(value: Scalar) -> str:
        return render(value, lambda number: (names.get(number, f"#{number}"),))

    match rel:
        case Scan(table):
            return f"Scan {table.schema}.{table.name} ({', '.join(c.label for c in rel.columns)})"
        case Change(scan):
            return f"Change {scan.table.schema}.{scan.table.name} ({', '.join(c.label for c in rel.columns)})"
        case Block(_, predicates, items):
            where = f" where {' and '.join(text(p) for p in predicates)}" if predicates else ""
            return f"Block {', '.join(f'{text(i.value)} → {i.column.label}' for i in items)}{where}"
        case UnionAll():
            return f"UnionAll → {', '.join(c.label for c in rel.columns)}"
        case Aggregate(_, keys, calls):
            by = ", ".join(f"{text(k.value)} → {k.column.label}" for k in keys)
            values = ", ".join(f"{text(c.value)} → {c.column.label}" for c in calls)
            return f"Aggregate by ({by}){' ' + values if values else ''}"
        case Window(_, _, calls):
            return f"Window {', '.join(f'{text(c.value)} → {c.column.label}' for c in calls)}"
        case Expand(_, functions):
            return f"Expand by {', '.join(text(f) for f in functions)}"
        case Shared(name, law):
            return f"Shared {name}: {law}"
        case Mark(_, _, predicates, mark):
            return f"Mark {mark.label} where {' and '.join(text(p) for p in predicates) or 'any'}"
        case OuterJoin(_, _, predicates, full):
            return f"{'Full' if full else 'Left'} join on {' and '.join(text(p) for p in predicates) or 'true'}"
        case Kept(number):
            return f"State {number}: the rows below, kept in a table"
        case KeptBefore(kept):
            return f"State {kept.number}, as it was"
        case KeptChange(kept):
            return f"Change of state {kept.number}"
        case KeptFirst(kept, _, count):
            return f"State {kept.number}, its first {count} rows and their peers"
        case Wanted():
            return "Wanted groups"
        case Given(name):
            return f"Given {name}"
        case Copies(_, weight):
            return f"Copies, {weight.label} of each row"
        case _:
            return type(rel).__name__
