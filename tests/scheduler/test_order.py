"""Order of execution: upstream first, bands, tiers, and nobody starves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from trickle.scheduler import graph
from trickle.scheduler.order import PATIENCE_SECONDS, Due, Waiting, ready
from trickle.scheduler.table import TIER_RANK, Tier
from trickle.scheduler.units import BAND, Kind, Unit

Upstream = Mapping[int, Iterable[int]]


def due(pgt_id: int, kind: Kind = Kind.SINGLETON, tier: Tier = Tier.HOT) -> Due:
    return Due(Unit(kind, (pgt_id,)), (pgt_id,), tier)


def waiting(
    due_since: dict[int, float],
    finished: dict[int, float] | None = None,
    running: Iterable[int] = (),
    served: Iterable[int] = (),
) -> Waiting:
    return Waiting(due_since, finished or {}, frozenset(running), frozenset(served))


CHAIN: Upstream = {1: set[int](), 2: {1}, 3: {2}}


def ids(found: list[Due]) -> list[int]:
    return [item.unit.key for item in found]


def test_in_a_chain_only_the_first_starts() -> None:
    order = ready(map(due, CHAIN), graph.build(CHAIN), waiting({1: 0.0, 2: 0.0, 3: 0.0}), 0.1)
    assert ids(order) == [1]


def test_a_grandparent_that_runs_is_waited_for_too() -> None:
    assert ready([due(3)], graph.build(CHAIN), waiting({3: 0.0}, running={1}), 0.1) == []


def test_an_upstream_is_waited_for_once() -> None:
    """An upstream that is due again and again must not hold its downstream back for ever."""
    state = waiting({1: 1.0, 2: 0.0}, finished={1: 0.5})
    assert ids(ready([due(1), due(2)], graph.build(CHAIN), state, 1.0)) == [1, 2]


def test_a_slow_upstream_is_not_waited_for_longer_than_patience() -> None:
    state = waiting({2: 0.0}, running={1})
    assert ready([due(2)], graph.build(CHAIN), state, PATIENCE_SECONDS - 0.1) == []
    assert ids(ready([due(2)], graph.build(CHAIN), state, PATIENCE_SECONDS)) == [2]


def test_bands_then_tiers_then_depth_then_waiting_time() -> None:
    items = [
        due(1, Kind.CYCLIC_SCC),
        due(2, Kind.SINGLETON, Tier.COLD),
        due(3, Kind.SINGLETON, Tier.WARM),
        due(4),
        due(5),
        due(6, Kind.FUSED_CHAIN, Tier.WARM),
        due(7, Kind.REPEATABLE_READ_GROUP),
        due(8, Kind.ATOMIC_GROUP, Tier.COLD),
        due(9, Kind.IMMEDIATE_CLOSURE, Tier.COLD),
        due(10, Kind.IMMEDIATE_CLOSURE),
    ]
    since = {item.unit.key: float(-item.unit.key) for item in items}
    nobody_reads = graph.build(dict.fromkeys(since, ()))
    assert ids(ready(items, nobody_reads, waiting(since), 0.0)) == [10, 9, 7, 6, 8, 5, 4, 3, 2, 1]


def test_who_had_a_turn_comes_after_who_waits() -> None:
    items = [due(1, Kind.IMMEDIATE_CLOSURE), due(2, Kind.CYCLIC_SCC, Tier.COLD)]
    state = waiting({1: 0.0, 2: 0.0}, served={1})
    assert ids(ready(items, graph.build({1: (), 2: ()}), state, 0.0)) == [2, 1]


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


@st.composite
def units_of(draw: st.DrawFn, upstream: Upstream) -> list[Due]:
    kinds, tiers = st.sampled_from(list(Kind)), st.sampled_from([Tier.HOT, Tier.WARM, Tier.COLD])
    return [due(i, draw(kinds), draw(tiers)) for i in upstream]


@given(dags())
def test_levels_rise_along_every_edge(upstream: dict[int, set[int]]) -> None:
    built = graph.build(upstream)
    assert all(built.level[above] < built.level[node] for node, ups in upstream.items() for above in ups)


@given(st.data())
def test_a_whole_graph_is_refreshed_once_each_upstream_first_and_by_priority(data: st.DataObject) -> None:
    upstream = data.draw(dags())
    built, items = graph.build(upstream), data.draw(units_of(upstream))
    left = {item.unit.key: item for item in items}
    since, finished, done = dict.fromkeys(left, 0.0), dict[int, float](), list[int]()
    now = 0.0
    while left:
        now += 0.01
        batch = ready(left.values(), built, waiting(since, finished), now)
        assert batch, "something must always be able to start"
        free = {key for key in left if not built.ancestors(key) & left.keys()}
        assert {item.unit.key for item in batch} == free, "exactly what waits for nobody may start"
        assert all(_priority(before) <= _priority(after) for before, after in pairwise(batch))
        first = batch[0].unit.key
        done.append(first)
        finished[first] = now
        del left[first]
    assert all(done.index(above) < done.index(node) for node, ups in upstream.items() for above in ups)


def _priority(item: Due) -> tuple[int, int]:
    return (BAND[item.unit.kind], 0 if item.unit.kind is Kind.IMMEDIATE_CLOSURE else TIER_RANK[item.tier])
