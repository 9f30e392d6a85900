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

In a circle that many rows lie on, each follows from each, and one step less may make all of them be derived again. So
the first walk ends where it has come to many rows, and then R is computed anew and compared with what is stored.
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
from trickle.ivm.program.linear import change_of_base, none_of
from trickle.ivm.program.parts import HUNDRED, Target
from trickle.ivm.program.quote import ident, literal
from trickle.ivm.program.rows import HASH, hash_of
from trickle.ivm.program.select import Renderer

MANY = 1_000
SHARE = 8
"""More rows than the first, and than the second part of the stored ones, are not derived again one by one: that costs
several times as much for a row as the query does."""


@dataclass(frozen=True, slots=True)
class Stored:
    """R as it was: what is stored, each row with its place."""

    rows: Scan
    """With the columns of R and those of the place."""
    places: tuple[Column, ...]
    target: Target


def derived_again(
    renderer: Renderer, closure: Closure, stored: Stored, root: Block, numbering: Numbering
) -> tuple[Rel, Rel]:
    """Write both walks, and return the change of the root, as it is read from them and as they find it."""
    lost = Given("lost", (*closure.again, *(numbering.like(column) for column in stored.places)))
    walks = _Walks(renderer, closure, stored, lost, root, numbering)
    started, stepped = change_of_base(closure.base, closure.again, numbering), walks.change_of_step()
    gone: list[Rel] = []
    came: list[Rel] = [walks.back_in_base()]
    led: list[Rel] = [walks.back_by_step()]
    if started is not None:
        gone.append(walks.not_in_base(walks.signed(started, "w < 0")))
        came.append(walks.signed(started, "w > 0"))
    if stepped is not None:
        gone.append(walks.signed(stepped, "w < 0"))
        led.append(walks.signed(stepped, "w > 0", stored.places))
    # Where a table changes that is read for a column which nobody shows, nothing follows.
    found = walks.add_lost(gone or [none_of(stored.rows, closure.again)]), walks.add_gained(came, led)
    items = tuple(Item(item.column, substitute(item.value, closure.as_again())) for item in root.items)
    weight = numbering.column("__pgt_w")
    plus, minus = (Item(weight, expression(sign)) for sign in ("1", "-1"))
    few, many = Given("few", ()), Given("many", ())
    now = Block((root,), (), (*(copy_of(item.column) for item in root.items), plus), many)
    then = Block((stored.rows,), (), (*items, minus), many)
    anew = _seldom(UnionAll((now, then), (*(item.column for item in items), weight)))

    def change(left: Rel, gained: Rel) -> Rel:
        came = _seldom(Block((gained,), (), (*items, plus)))
        return UnionAll((came, Block((left,), (), (*items, minus), few), anew), anew.columns)

    return change(lost, Given("gained", closure.again)), change(*found)


