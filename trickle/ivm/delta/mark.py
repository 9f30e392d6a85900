"""A mark changes with its row, and with what its row may meet:

    Δ Mark(L, R)  =  Mark(ΔL, R)  ⊎  Mark(old L|K, R|K)  ⊎  −Mark(old L|K, old R|K)

K holds the values that ΔR brings for the columns of R that the predicates equate to columns of L: a row of L with
another value meets the same partners as before. NULL meets nobody by `=`, so K needs no NULL. Where nothing is
equated, K is everything: both states are marked whole, but only when R has changed at all.

Where nothing but such values decides who meets, a value has partners or has none, and the rows of L are read only where
that turns: n partners now, of which ΔR brought m,

    Δ Mark(L, R)  =  Mark(ΔL, R)  ⊎  ±(old L ⋈ F)     F = the values with (n > 0) ≠ (n − m > 0)
"""

from __future__ import annotations

from collections.abc import Sequence

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.pairing import Mark
from trickle.ivm.algebra.properties import trusted_equalities
from trickle.ivm.algebra.relations import Aggregate, Block, Call, Item, Rel, Shared, UnionAll, copy_of
from trickle.ivm.algebra.scalars import Column, equated_columns, expression, reference
from trickle.ivm.delta.asked import asked
from trickle.ivm.delta.before import before, there_before
from trickle.ivm.delta.derivative import Delta, derive, rule, shared
from trickle.ivm.delta.restrict import Restriction, narrowed, restrict


@rule.register
def _(rel: Mark, numbering: Numbering) -> Delta | None:
    left, right = derive(rel.left, numbering), derive(rel.right, numbering)
    weight = numbering.column("__pgt_w")
    outputs = tuple(copy_of(column) for column in rel.columns)
    terms: list[Rel] = []
    if left is not None:
        left = shared(left, "change_of_rows", "the change of the rows that look for a partner")
        met = narrowed(rel.right, left.rel, rel.predicates, numbering)
        arrived = Mark(left.rel, met, rel.predicates, rel.mark)
        terms.append(Block((arrived,), (), (*outputs, Item(weight, reference(left.weight)))))
    if right is not None:
        right = shared(right, "change_of_partners", "the change of the rows that may be partners")
        turn = _turned if _only_equated(rel) else _marked_anew
        terms.extend(turn(rel, left, right, weight, numbering))
    if not terms:
        return None
    return Delta(terms[0] if len(terms) == 1 else UnionAll(tuple(terms), (*rel.columns, weight)), weight)


def _marked_anew(rel: Mark, left: Delta | None, right: Delta, weight: Column, numbering: Numbering) -> list[Rel]:
    """Mark(old L|K, R|K)  ⊎  −Mark(old L|K, old R|K)."""
    changed = Block((right.rel,), (), ())
    outputs = tuple(copy_of(column) for column in rel.columns)
    rows, partners = _touched(rel, left, right, numbering)
    then = Shared("partners_before", "their partners as they were", there_before(partners, right, numbering))
    return [
        Block((Mark(rows, there, rel.predicates, rel.mark),), (), (*outputs, Item(weight, expression(sign))), changed)
        for there, sign in ((partners, "1"), (then, "-1"))
    ]


def _turned(rel: Mark, left: Delta | None, right: Delta, weight: Column, numbering: Numbering) -> list[Rel]:
    """±(old L ⋈ F)."""
    numbers = [number for number, _ in _equated(rel)]
    turns, count = _turns(rel, right, numbering)
    here = [Restriction(reference(n), key, nullable=False) for n, key in zip(numbers, turns.columns, strict=False)]
    rows = restrict(rel.left, here, turns, numbering)
    if left is not None:
        rows = before(rows, Delta(restrict(left.rel, here, turns, numbering), left.weight), numbering)
    rows = Shared("rows_turned", "the rows that find a partner now and had none, or find none and had one", rows)
    meetings = tuple(expression("a = b", a=key.value, b=reference(key.wanted)) for key in here)
    outputs = tuple(copy_of(column) for column in rel.left.columns)
    changed = Block((right.rel,), (), ())
    return [
        Block(
            (rows, turns),
            meetings,
            (*outputs, Item(rel.mark, expression(mark, n=reference(count))), Item(weight, expression(sign))),
            changed,
        )
        for mark, sign in (("n > 0", "1"), ("n = 0", "-1"))
    ]


