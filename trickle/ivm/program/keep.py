"""State tables: which parts of a query get one, how each is kept, and how the first rows of one are found.

A part that is kept is a small query of its own: its rows are found again, folded or recomputed by the same strategies
as those of a stream table. Values that it hands on must be the very ones that the query would compute: where equal
values may look different, and the one that is kept need not be the one that the query would show, nothing is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from trickle.errors import MissingFacts
from trickle.ivm.algebra.alike import shape
from trickle.ivm.algebra.keeping import Kept
from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.opaque import Opaque
from trickle.ivm.algebra.passes import prune_columns
from trickle.ivm.algebra.passes.fuse_blocks import as_block
from trickle.ivm.algebra.passes.keep_states import bare, keep_branches, keep_states
from trickle.ivm.algebra.properties import origins
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Copies, Rel, copy_of
from trickle.ivm.algebra.scalars import expression
from trickle.ivm.algebra.walk import source_of
from trickle.ivm.delta import derive
from trickle.ivm.facts import ColumnFacts
from trickle.ivm.program.calls import Kind, classify, exact
from trickle.ivm.program.distinct_values import distinct_values_kept
from trickle.ivm.program.first_rows import index_of, stored_names, with_first_rows
from trickle.ivm.program.parts import PROGRAMS, Apply, Root, State, Target
from trickle.ivm.program.select import Renderer
from trickle.ivm.program.sums import sums_kept
from trickle.ivm.program.walk import walkable_recursion

ADDED_UP = frozenset({Kind.ROWS, Kind.COUNT, Kind.SUM, Kind.AVERAGE})
_FOLDED = ADDED_UP | {Kind.LEAST, Kind.GREATEST, Kind.ABSENT}
_MOST_DIGITS = 1000
"""What a numeric type can declare."""
Choose = Callable[[Root, Target, Numbering], Apply]
StateApply = tuple[State, Apply | None]


@dataclass(slots=True)
class Keeper:
    """Collects the state tables of one program."""

    root: Root
    target: Target
    numbering: Numbering
    kept: list[Kept] = field(default_factory=list)

    def divided(self) -> Block:
        """The root over its state tables; as it is when it needs none."""
        block = as_block(prune_columns(self.root.block))
        if isinstance(source_of(block), Opaque) and not self._selects_of_recursion(block):
            return self.root.block
        divided = as_block(keep_states(block, self.keep, self.foldable))
        if self.kept:
            return with_first_rows(divided)
        # Writers that keep an IMMEDIATE table side by side meet in no state table.
        if self.target.immediate:
            return self.root.block
        top, facts = as_block(block), self.root.facts
        kept = sums_kept(top, self.keep_sums, self.numbering, facts)
        kept = kept or distinct_values_kept(top, self.keep_groups, self.numbering, facts)
        if kept:
            return kept
        divided = as_block(keep_branches(block, self.keep, self.folds))
        return divided if self.kept else self.root.block

    def _selects_of_recursion(self, block: Block) -> bool:
        """Does it show some rows of a recursion that is walked? Its walks need all of them."""
        found = source_of(block)
        if not block.predicates or not isinstance(found, Opaque) or found.recursion is None:
            return False
        facts = self._described(found)
        return bool(facts) and walkable_recursion(self._root(found, facts)) is not None

    def keep(self, rel: Rel) -> Rel:
        """Put a relation into a state table, where its values are certain to be those of the query."""
        facts = self._described(rel)
        if facts and self._repeats(rel, facts):
            return self._kept_once(rel)
        return self._kept(rel, facts) if facts and self._certain(rel, facts) else rel

    def _kept_once(self, rel: Rel) -> Rel:
        """R = n · γ_{all columns; n = count(*)}(R): each row once, beside the number of times that it stands."""
        often = self.numbering.column("copies")
        counted = Aggregate(rel, tuple(copy_of(c) for c in rel.columns), (Call(often, expression("count(*)")),))
        return Copies(self._kept(counted, self._described(counted)), often)

    def _repeats(self, rel: Rel, facts: tuple[ColumnFacts, ...]) -> bool:
        """Is it a recursion under UNION ALL that is computed anew? Over joins it brings many copies of few rows."""
        found = source_of(rel)
        recursion = found.recursion if isinstance(found, Opaque) else None
        if recursion is None or recursion.distinct or not all(c.comparable and c.equal_is_identical for c in facts):
            return False
        return walkable_recursion(self._root(rel, facts)) is None

    def keep_sums(self, sums: Aggregate, scales: Mapping[int, int]) -> Rel | None:
        """Put sums into a state table; all values of one show as many digits as its scale says."""
        facts = self._described(sums)
        if not facts:
            return None
        known = [
            replace(described, type=f"numeric({_MOST_DIGITS},{scales[column.number]})", equal_is_identical=True)
            if column.number in scales and described.base_type == "numeric"
            else described
            for column, described in zip(sums.columns, facts, strict=True)
        ]
        return self._kept(sums, tuple(known))

    def keep_groups(self, groups: Aggregate, scales: Mapping[int, int]) -> Rel | None:
        """The same, where each key that a group shows is certain to be the one that the query would show."""
        facts = self._described(groups)
        return self.keep_sums(groups, scales) if facts and self._certain(groups, facts) else None

    def _kept(self, rel: Rel, facts: tuple[ColumnFacts, ...]) -> Kept:
        known = shape(rel)
        for kept in self.kept:
            if kept.facts == facts and shape(kept.rel) == known:
                return replace(kept, rel=rel)
        made = Kept(len(self.kept) + 1, rel, facts, tuple(column.label for column in rel.columns))
        self.kept.append(made)
        return made

    def _described(self, rel: Rel) -> tuple[ColumnFacts, ...]:
        """What the server says of its columns; nothing where no table can hold its rows, or where it never changes."""
        if not rel.columns or derive(rel, self.numbering) is None:
            return ()
        question = Renderer().select(rel, stored_names(rel))
        if question not in self.root.facts.described:
            raise MissingFacts(queries=[question])
        return self.root.facts.described[question]

    def foldable(self, total: Aggregate) -> bool:
        """Can all its values be had by adding?"""
        kinds = {classify(call, total.child, self.root.facts).kind for call in total.calls}
        return kinds <= ADDED_UP

    def folds(self, groups: Aggregate) -> bool:
        """Is a group brought up to date by what has changed, as long as its extremes survive?"""
        if groups.loose or not groups.calls:
            return False
        calls = [classify(call, groups.child, self.root.facts) for call in groups.calls]
        items = as_block(groups).items
        return {call.kind for call in exact(calls, items, origins(groups.child), inner=True)} <= _FOLDED

    def _certain(self, rel: Rel, facts: tuple[ColumnFacts, ...]) -> bool:
        """Groups show one of several equal keys or extremes: they must all look the same."""
        top = bare(rel)
        if not isinstance(top, Aggregate):
            return True
        kinds = {call.column.number: classify(call, top.child, self.root.facts).kind for call in top.calls}
        computed = {number for number, kind in kinds.items() if kind not in (Kind.LEAST, Kind.GREATEST)}
        items = as_block(rel).items
        return all(
            described.equal_is_identical or item.value.columns <= computed
            for item, described in zip(items, facts, strict=True)
        )

    def states(self, outer: Block, choose: Choose) -> tuple[StateApply, ...]:
        """The state tables, and how each is brought up to date."""
        made: list[StateApply] = []
        for kept in self.kept:
            root, target = self._part(kept)
            apply = choose(root, target, self.numbering)
            made.append((State(kept.number, target.table, apply.storage, kept.labels, index_of(outer, kept)), apply))
        return tuple(made)

    def while_still(self, states: Sequence[State], choose: Choose, numbering: Numbering) -> Sequence[StateApply]:
        """The same for when some tables stand still, as `numbering` assumes."""
        made: list[StateApply] = []
        for state, kept in zip(states, self.kept, strict=True):
            changes = derive(kept.rel, numbering) is not None
            made.append((state, choose(*self._part(kept), numbering) if changes else None))
        return made

    def _part(self, kept: Kept) -> tuple[Root, Target]:
        target = Target(self.target.pgt_id, PROGRAMS, f"state_{self.target.pgt_id}_{kept.number}")
        return self._root(kept.rel, kept.facts), target

    def _root(self, rel: Rel, facts: tuple[ColumnFacts, ...]) -> Root:
        return Root(replace(self.root.facts, output=facts), as_block(rel), stored_names(rel), inner=True)
