"""Order of execution: upstream first, nobody starves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trickle.scheduler import graph
from trickle.scheduler.order import PATIENCE_SECONDS, Waiting, ready
from trickle.scheduler.table import Table, Tier


def tables(upstream: dict[int, set[int]]) -> dict[int, Table]:
    return {i: Table(i, "public", f"t{i}", upstream=frozenset(up)) for i, up in upstream.items()}


def waiting(
    due: dict[int, float], finished: dict[int, float] | None = None, running: set[int] | None = None
) -> Waiting:
    return Waiting(due, finished or {}, frozenset(running or ()))


CHAIN = {1: set[int](), 2: {1}, 3: {2}}


def ids(found: list[Table]) -> list[int]:
    return [table.pgt_id for table in found]


def test_in_a_chain_only_the_first_starts() -> None:
    all_of_them = tables(CHAIN)
    order = ready(all_of_them.values(), graph.build(CHAIN), waiting({1: 0.0, 2: 0.0, 3: 0.0}), 0.1)
    assert ids(order) == [1]


def test_a_grandparent_that_runs_is_waited_for_too() -> None:
    all_of_them = tables(CHAIN)
    order = ready([all_of_them[3]], graph.build(CHAIN), waiting({3: 0.0}, running={1}), 0.1)
    assert order == []


def test_an_upstream_is_waited_for_once() -> None:
    """An upstream that is due again and again must not hold its downstream back for ever."""
    all_of_them = tables(CHAIN)
    state = waiting({1: 1.0, 2: 0.0}, finished={1: 0.5})
    assert ids(ready([all_of_them[1], all_of_them[2]], graph.build(CHAIN), state, 1.0)) == [1, 2]


def test_a_slow_upstream_is_not_waited_for_longer_than_patience() -> None:
    all_of_them = tables(CHAIN)
    state = waiting({2: 0.0}, running={1})
    assert ready([all_of_them[2]], graph.build(CHAIN), state, PATIENCE_SECONDS - 0.1) == []
    assert ids(ready([all_of_them[2]], graph.build(CHAIN), state, PATIENCE_SECONDS)) == [2]


def test_tier_then_waiting_time_decide_within_a_level() -> None:
    level = [
        Table(1, "public", "cold", tier=Tier.COLD),
        Table(2, "public", "late"),
        Table(3, "public", "early"),
    ]
    order = ready(level, graph.build({1: [], 2: [], 3: []}), waiting({1: 0.0, 2: 2.0, 3: 1.0}), 3.0)
    assert ids(order) == [3, 2, 1]


def test_a_cycle_in_the_catalog_does_not_stop_the_scheduler() -> None:
    ring = {1: {2}, 2: {1}, 3: {2}}
    built = graph.build(ring)
    assert set(built.level) == {1, 2, 3}
    assert built.ancestors(3) == {1, 2}


def test_an_edge_to_nowhere_is_dropped() -> None:
    assert graph.build({1: [99]}).upstream == {1: frozenset()}


@st.composite
def dags(draw: st.DrawFn) -> dict[int, set[int]]:
    size = draw(st.integers(1, 12))
    return {i: draw(st.sets(st.integers(0, i - 1), max_size=3)) if i else set() for i in range(size)}


@given(dags())
def test_levels_rise_along_every_edge(upstream: dict[int, set[int]]) -> None:
    built = graph.build(upstream)
    assert all(built.level[above] < built.level[node] for node, ups in upstream.items() for above in ups)


@given(dags())
def test_a_whole_graph_that_is_due_is_refreshed_once_each_and_upstream_first(
    upstream: dict[int, set[int]],
) -> None:
    built, left = graph.build(upstream), tables(upstream)
    due, finished, done = dict.fromkeys(left, 0.0), dict[int, float](), list[int]()
    now = 0.0
    while left:
        now += 0.01
        batch = ready(left.values(), built, waiting(due, finished), now)
        assert batch, "something must always be able to start"
        first = batch[0].pgt_id
        done.append(first)
        finished[first] = now
        del left[first]
    assert all(done.index(above) < done.index(node) for node, ups in upstream.items() for above in ups)