def _turns(rel: Mark, right: Delta, numbering: Numbering) -> tuple[Rel, Column]:
    """F: the values, and how many partners each has now."""
    there = [number for _, number in _equated(rel)]
    wanted = [Item(numbering.column("wanted"), reference(number)) for number in there]
    moved = Call(numbering.column("moved"), expression("sum(w)::bigint", w=reference(right.weight)))
    net = Block(
        (Aggregate(right.rel, tuple(wanted), (moved,)),),
        (expression("m <> 0", m=reference(moved.column)),),
        tuple(copy_of(item.column) for item in wanted),
    )
    moving = Shared("wanted_partners", "the values whose number of partners changes", net)
    looking = {here: item.column for (here, _), item in zip(_equated(rel), wanted, strict=True)}
    among = asked(moving, rel.left, looking, numbering)
    found = restrict(rel.right, _restrictions(there, wanted), among, numbering)
    moved_rows = right.rel if among is moving else restrict(right.rel, _restrictions(there, wanted), among, numbering)
    keys = [Item(numbering.column("turned"), reference(number)) for number in there]
    one, weight = numbering.column("one"), numbering.column("__pgt_w")
    now = Block((found,), (), (*keys, Item(one, expression("1")), Item(weight, expression("0"))))
    came = Block((moved_rows,), (), (*keys, Item(one, expression("0")), Item(weight, reference(right.weight))))
    rows = UnionAll((now, came), (*(key.column for key in keys), one, weight))
    count, change = numbering.column("count"), numbering.column("moved")
    calls = (
        Call(count, expression("sum(n)::bigint", n=reference(one))),
        Call(change, expression("sum(w)::bigint", w=reference(weight))),
    )
    shown = tuple(copy_of(key.column) for key in keys)
    turns = Block(
        (Aggregate(rows, shown, calls),),
        (expression("(n > 0) <> (n - m > 0)", n=reference(count), m=reference(change)),),
        (*shown, copy_of(count)),
    )
    return Shared("turned", "the values that have partners now and had none, or the other way round", turns), count


def _only_equated(rel: Mark) -> bool:
    """Do nothing but values that are equated decide who meets?"""
    met = _equated(rel)
    pairs = {frozenset(pair) for pair in met}
    equated = [frozenset(equated_columns(predicate) or ()) for predicate in rel.predicates]
    return bool(met) and all(pair in pairs for pair in equated) and _numbers(rel.right.columns) == {b for _, b in met}


def _touched(rel: Mark, left: Delta | None, right: Delta, numbering: Numbering) -> tuple[Rel, Rel]:
    """old L|K and R|K."""
    met = _equated(rel)
    rows, partners, came = rel.left, rel.right, left
    if met:
        wanted = [Item(numbering.column("wanted"), reference(there)) for _, there in met]
        among = Shared("wanted_partners", "the keys whose partners change", Aggregate(right.rel, tuple(wanted), ()))
        here = _restrictions([number for number, _ in met], wanted)
        there = _restrictions([number for _, number in met], wanted)
        rows = restrict(rel.left, here, among, numbering)
        partners = Shared("partners_now", "their partners as they are", restrict(rel.right, there, among, numbering))
        came = None if left is None else Delta(restrict(left.rel, here, among, numbering), left.weight)
    if came is not None:
        rows = before(rows, came, numbering)
    return Shared("rows_before", "the rows whose partners change, as they were", rows), partners


def _restrictions(numbers: Sequence[int], wanted: Sequence[Item]) -> list[Restriction]:
    return [
        Restriction(reference(number), item.column, nullable=False)
        for number, item in zip(numbers, wanted, strict=True)
    ]


def _equated(rel: Mark) -> list[tuple[int, int]]:
    """Pairs of a column of the left and a column of the right that have to be equal."""
    here = _numbers(rel.left.columns)
    there = _numbers(rel.right.columns)
    pairs = trusted_equalities((rel.left, rel.right), rel.predicates)
    met = {(a, b) if a in here else (b, a) for a, b in pairs if {a, b} & here and {a, b} & there}
    return sorted(met)


def _numbers(columns: Sequence[Column]) -> set[int]:
    return {column.number for column in columns}
