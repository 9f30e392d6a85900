"""The trials are tried: a compiler with a mistake put in must be caught by them.

Lies it would catch: a random test that passes whatever the compiler does.
Oracle: the mistakes are known to be mistakes; each trial has to end in an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from property.test_random_queries import play
from property.trial import Wrong

import trickle
from trickle.ivm.algebra.relations import UnionAll
from trickle.ivm.delta import Delta, block
from trickle.ivm.program import fold, match, plan, recompute, rows, select

Patch = Callable[[pytest.MonkeyPatch], None]


def no_product_of_changes(patch: pytest.MonkeyPatch) -> None:
    """Δ(R ⋈ S) without −ΔR ⋈ ΔS."""
    step = block._step

    def mutant(*arguments: Any, **named: Any) -> Delta | None:
        delta = step(*arguments, **named)
        if delta is None or not isinstance(delta.rel, UnionAll) or len(delta.rel.branches) < 3:
            return delta
        return Delta(dataclasses.replace(delta.rel, branches=delta.rel.branches[:2]), delta.weight)

    patch.setattr(block, "_step", mutant)


def product_of_changes_added(patch: pytest.MonkeyPatch) -> None:
    """Δ(R ⋈ S) with +ΔR ⋈ ΔS."""
    expression = block.expression
    patch.setattr(block, "expression", lambda text, **parts: expression(text.replace("-(", "("), **parts))


def no_group_of_null(patch: pytest.MonkeyPatch) -> None:
    """Groups met by = alone."""
    key_column = match.KeyColumn
    for module in (fold, recompute):
        patch.setattr(module, "KeyColumn", lambda column, value, stored, _: key_column(column, value, stored, False))


def no_netting(patch: pytest.MonkeyPatch) -> None:
    """Rows that cancel are applied one by one."""
    net_rows = select.net_rows

    def mutant(*arguments: Any) -> str:
        return net_rows(*arguments).replace("<> 0", "IS NOT NULL")

    patch.setattr(select, "net_rows", mutant)
    patch.setattr(rows, "net_rows", mutant)


def sets_for_bags(patch: pytest.MonkeyPatch) -> None:
    """Each row inserted once, however often it was."""
    by_hash = rows.by_hash

    def mutant(*arguments: Any) -> Any:
        apply = by_hash(*arguments)
        ctes = tuple((name, text, body.replace("generate_series(1, ", "generate_series(1, 1 + 0 * ")) for name, text, body in apply.ctes)
        return dataclasses.replace(apply, ctes=ctes)

    patch.setattr(plan, "by_hash", mutant)


def groups_that_never_die(patch: pytest.MonkeyPatch) -> None:
    """A group without rows stays."""
    net = fold._net
    patch.setattr(fold, "_net", lambda *a, **k: net(*a, **k).replace("folded.__pgt_rows = 0 THEN 'd'", "false THEN 'd'"))


MUTANTS: tuple[Patch, ...] = (
    no_product_of_changes,
    product_of_changes_added,
    no_group_of_null,
    no_netting,
    sets_for_bags,
    groups_that_never_die,
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_mistake_is_caught(client: trickle.Client, monkeypatch: pytest.MonkeyPatch, mutant: Patch) -> None:
    @settings(
        max_examples=150,
        phases=(Phase.generate,),
        database=None,
        derandomize=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )
    @given(data=st.data())
    def many_trials(data: st.DataObject) -> None:
        play(client, data)

    mutant(monkeypatch)
    with pytest.raises(Wrong):
        many_trials()
