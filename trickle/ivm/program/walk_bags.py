"""A linear recursion under UNION ALL: only what follows from a change is walked, not what was there before.

    R = B ⊎ R⋈E                       bags, E one table

    lost   = ΔB⁻ ⊎ R⋈ΔE⁻ ⊎ lost⋈(E − ΔE⁺)                    what is taken away goes first, along what is left of E
    gained = ΔB⁺ ⊎ (R − lost)⋈ΔE⁺ ⊎ gained⋈E                 then what is added, along E as it is now
    ΔR     = gained − lost

Let E′ = E − ΔE⁺ be the old E without what it lost, and B′ alike. From R(1 − E_old) = B_old follows the first line, for
then (R − lost)(1 − E′) = B′; the second follows in the same way from there. Each walk stays inside the rows of the
old or of the new R, so it ends where the query ends, also where a change closes a cycle that the query no longer
reaches. R is what is stored.
"""

from __future__ import annotations

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.pairing import Mark
from trickle.ivm.algebra.properties import input_keys
from trickle.ivm.algebra.relations import (
    Aggregate,
    Block,
    Call,
    Given,
    Item,
    Rel,
    Scan,
    Shared,
    UnionAll,
    copy_of,
)
from trickle.ivm.algebra.scalars import expression, reference, substitute
from trickle.ivm.delta import Delta
from trickle.ivm.program.linear import Linear, add_walk, along, begun, change_of_base, change_of_edges, none_of
from trickle.ivm.program.select import Renderer


def lost_and_gained(renderer: Renderer, linear: Linear, stored: Scan, root: Block, numbering: Numbering) -> Rel:
    """Write both walks, and return the change of the root."""
    started = change_of_base(linear.base, linear.again, numbering)
    edges = change_of_edges(linear, numbering)
    weight = numbering.column("__pgt_w")
    lost, gained = (Given(name, (*linear.again, weight)) for name in ("lost", "gained"))
    one, many, less = (expression(text, w=reference(weight)) for text in ("1", "w", "-w"))

    # Where a table changes that is read for a column which nobody shows, nothing follows.
    none = none_of(stored, linear.again, Item(weight, one))
    terms = begun(started, "-", linear.again, weight)
    left: Rel = linear.edges
    if edges is not None:
        terms.append(along(linear, stored, edges, "-1", Item(weight, one)))
        left = _without_new(linear, edges, numbering)
    law = "lost = ΔB⁻ ⊎ R⋈ΔE⁻ ⊎ lost⋈(E − ΔE⁺), each row as often as its weight says"
    follow = along(linear, lost, Delta(left, weight), None, Item(weight, many))
    add_walk(renderer, "lost", law, UnionAll(tuple(terms) or (none,), lost.given), follow)

    terms = begun(started, "+", linear.again, weight)
    if edges is not None:
        terms.append(along(linear, stored, edges, "1", Item(weight, one)))
        terms.append(along(linear, lost, edges, "1", Item(weight, less)))
    total = Call(weight, expression("sum(w)::int", w=reference(weight)))
    came = UnionAll(tuple(terms) or (none,), gained.given)
    added = Aggregate(came, tuple(copy_of(column) for column in linear.again), (total,))
    some = Block((added,), (expression("w <> 0", w=reference(weight)),), tuple(copy_of(c) for c in gained.given))
    follow = along(linear, gained, Delta(linear.edges, weight), None, Item(weight, many))
    add_walk(renderer, "gained", "gained = ΔB⁺ ⊎ (R − lost)⋈ΔE⁺ ⊎ gained⋈E, likewise", some, follow)

    values = {there.number: reference(here) for there, here in zip(linear.shown, linear.again, strict=True)}
    items = tuple(Item(item.column, substitute(item.value, values)) for item in root.items)
    arms = (
        Block((gained,), (), (*items, Item(weight, many))),
        Block((lost,), (), (*items, Item(weight, less))),
    )
    return UnionAll(arms, (*(item.column for item in items), weight))


def _without_new(linear: Linear, edges: Delta, numbering: Numbering) -> Rel:
    """E − ΔE⁺: the rows whose key did not come."""
    key = sorted(min(input_keys(linear.edges), key=sorted))
    columns = {column.number: column for column in linear.edges.columns}
    came = expression("w = 1", w=reference(edges.weight))
    items = {number: Item(numbering.like(columns[number]), reference(number)) for number in key}
    law = "the keys of the rows that came"
    new = Shared("new_keys", law, Block((edges.rel,), (came,), tuple(items.values())))
    same = tuple(expression("a = b", a=reference(n), b=reference(item.column)) for n, item in items.items())
    mark = numbering.column("came")
    old = expression("NOT m", m=reference(mark))
    return Block((Mark(linear.edges, new, same, mark),), (old,), tuple(copy_of(c) for c in linear.edges.columns))
