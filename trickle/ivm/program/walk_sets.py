"""A linear recursion under UNION: what came is walked; where anything went, the recursion is computed anew.

    R = B ∪ R⋈E                       sets
    gained = (ΔB⁺ ∪ R⋈ΔE⁺ ∪ gained⋈E) − R

A row of R stays as long as some derivation of it is left, and which rows those are, only the recursion itself can tell:
so where rows of B or E have gone, the change is what the query says now without what is stored.
"""

from __future__ import annotations

from trickle.ivm.algebra.numbering import Numbering
from trickle.ivm.algebra.relations import Block, Given, Item, Scan, UnionAll
from trickle.ivm.algebra.scalars import expression, reference, render, substitute
from trickle.ivm.delta import Delta
from trickle.ivm.program.layout import indented
from trickle.ivm.program.linear import Linear, along, begun, change_of_base, change_of_edges
from trickle.ivm.program.parts import Storage
from trickle.ivm.program.quote import ident
from trickle.ivm.program.rows import HASH, WEIGHT
from trickle.ivm.program.select import Renderer


def gained_or_anew(
    renderer: Renderer, linear: Linear, stored: Scan, root: Block, storage: Storage, numbering: Numbering
) -> str:
    """Write the walk, and return the signed rows by which the root changes."""
    started, edges = change_of_base(linear, numbering), change_of_edges(linear, numbering)
    weight = numbering.column("__pgt_w")
    one = Item(weight, expression("1"))
    terms = begun(started, "+", linear, weight)
    went = []
    for change in (started, edges):
        if change is not None:
            less = expression("w < 0", w=reference(change.weight))
            went.append(f"EXISTS (\n{indented(renderer.select(Block((change.rel,), (less,), ())))}\n)")
    renderer.add("loss", "has anything gone?", f"SELECT {' OR '.join(went)} AS any")
    if edges is not None:
        terms.append(along(linear, stored, edges, "1", one))
    gained = Given("gained", linear.again)
    labels = [column.label for column in linear.again]
    shown = [*labels, weight.label]
    values = {there.number: reference(here) for there, here in zip(linear.shown, linear.again, strict=True)}
    items = tuple(Item(item.column, substitute(item.value, values)) for item in root.items)
    hashes = render(items[-1].value, lambda n: ("q", next(c.label for c in linear.again if c.number == n)))
    names = [facts.name for _, facts in stored.attributes]
    same = "".join(f" AND s.{ident(n)} IS NOT DISTINCT FROM q.{ident(x)}" for n, x in zip(names, labels, strict=True))
    table = ident(stored.table.schema, stored.table.name)
    known = f"NOT EXISTS (SELECT FROM {table} s WHERE s.{HASH} = {hashes}{same})"
    columns = ", ".join(ident(label) for label in labels)
    start = renderer.select(UnionAll(tuple(terms), (*linear.again, weight)), shown)
    follow = renderer.select(along(linear, gained, Delta(linear.edges, weight), None, one), shown)
    new = f"SELECT {columns} FROM (\n{{}}\n) q\nWHERE {known}"
    renderer.add(
        "gained",
        "gained = (ΔB⁺ ∪ R⋈ΔE⁺ ∪ gained⋈E) − R",
        f"WITH RECURSIVE gained({columns}) AS (\n"
        f"{indented(new.format(indented(start)))} AND NOT (SELECT l.any FROM loss l)\n"
        f"  UNION\n{indented(new.format(indented(follow)))}\n)\nSELECT * FROM gained",
    )
    came = Block((gained,), (), (*items, one))
    outputs = ", ".join(ident(name) for name in storage.columns)
    return "\nUNION ALL\n".join(
        (
            renderer.select(came, (*storage.columns, WEIGHT)),
            f"SELECT q.*, 1 FROM (\n{indented(Renderer().select(root, storage.columns))}\n) q\n"
            "WHERE (SELECT l.any FROM loss l)",
            f"SELECT {outputs}, -1 FROM {table} WHERE (SELECT l.any FROM loss l)",
        )
    )
