"""Walking the inputs of a join one after another: in which order, with which predicates, passing on which columns."""

from __future__ import annotations

from collections.abc import Sequence

from trickle.ivm.algebra.relations import Block, Item, Rel, Scan, Shared, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Scalar, columns_of, equated_columns
from trickle.ivm.delta.derivative import Delta, shared
from trickle.ivm.delta.restrict import grouped


def predicates_between(rel: Block, applied: Sequence[Rel], fresh: Sequence[Rel]) -> tuple[Scalar, ...]:
    """Predicates that can be decided over `applied` and `fresh` but could not be over `applied` alone.

    A predicate over no column at all is decided in every term that starts a row.
    """
    old, all_of_them = numbers(applied), numbers((*applied, *fresh))
    return tuple(p for p in rel.predicates if p.columns <= all_of_them and not (applied and p.columns <= old))


def passed_on(rel: Block, inputs: Sequence[Rel]) -> tuple[Item, ...]:
    """Columns of the join so far that a later predicate or an output still reads."""
    here = numbers(inputs)
    later = [p for p in rel.predicates if not p.columns <= here]
    read = columns_of((*later, *(item.value for item in rel.items)))
    return tuple(copy_of(column) for i in inputs for column in i.columns if column.number in read)


def named(change: Delta | None, position: int) -> Delta | None:
    """A change that is more than a captured one is computed once."""
    if change is None or not isinstance(change.rel, (Block, UnionAll)):
        return change
    return shared(change, f"change_input_{position + 1}", "the change of one input of a join")


def join_order(rel: Block, first: int = 0) -> list[int]:
    """Order the inputs so that each one is tied to an earlier one by a predicate, where any such order exists.

    An equality ties best: it is looked up. Tables come before the arms of smaller ones, of which PostgreSQL expects
    that much changes, and those before groups, which are looked up by what is known. Otherwise the order is that of
    the query. It may seem better to meet the smallest tables first; but PostgreSQL expects a change of one nation to
    reach a twenty-fifth of everything, and would read whole tables for whatever is joined after that term.
    """
    remaining = [i for i in range(len(rel.inputs)) if i != first]
    order = [first]
    while remaining:
        known = numbers([rel.inputs[i] for i in order])
        tied = [i for i in remaining if _tied(rel, known, numbers([rel.inputs[i]]), equal=True)]
        tied = tied or [i for i in remaining if _tied(rel, known, numbers([rel.inputs[i]]), equal=False)] or remaining
        chosen = min(tied, key=lambda i: _rank(rel, rel.inputs[i]))
        remaining.remove(chosen)
        order.append(chosen)
    return order


def _rank(rel: Block, found: Rel) -> int:
    """Where there are arms: tables, arms, and what is computed of several rows."""
    if not any(isinstance(i, Block) for i in rel.inputs) or isinstance(found, Scan):
        return 0
    return 1 if isinstance(found, Block) else 2


def split(rel: Rel, change: Delta, before: Sequence[Rel]) -> tuple[Delta, ...]:
    """The change of an arm, by what has changed: Δ(S ⋈ N) = ΔS ⋈ N ⊎ S ⋈ ΔN ⊎ …, each of them met by itself.

    A change of N would bring many rows of S, of which PostgreSQL cannot know that they hardly ever come.
    """
    union = change.rel.child if isinstance(change.rel, Shared) else change.rel
    if not isinstance(rel, Block) or not isinstance(union, UnionAll) or any(grouped(b) for b in before):
        return (change,)
    if any(branch.columns != union.columns for branch in union.branches):
        return (change,)
    law = "one term of the change of an arm"
    return tuple(Delta(Shared("change_arm", law, branch), change.weight) for branch in union.branches)


def gated(parts: Sequence[Delta]) -> list[tuple[Delta, Rel | None]]:
    """The terms of a change, each but the first with what has to be there for it to be looked at."""
    return [(part, Block((part.rel,), (), ()) if n else None) for n, part in enumerate(parts)]


def _tied(rel: Block, known: frozenset[int], candidate: frozenset[int], *, equal: bool) -> bool:
    ties = [p for p in rel.predicates if equated_columns(p) is not None or not equal]
    return any(p.columns & known and p.columns & candidate and p.columns <= known | candidate for p in ties)


def numbers(rels: Sequence[Rel]) -> frozenset[int]:
    """Numbers of all columns of some relations."""
    return frozenset(column.number for rel in rels for column in rel.columns)
