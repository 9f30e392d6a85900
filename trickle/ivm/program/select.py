"""Algebra → SELECT text: the only place that writes SQL for a relation.

A block becomes one flat SELECT, an aggregate over a block one SELECT … GROUP BY. `Change` and `Shared` become
CTEs, collected in the order they are first needed; each says in one comment line which law it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.keeping import Kept, KeptBefore, KeptChange, KeptFirst
from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.pairing import Mark, OuterJoin, Wanted
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.relations import (
    Aggregate,
    Block,
    Change,
    Copies,
    Given,
    Item,
    Rel,
    Scan,
    Shared,
    UnionAll,
)
from trickle.ivm.algebra.scalars import Scalar, clipped, reference, render, substitute
from trickle.ivm.algebra.windows import Window
from trickle.ivm.program.changes import change_body, copies
from trickle.ivm.program.layout import indented
from trickle.ivm.program.looks import shown_extreme, shown_key
from trickle.ivm.program.opaque import opaque_text
from trickle.ivm.program.quote import ident
from trickle.ivm.program.sorting import sort_keys
from trickle.ivm.program.source import Source
from trickle.ivm.program.state_names import (
    WEIGHT,
    state_before,
    state_change,
    state_come,
    state_left,
    state_now,
)


@dataclass(frozen=True, slots=True)
class Cte:
    """A common table expression of the program: its name, one line saying what it holds, and its body."""

    name: str
    comment: str
    body: str


OF_PROGRAMS = frozenset({"change_groups"})
"""Names of CTEs of the programs' own that the change of some table would have: of one called `groups`."""