def _seldom(rel: Rel) -> Block:
    """The same signed rows, of which the planner believes that there are hardly any: it should not plan for many."""
    hashed = reference(rel.columns[-2])
    certain = tuple(expression(test, h=hashed) for test in ("(h # h) = 0", "(h & h) = h"))
    return Block((rel,), certain, tuple(copy_of(column) for column in rel.columns))


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

    def back_in_base(self) -> Rel:
        """B ∩ lost."""
        base = self.closure.base
        rows = restrict(base, *self._meeting(base, base.columns, self.lost), self.numbering)
        pairs = zip(self.closure.again, rows.columns, strict=True)
        return Block((rows,), (), tuple(Item(to, reference(c)) for to, c in pairs), self._any_lost())

    def back_by_step(self) -> Rel:
        """S(R) ∩ lost, each row with the place of the row it follows from, which has to be one of K."""
        columns = self._new_columns()
        step = prune_columns(self.closure.follow(self.stored.rows, columns, self.stored.places))
        rows = restrict(step, *self._meeting(step, columns, self.lost), self.numbering)
        pairs = zip(self.closure.again, columns, strict=True)
        items = (*(Item(to, reference(c)) for to, c in pairs), *(copy_of(c) for c in self.stored.places))
        return Block((rows,), (), items, self._any_lost())

    def add_lost(self, arms: Sequence[Rel]) -> Rel:
        """Write `lost`, which is what each row is found as where R is stored, and whether that is few rows or many."""
        found = ", ".join((*self._names("s"), self.stored.target.place_of("s")))
        stored = f"JOIN {self.stored.target.table} s ON {self._same()}"
        start = self.renderer.select(UnionAll(tuple(arms), self.closure.again), self._labels())
        walk = self._walk(self.lost, start, lambda rows: f"SELECT {found}\nFROM (\n{rows}\n) q {stored}")
        table = literal(self.stored.target.table)
        rows = f"SELECT greatest({MANY}, c.reltuples::bigint / {SHARE}) FROM pg_class c WHERE c.oid = {table}::regclass"
        self.renderer.add("most", "how many rows are derived again one by one", f"SELECT ({rows}) AS rows")
        law = "lost = ΔB⁻ ∪ ΔS⁻ ∪ S(lost), all in the old R"
        # A LIMIT whose number it does not know makes the planner believe that nothing is lost: then it would read a
        # table that has no index once for each row that is.
        self.renderer.add("lost", law, f"{walk}, {HUNDRED} LIMIT (SELECT m.rows + 1 FROM most m)")
        held = "SELECT FROM most m WHERE (SELECT count(*) FROM lost)"
        self.renderer.add("few", "has a row if no more are lost", f"{held} <= m.rows")
        self.renderer.add("many", "has a row if more are, and all is computed anew", f"{held} > m.rows")
        return Shared("lost", law, UnionAll((*arms, self._followed(self.lost)), self.closure.again))

    def add_gained(self, arms: Sequence[Rel], led: Sequence[Rel]) -> Rel:
        """Write `gained`: what came, and what was led to, if from a row of K."""
        again, places = self.closure.again, self.stored.places
        lost = f"NOT IN (SELECT {', '.join(ident('l', column.label) for column in self._lost_places())} FROM lost l)"
        here = ", ".join(ident("q", column.label) for column in places)
        there = ", ".join(ident("s", facts.name) for _, facts in self.stored.rows.attributes[len(again) :])
        found = ", ".join(ident("q", label) for label in self._labels())
        rows = self.renderer.select(UnionAll(tuple(led), (*again, *places)), [c.label for c in (*again, *places)])
        start = self.renderer.select(UnionAll(tuple(arms), again), self._labels())
        start = f"{start}\nUNION ALL\nSELECT {found} FROM (\n{indented(rows)}\n) q\nWHERE ({here}) {lost}"
        few = f"({self._hashed()} # {self._hashed()}) = 0"  # True, and the planner does not know it: see _seldom.
        start = f"SELECT {found} FROM (\n{indented(start)}\n) q\nWHERE EXISTS (SELECT FROM few) AND {few}"
        known = f"SELECT FROM {self.stored.target.table} s WHERE {self._same()} AND ({there}) {lost}"
        outside = f"NOT EXISTS ({known})"
        given = Given("gained", again)
        walk = self._walk(given, start, lambda rows: f"SELECT {found} FROM (\n{rows}\n) q\nWHERE {outside}")
        law = "gained = ΔB⁺ ∪ ΔS⁺ from K ∪ (B ∪ S(K)) ∩ lost ∪ S(gained), all outside K = R − lost"
        self.renderer.add("gained", law, walk)
        kept = (Block((rel,), (), tuple(copy_of(column) for column in again)) for rel in led)
        return Shared("gained", law, UnionAll((*arms, *kept, self._followed(given)), again))

    def _followed(self, rows: Given) -> Rel:
        return self.closure.follow(rows, self.closure.again)

    def _walk(self, given: Given, start: str, among: Callable[[str], str]) -> str:
        follow = self.renderer.select(self._followed(given), self._labels())
        columns = ", ".join(ident(column.label) for column in given.columns)
        body = f"{indented(among(indented(start)))}\n  UNION\n{indented(among(indented(follow)))}"
        return f"WITH RECURSIVE {given.name}({columns}) AS (\n{body}\n)\nSELECT {given.name}.* FROM {given.name}"

    def _same(self) -> str:
        """The condition under which stored row `s` is row `q`."""
        pairs = zip(self._names("s"), self._labels(), strict=True)
        same = (f"{s} IS NOT DISTINCT FROM {ident('q', q)}" for s, q in pairs)
        return " AND ".join((f"s.{HASH} = {self._hashed()}", *same))

    def _hashed(self) -> str:
        """The hash by which row `q` is stored."""
        labels = {column.number: column.label for column in self.closure.again}
        return render(substitute(self.root.items[-1].value, self.closure.as_again()), lambda n: ("q", labels[n]))

    def _names(self, alias: str) -> list[str]:
        count = len(self.closure.again)
        return [ident(alias, facts.name) for _, facts in self.stored.rows.attributes[:count]]

    def _labels(self) -> list[str]:
        return [column.label for column in self.closure.again]

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
