"""Rows that only come are inserted, and no stored row is looked for.

    Δ = π σ (ΔR ⋈ S ⋈ …),  ΔR all +1  ⇒  Δ all +1

Selections, projections, expansions and joins give every row the weight of the one changed row it comes from. If
nothing was taken away from a source, nothing cancels and nothing stored is touched: the change is not added up, and the
MERGE is an INSERT. Where a derivative takes differences (groups, outer joins, two inputs that change) this is not so.
"""

from __future__ import annotations

from dataclasses import replace

from trickle.ivm.algebra.expand import Expand
from trickle.ivm.algebra.relations import Block, Change, Rel, Shared, UnionAll
from trickle.ivm.program.layout import indented
from trickle.ivm.program.parts import OPERATION, Alone, Appended, Apply
from trickle.ivm.program.quote import ident


def appended(general: Apply, alone: Alone | None, sources: int) -> Appended | None:
    """How rows that came to one source are inserted while the others stand still; None where more has to be done."""
    if sources == 1:
        apply = _inserted(general)
        return Appended(apply, ()) if apply is not None else None
    apply = _inserted(alone.apply) if alone is not None else None
    return Appended(apply, alone.others) if alone is not None and apply is not None else None


def _inserted(apply: Apply) -> Apply | None:
    if apply.states or not apply.change or apply.delta is None:
        return None
    if not _each_as_captured(apply.delta, apply.delta.columns[-1].number):
        return None
    columns = ", ".join(f"d.{ident(name)}" for name in apply.storage.columns)
    net = f"SELECT 'i' AS {OPERATION}, {columns}\nFROM (\n{indented(apply.change)}\n) d"
    names = [name for name, _, _ in apply.ctes]
    before = apply.ctes[: names.index("net_rows")]
    return replace(apply, ctes=(*before, ("net", "the rows that came", net)), expected_deletions=None)


def _each_as_captured(rel: Rel, weight: int) -> bool:
    """Is column `weight` of every row that of one captured change, unaltered?"""
    if isinstance(rel, Change):
        return rel.weight.number == weight
    if isinstance(rel, (Shared, Expand)):
        return _each_as_captured(rel.child, weight)
    if isinstance(rel, UnionAll):
        place = [column.number for column in rel.columns].index(weight)
        return all(_each_as_captured(branch, branch.columns[place].number) for branch in rel.branches)
    if isinstance(rel, Block):
        source = next(item.value.column for item in rel.items if item.column.number == weight)
        holders = [i for i in rel.inputs if source in {column.number for column in i.columns}]
        return source is not None and len(holders) == 1 and _each_as_captured(holders[0], source)
    return False