class Renderer:
    """Renders relations of one statement, gathering the CTEs they share.

    What is kept in state tables is read from them in a program (`from_states`), and written out elsewhere.
    """

    def __init__(self, *, from_states: bool = False) -> None:
        self._from_states = from_states
        self.ctes: list[Cte] = []
        self._names: dict[int, str] = {}
        self._keep: list[Rel] = []

    def add(self, name: str, comment: str, body: str) -> str:
        """Append a CTE written by the program and return its quoted name."""
        self.ctes.append(Cte(name, comment, body))
        return ident(name)

    def select(self, rel: Rel, names: Sequence[str] | None = None) -> str:
        """Return SELECT text whose output columns are called `names` (their labels, when None)."""
        labels = list(names) if names is not None else [column.label for column in rel.columns]
        match rel:
            case Wanted(groups):
                return self.select(groups, labels)
            case UnionAll(branches):
                return "\nUNION ALL\n".join(self.select(branch, labels) for branch in branches)
            case Aggregate():
                return self._aggregate(rel, labels)
            case Window():
                return self._window(rel, labels)
            case Expand():
                return self._expand(rel, labels)
            case OuterJoin():
                return self._outer_join(rel, labels)
            case Copies(child, weight):
                outputs = [_aliased(ident("q", c.label), label) for c, label in zip(rel.columns, labels, strict=True)]
                source = f"(\n{indented(self.select(child))}\n) q, {copies(ident('q', weight.label))}"
                return f"SELECT {', '.join(outputs)}\nFROM {source}"
            case _:
                return self._block(as_block(rel), labels)

    def _block(self, block: Block, labels: Sequence[str]) -> str:
        source = self._source(block, set())
        targets = [
            _aliased(source.text(reference(item.column)), label)
            for item, label in zip(block.items, labels, strict=True)
        ]
        return source.finished(_assemble(targets, source.tables, source.conditions))

    def _source(self, rel: Rel, aliases: set[str]) -> Source:
        """What a relation reads, flat: with a mark above other rows, those rows and an expression for the mark."""
        block = as_block(rel)
        if len(block.inputs) == 1 and isinstance(block.inputs[0], Mark):
            source = self._marked(block.inputs[0], aliases)
        else:
            tables, columns = self._from(block, aliases)
            source = Source(tables, [], columns, {})
        if block.gate is not None:
            source.conditions.insert(0, f"EXISTS (\n{indented(self.select(block.gate))}\n)")
        source.conditions.extend(f"({source.text(predicate)})" for predicate in block.predicates)
        source.values.update({item.column.number: substitute(item.value, source.values) for item in block.items})
        return source

    def _marked(self, rel: Mark, aliases: set[str]) -> Source:
        """The rows of the left; the mark stands for EXISTS over the right. No alias occurs on both levels.

        The right may have marks too, and stand below two marks: each time they are written, they get other names.
        In WHERE that EXISTS stands by itself, so that PostgreSQL can join for it.
        """
        source, partners = self._source(rel.left, aliases), self._source(rel.right, aliases)
        both = Source([], [], source.columns | partners.columns, source.values | partners.values)
        meeting = [*partners.conditions, *(f"({both.text(predicate)})" for predicate in rel.predicates)]
        stands_for = f"{_unused(f'__pgt_{rel.mark.label}', aliases)}__"
        source.columns[rel.mark.number] = (stands_for,)
        source.stand_ins.update(partners.stand_ins)
        source.stand_ins[stands_for] = f"EXISTS (\n{indented(_assemble([], partners.tables, meeting))}\n)"
        return source

    def _aggregate(self, rel: Aggregate, labels: Sequence[str]) -> str:
        source = self._source(rel.child, set())
        types = dict(rel.loose)
        keys = [(k.value, shown_key, types.get(k.column.number)) for k in rel.keys]
        calls = [(c.value, shown_extreme, types.get(c.column.number)) for c in rel.calls]
        outputs = [show(value, type) if type is not None else value for value, show, type in (*keys, *calls)]
        targets = [_aliased(source.text(value), label) for value, label in zip(outputs, labels, strict=True)]
        groups = [str(i + 1) if type is None else f"({source.text(value)})" for i, (value, _, type) in enumerate(keys)]
        tail = f"\nGROUP BY {', '.join(groups)}" if rel.keys else ""
        if not (rel.keys or rel.calls):
            # One row still, though nobody reads what was counted.
            tail = "\nHAVING true"
        return source.finished(_assemble(targets, source.tables, source.conditions) + tail)

    def _window(self, rel: Window, labels: Sequence[str]) -> str:
        """The rows of the child with each function beside them; where order matters, sorted before they are read."""
        if rel.order is None:
            block = as_block(rel.child)
            values = {item.column.number: item.value for item in block.items}
            items = (*block.items, *(Item(c.column, substitute(c.value, values)) for c in rel.calls))
            return self._block(Block(block.inputs, block.predicates, items, block.gate), labels)
        columns = {column.number: ("q", column.label) for column in rel.child.columns}
        outputs = [reference(column) for column in rel.child.columns] + [call.value for call in rel.calls]
        targets = [
            _aliased(render(value, columns.__getitem__), label) for value, label in zip(outputs, labels, strict=True)
        ]
        image = f"ROW({', '.join(ident(c.label) for c in rel.child.columns)}) USING OPERATOR(pg_catalog.*<)"
        order = sort_keys(rel.order, lambda number: ident(columns[number][1]))
        rows = indented(self.select(rel.child))
        sorted_rows = f"SELECT *\nFROM (\n{rows}\n) q\nORDER BY {', '.join((*order, image))}"
        return f"SELECT {', '.join(targets)}\nFROM (\n{indented(sorted_rows)}\n) q"

    def _expand(self, rel: Expand, labels: Sequence[str]) -> str:
        """The rows of the child, each beside what its functions return."""
        aliases: set[str] = set()
        source = self._source(rel.child, aliases)
        calls = [source.text(f) for f in rel.functions]
        alias = _unused("f", aliases)
        rows = calls[0] if len(calls) == 1 else f"ROWS FROM ({', '.join(calls)})"
        rows = f"LATERAL {rows}" if rel.functions[0].node.WhichOneof("node") == "sub_link" else rows
        rows += " WITH ORDINALITY" if rel.ordinality else ""
        named = f"{rows} AS {ident(alias)}({', '.join(ident(column.label) for column in rel.outputs)})"
        given = [source.text(reference(column)) for column in rel.child.columns]
        found = [ident(alias, column.label) for column in rel.outputs]
        targets = [_aliased(value, label) for value, label in zip((*given, *found), labels, strict=True)]
        tables = [*source.tables, named]
        if rel.kept:
            lateral = "" if rows.startswith("LATERAL ") else "LATERAL "
            tables = [f"{', '.join(source.tables)} LEFT JOIN {lateral}{named} ON true"]
        return source.finished(_assemble(targets, tables, source.conditions))

    def _outer_join(self, rel: OuterJoin, labels: Sequence[str]) -> str:
        (left, right), columns = self._from(Block((rel.left, rel.right), (), ()), set())
        outputs = [
            _aliased(ident(*columns[column.number]), label) for column, label in zip(rel.columns, labels, strict=True)
        ]
        condition = " AND ".join(_condition(p, columns) for p in rel.predicates) or "true"
        kind = "FULL" if rel.full else "LEFT"
        return f"SELECT {', '.join(outputs)}\nFROM {left} {kind} JOIN {right} ON {condition}"

    def _from(self, block: Block, used: set[str]) -> tuple[list[str], dict[int, tuple[str, ...]]]:
        """Write the FROM list with aliases not yet `used`; say by which qualified name each input column is read."""
        tables: list[str] = []
        columns: dict[int, tuple[str, ...]] = {}
        for rel in block.inputs:
            base, text = self._item(rel)
            alias = _unused(base, used)
            only = "ONLY " if isinstance(rel, Scan) and rel.only else ""
            tables.append(f"{only}{text}" if alias == text else f"{only}{text} AS {ident(alias)}")
            if isinstance(rel, Scan):
                columns |= {column.number: (alias, facts.name) for column, facts in rel.attributes}
            elif isinstance(rel, KeptChange):
                columns |= _labelled(rel.kept, alias)
                columns[rel.weight.number] = (alias, WEIGHT)
            elif isinstance(rel, KeptBefore) or (isinstance(rel, Kept | KeptFirst) and self._from_states):
                columns |= _labelled(rel if isinstance(rel, Kept) else rel.kept, alias)
            else:
                columns |= {column.number: (alias, column.label) for column in rel.columns}
        return tables, columns

    def _item(self, rel: Rel) -> tuple[str, str]:
        match rel:
            case Scan(table):
                return table.name, ident(table.schema, table.name)
            case Change():
                name = self._change(rel)
                return name, ident(name)
            case Shared():
                name = self._shared(rel)
                return name, ident(name)
            case Given(name):
                return name, ident(name)
            case Opaque():
                ctes = [self._shared(i) if isinstance(i, Shared) else None for i in rel.inputs]
                return "q", f"(\n{indented(opaque_text(rel, ctes))}\n)"
            case Kept(number) if self._from_states:
                return (name := state_now(number)), ident(name)
            case KeptBefore(kept):
                return (name := state_before(kept.number)), ident(name)
            case KeptChange(kept):
                return (name := state_change(kept.number)), ident(name)
            case KeptFirst() if self._from_states:
                return "q", f"(\n{indented(self._first(rel))}\n)"
            case Kept(_, part) | KeptFirst(Kept(_, part)):
                return "q", f"(\n{indented(self.select(part))}\n)"
            case _:
                return "q", f"(\n{indented(self.select(rel))}\n)"

    def _first(self, rel: KeptFirst) -> str:
        """The first of the rows that the change leaves in a state table, and all that it brings."""
        names = {number: ident(*name) for number, name in _labelled(rel.kept, "t").items()}
        columns = ", ".join(names.values())
        order = ", ".join(sort_keys(rel.order, names.__getitem__))
        number = rel.kept.number
        stored = state_before(number) if rel.before else state_left(number)
        first = f"SELECT {columns} FROM {ident(stored)} t\nORDER BY {order} FETCH FIRST {rel.count} ROWS WITH TIES"
        return first if rel.before else f"({first})\nUNION ALL\nSELECT {columns} FROM {ident(state_come(number))} t"

    def _shared(self, rel: Shared) -> str:
        if id(rel) not in self._names:
            body = self.select(rel.child)
            name = self._register(rel, rel.name)
            self.ctes.append(Cte(name, rel.law, body))
        return self._names[id(rel)]

    def _change(self, rel: Change) -> str:
        if id(rel) not in self._names:
            name = self._register(rel, clipped(f"change_{rel.scan.table.name}", ""))
            comment = f"Δ{rel.scan.table.name}: what this statement sees and the frontier did not"
            self.ctes.append(Cte(name, comment, change_body(rel)))
        return self._names[id(rel)]

    def _register(self, rel: Rel, wanted: str) -> str:
        name = _unused(wanted, {*self._names.values(), *OF_PROGRAMS})
        self._names[id(rel)] = name
        self._keep.append(rel)
        return name


def _labelled(kept: Kept, alias: str) -> dict[int, tuple[str, ...]]:
    """By which qualified names the columns of a state table are read."""
    return {column.number: (alias, label) for column, label in zip(kept.columns, kept.labels, strict=True)}


def _condition(predicate: Scalar, columns: Mapping[int, tuple[str, ...]]) -> str:
    return f"({render(predicate, columns.__getitem__)})"


def _assemble(targets: Sequence[str], tables: Sequence[str], conditions: Sequence[str]) -> str:
    text = f"SELECT {', '.join(targets)}"
    if tables:
        text += f"\nFROM {', '.join(tables)}"
    return f"{text}\nWHERE {' AND '.join(conditions)}" if conditions else text


def _aliased(expression: str, label: str) -> str:
    return f"{expression} AS {ident(label)}"


def _unused(base: str, used: set[str]) -> str:
    name, i = base, 2
    while name in used:
        name, i = clipped(base, f"_{i}"), i + 1
    used.add(name)
    return name
