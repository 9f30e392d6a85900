"""A linear recursion under UNION: what may have lost its last derivation goes, and what still has one comes back.

    R = B ∪ S(R)                       sets; ΔS: what the old R brings about in one step, by the change of S alone

    lost   = ΔB⁻ ∪ ΔS⁻ ∪ S(lost), all in the old R          what followed from something that is gone, if only in part
    K      = R − lost                                       what stays
    gained = ΔB⁺ ∪ ΔS⁺ from K                               what is new,
             ∪ (B ∪ S(K)) ∩ lost                            what of the lost still follows from what stays,
             ∪ S(gained), all outside K                     and what follows from these
    ΔR     = gained − lost

B and S are as they are now. ΔS counts the ways from one row to another: it takes a row away where there are fewer.
A row of K starts in B, or follows from some row by as many ways as before; that one is in K too, since S(lost) is lost.
So all of K stands, and no circle that nothing leads to any more is part of it: going back along the old ways ends in B.
What the new R has besides follows from something new, or from K by a way that was there before: then it was lost.
Both walks stay inside the rows of the old or of the new R, so they end where the query ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.pairing import Mark
from trickle.ivm.algebra.passes import prune_columns
from trickle.ivm.algebra.properties import not_null_columns
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Given, Item, Rel, Scan, Shared, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Column, expression, reference, render, substitute
from trickle.ivm.delta import Delta, derive
from trickle.ivm.delta.restrict import Restriction, restrict
from trickle.ivm.program.closure import Closure
from trickle.ivm.program.layout import indented
from trickle.ivm.program.linear import change_of_base
from trickle.ivm.program.parts import Target
from trickle.ivm.program.quote import ident
from trickle.ivm.program.rows import HASH, hash_of
from trickle.ivm.program.select import Renderer


@dataclass(frozen=True, slots=True)
class Stored:
    """R as it was: what is stored, each row with its place."""

    rows: Scan
    """With the columns of R and those of the place."""
    places: tuple[Column, ...]
    target: Target


def derived_again(renderer: Renderer, closure: Closure, stored: Stored, root: Block, numbering: Numbering) -> Rel:
    """Write both walks, and return the change of the root."""
    lost = Given("lost", (*closure.again, *(numbering.like(column) for column in stored.places)))
    walks = _Walks(renderer, closure, stored, lost, root, numbering)
    started, stepped = change_of_base(closure.base, closure.again, numbering), walks.change_of_step()
    gone: list[Rel] = []
    came: list[Rel] = []
    if started is not None:
        gone.append(walks.not_in_base(walks.signed(started, "w < 0")))
        came.append(walks.signed(started, "w > 0"))
    if stepped is not None:
        gone.append(walks.signed(stepped, "w < 0"))
        came.append(walks.from_kept(walks.signed(stepped, "w > 0", stored.places)))
    walks.add_lost(gone)
    walks.add_gained([*came, walks.back_in_base(), walks.back_by_step()])
    values = closure.as_again()
    items = tuple(Item(item.column, substitute(item.value, values)) for item in root.items)
    weight = numbering.column("__pgt_w")
    arms = tuple(
        Block((Given(name, closure.again),), (), (*items, Item(weight, expression(sign))))
        for name, sign in (("gained", "1"), ("lost", "-1"))
    )
    return UnionAll(arms, (*(item.column for item in items), weight))


@dataclass(frozen=True, slots=True)
class _Walks:
    """The terms of both walks, and their text."""

    renderer: Renderer
    closure: Closure
    stored: Stored
    lost: Given
    """With the columns of R, and those of the place under names of their own."""
    root: Block
    numbering: Numbering

    def change_of_step(self) -> Delta | None:
        """ΔS: in how many more ways a row follows from another one of the old R, which is told by its place."""
        step = prune_columns(self.closure.follow(self.stored.rows, self._new_columns(), self.stored.places))
        change = derive(step, self.numbering)
        if change is None:
            return None
        weight = self.numbering.column("__pgt_w")
        total = Call(weight, expression("sum(w)::int", w=reference(change.weight)))
        added = Aggregate(change.rel, tuple(copy_of(column) for column in step.columns), (total,))
        some = expression("w <> 0", w=reference(weight))
        net = Block((added,), (some,), tuple(copy_of(column) for column in added.columns))
        return Delta(Shared("change_step", "ΔS, from which stored row and in how many ways", net), weight)

    def signed(self, change: Delta, test: str, besides: Sequence[Column] = ()) -> Block:
        """The rows of a change that came or went, with the columns of R and `besides`."""
        again = self.closure.again
        items = (Item(to, reference(column)) for to, column in zip(again, change.rel.columns, strict=False))
        chosen = expression(test, w=reference(change.weight))
        return Block((change.rel,), (chosen,), (*items, *(copy_of(column) for column in besides)))

    def not_in_base(self, rows: Block) -> Rel:
        """The rows that B does not have (any more: of several alike, one may have gone)."""
        base = self.closure.base
        still = restrict(base, *self._meeting(base, base.columns, rows), self.numbering)
        pairs = list(zip(self.closure.again, base.columns, strict=True))
        hashes = [hash_of([reference(pair[side]) for pair in pairs]) for side in (0, 1)]
        same = [expression("a IS NOT DISTINCT FROM b", a=reference(a), b=reference(b)) for a, b in pairs]
        meeting = (expression("a = b", a=hashes[0], b=hashes[1]), *same)
        mark = self.numbering.column("still")
        missing = expression("NOT m", m=reference(mark))
        return Block((Mark(rows, still, meeting, mark),), (missing,), tuple(copy_of(c) for c in self.closure.again))

    def from_kept(self, rows: Block, gate: Rel | None = None) -> Rel:
        """Those of some rows, each with the place of the row it follows from, that follow from a row of K."""
        pairs = zip(self.stored.places, self._lost_places(), strict=True)
        there = tuple(expression("a = b", a=reference(a), b=reference(b)) for a, b in pairs)
        mark = self.numbering.column("lost")
        kept = expression("NOT m", m=reference(mark))
        return Block(
            (Mark(rows, self.lost, there, mark),), (kept,), tuple(copy_of(c) for c in self.closure.again), gate
        )

    def back_in_base(self) -> Rel:
        """B ∩ lost."""
        base = self.closure.base
        rows = restrict(base, *self._meeting(base, base.columns, self.lost), self.numbering)
        pairs = zip(self.closure.again, rows.columns, strict=True)
        return Block((rows,), (), tuple(Item(to, reference(c)) for to, c in pairs), self._any_lost())

    def back_by_step(self) -> Rel:
        """S(K) ∩ lost."""
        columns = self._new_columns()
        step = prune_columns(self.closure.follow(self.stored.rows, columns, self.stored.places))
        rows = restrict(step, *self._meeting(step, columns, self.lost), self.numbering)
        pairs = zip(self.closure.again, columns, strict=True)
        items = (*(Item(to, reference(c)) for to, c in pairs), *(copy_of(c) for c in self.stored.places))
        return self.from_kept(Block((rows,), (), items), self._any_lost())

    def add_lost(self, arms: Sequence[Rel]) -> None:
        """Write `lost`: what each row is found as where R is stored."""
        found = ", ".join((*self._names("s"), self.stored.target.place_of("s")))
        stored = f"JOIN {self.stored.target.table} s ON {self._same()}"
        law = "lost = ΔB⁻ ∪ ΔS⁻ ∪ S(lost), all in the old R"
        self._add("lost", law, self.lost, arms, lambda rows: f"SELECT {found}\nFROM (\n{rows}\n) q {stored}")

    def add_gained(self, arms: Sequence[Rel]) -> None:
        """Write `gained`."""
        count = len(self.closure.again)
        places = ", ".join(ident("s", facts.name) for _, facts in self.stored.rows.attributes[count:])
        lost = ", ".join(ident("l", column.label) for column in self._lost_places())
        kept = f"s WHERE {self._same()} AND ({places}) NOT IN (SELECT {lost} FROM lost l)"
        outside = f"NOT EXISTS (SELECT FROM {self.stored.target.table} {kept})"
        found = ", ".join(self._labels("q"))
        law = "gained = ΔB⁺ ∪ ΔS⁺ from K ∪ (B ∪ S(K)) ∩ lost ∪ S(gained), all outside K = R − lost"
        given = Given("gained", self.closure.again)
        self._add("gained", law, given, arms, lambda rows: f"SELECT {found} FROM (\n{rows}\n) q\nWHERE {outside}")

    def _add(self, name: str, law: str, given: Given, arms: Sequence[Rel], among: Callable[[str], str]) -> None:
        again = self.closure.again
        labels = [column.label for column in again]
        start = among(indented(self.renderer.select(UnionAll(tuple(arms), again), labels)))
        follow = among(indented(self.renderer.select(self.closure.follow(given, again), labels)))
        columns = ", ".join(ident(column.label) for column in given.columns)
        body = f"{indented(start)}\n  UNION\n{indented(follow)}"
        self.renderer.add(name, law, f"WITH RECURSIVE {name}({columns}) AS (\n{body}\n)\nSELECT * FROM {name}")

    def _same(self) -> str:
        """The condition under which stored row `s` is row `q`."""
        labels = {column.number: column.label for column in self.closure.again}
        hashed = substitute(self.root.items[-1].value, self.closure.as_again())
        pairs = zip(self._names("s"), self._labels("q"), strict=True)
        same = (f"{s} IS NOT DISTINCT FROM {q}" for s, q in pairs)
        return " AND ".join((f"s.{HASH} = {render(hashed, lambda n: ('q', labels[n]))}", *same))

    def _names(self, alias: str) -> list[str]:
        count = len(self.closure.again)
        return [ident(alias, facts.name) for _, facts in self.stored.rows.attributes[:count]]

    def _labels(self, alias: str) -> list[str]:
        return [ident(alias, column.label) for column in self.closure.again]

    def _lost_places(self) -> tuple[Column, ...]:
        return self.lost.given[len(self.closure.again) :]

    def _any_lost(self) -> Rel:
        return Block((self.lost,), (), ())

    def _new_columns(self) -> tuple[Column, ...]:
        return tuple(self.numbering.like(column) for column in self.closure.again)

    def _renamed(self, rel: Rel) -> Block:
        return Block((rel,), (), tuple(Item(self.numbering.like(c), reference(c)) for c in rel.columns))

    def _meeting(self, rel: Rel, columns: Sequence[Column], rows: Rel) -> tuple[list[Restriction], Rel]:
        """How `columns` of a relation meet the columns of R among `rows`."""
        among, certain = self._renamed(rows), not_null_columns(rel)
        pairs = zip(columns, among.columns, strict=False)
        return [Restriction(reference(c), wanted, c.number not in certain) for c, wanted in pairs], among
