"""The pool of the server: never exceeded, shared fairly, lent while it is idle and taken back within a cycle."""

from __future__ import annotations

import heapq
import random
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trickle.scheduler.quota import Stake, is_too_much, settle, targets

NUMBERS = st.integers(0, 12)


def stake(session: int, database: str, wants: int, quota: int = 0, uses: int = 0, most: int = 4) -> Stake:
    return Stake(session, database, uses, wants, quota, most)


def by_database(stakes: Collection[Stake], pool: int, turn: int = 0) -> dict[str, int]:
    found = targets(stakes, pool, turn)
    return {name: sum(found[s.session] for s in stakes if s.database == name) for name in {s.database for s in stakes}}


@pytest.mark.parametrize(
    ("stakes", "pool", "expected"),
    [
        ([stake(1, "a", 9, quota=4)], 10, {"a": 6}),  # 150 %
        ([stake(1, "a", 9, quota=1)], 10, {"a": 2}),  # one more at least
        ([stake(1, "a", 9, quota=8)], 10, {"a": 8}),  # at 80 % of the pool the quota is strict
        ([stake(1, "a", 9, quota=4), stake(2, "b", 3, quota=4)], 10, {"a": 5, "b": 3}),  # up to 80 %
        ([stake(1, "a", 9, quota=4), stake(2, "b", 9, quota=4)], 8, {"a": 4, "b": 4}),
        (
            [stake(1, "a", 9, quota=4), stake(2, "b", 9, quota=4)],
            6,
            {"a": 3, "b": 3},
        ),  # more was promised than there is
        ([stake(1, "a", 9, quota=4), stake(2, "b", 1, quota=4)], 4, {"a": 3, "b": 1}),
        ([stake(1, "a", 9)], 10, {"a": 4}),  # without a quota: max_concurrent_refreshes
        ([stake(1, "a", 9), stake(2, "a", 9)], 10, {"a": 4}),  # of the database, not of each instance
        ([stake(1, "a", 0, quota=4)], 10, {"a": 0}),
    ],
)
def test_the_rule(stakes: list[Stake], pool: int, expected: dict[str, int]) -> None:
    assert by_database(stakes, pool) == expected


def test_instances_of_one_database_share_what_it_has() -> None:
    stakes = [stake(1, "a", 9, quota=6), stake(2, "a", 1, quota=6), stake(3, "a", 9, quota=6)]
    assert targets(stakes, 6, 0) == {1: 3, 2: 1, 3: 2}


def test_who_gets_nothing_has_the_next_turn() -> None:
    stakes = [stake(i, f"d{i}", 1) for i in range(10)]
    served = {session for turn in range(10) for session, got in targets(stakes, 4, turn).items() if got}
    assert len(served) == 10


STAKES = st.lists(
    st.builds(stake, st.integers(1, 99), st.sampled_from("abc"), NUMBERS, quota=st.integers(0, 8), uses=st.just(0)),
    min_size=1,
    max_size=6,
    unique_by=lambda s: s.session,
)


@given(STAKES, st.integers(1, 16), st.integers(0, 99))
def test_nobody_gets_more_than_he_wants_or_may_and_nothing_is_wasted(stakes: list[Stake], pool: int, turn: int) -> None:
    found = targets(stakes, pool, turn)
    assert sum(found.values()) <= pool
    assert all(found[s.session] <= s.wants for s in stakes)
    for name, got in by_database(stakes, pool, turn).items():
        mine = [s for s in stakes if s.database == name]
        assert got <= max(s.burst for s in mine)
        guaranteed = min(max(s.strict for s in mine), pool // len({s.database for s in stakes}))
        assert got >= min(sum(s.wants for s in mine), guaranteed), "everyone has his part, whatever the others want"
        if got < min(sum(s.wants for s in mine), max(s.strict for s in mine)):
            assert sum(found.values()) == pool, "below the quota only when nothing is left"


@given(STAKES, st.integers(1, 16), st.lists(st.tuples(st.integers(0, 5), NUMBERS, NUMBERS), max_size=40))
def test_the_pool_is_never_exceeded_whatever_order_they_look_in(
    stakes: list[Stake], pool: int, steps: list[tuple[int, int, int]]
) -> None:
    said = {s.session: s for s in stakes}
    for turn, (number, wants, running) in enumerate(steps):
        ours = replace(stakes[number % len(stakes)], wants=wants)
        ours = replace(ours, uses=said[ours.session].uses)
        others = [s for s in said.values() if s.session != ours.session]
        said[ours.session] = settle(ours, others, min(running, ours.uses), pool, turn).stake
        assert sum(s.uses for s in said.values()) <= pool
        for name in {s.database for s in stakes}:
            mine = [s for s in said.values() if s.database == name]
            assert sum(s.uses for s in mine) <= max(s.burst for s in mine), "nor the limit of a database"


def test_two_that_take_the_same_at_once_notice() -> None:
    one, other = stake(1, "a", 3, uses=3), stake(2, "b", 3, uses=3)
    assert is_too_much(one, [other], 5)
    assert not is_too_much(one, [other], 6)


@dataclass
class Tenant:
    """One instance: jobs arrive, wait until it may run them, and take their time."""

    stake: Stake
    rate: float  # jobs in a second; 0: as many as can be
    job_seconds: float
    begins: float = 0.0
    has_begun: bool = False
    queue: list[float] = field(default_factory=list)
    running: int = 0
    goal: int = 0
    retry_at: float = 0.0
    waits: list[float] = field(default_factory=list)
    peak: int = 0

    @property
    def wants(self) -> int:
        return self.running + (len(self.queue) if self.rate else 99 * self.has_begun)


def simulate(tenants: list[Tenant], pool: int, seconds: float, seed: int = 1, cycle: float = 1.0) -> int:
    """Run them side by side; returns the most that ran at once. Each looks once in a cycle, and when it wants more."""
    chance = random.Random(seed)
    events: list[tuple[float, int, str, int]] = []
    order = iter(range(10**9))

    def at(moment: float, what: str, number: int) -> None:
        heapq.heappush(events, (moment, next(order), what, number))

    def look(number: int, now: float) -> None:
        tenant = tenants[number]
        others = [t.stake for t in tenants if t is not tenant]
        asked = replace(tenant.stake, wants=tenant.wants)
        settled = settle(asked, others, tenant.running, pool, int(now))
        tenant.stake, tenant.goal, tenant.retry_at = settled.stake, settled.goal, now + 0.1
        if tenant.stake.wants > tenant.stake.uses:
            at(tenant.retry_at, "retry", number)

    def start(number: int, now: float) -> None:
        tenant = tenants[number]
        if tenant.wants > tenant.stake.uses and now >= tenant.retry_at:
            look(number, now)
        while tenant.running < tenant.goal and (tenant.queue or (not tenant.rate and tenant.has_begun)):
            tenant.waits.append(now - tenant.queue.pop(0) if tenant.queue else 0.0)
            tenant.running += 1
            at(now + tenant.job_seconds * chance.uniform(0.5, 1.5), "end", number)
        tenant.peak = max(tenant.peak, tenant.running)

    for number, tenant in enumerate(tenants):
        at(tenant.begins + chance.random() * cycle, "look", number)
        if tenant.rate:
            at(chance.expovariate(tenant.rate), "job", number)
    most = 0
    while events and events[0][0] < seconds:
        now, _, what, number = heapq.heappop(events)
        tenant = tenants[number]
        if what == "job":
            tenant.queue.append(now)
            at(now + chance.expovariate(tenant.rate), "job", number)
        elif what == "end":
            tenant.running -= 1
        elif what == "look":
            tenant.has_begun = True
            look(number, now)
            at(now + cycle, "look", number)
        start(number, now)
        most = max(most, sum(t.running for t in tenants))
    return most


def tenant(session: int, rate: float, quota: int, job_seconds: float = 0.2) -> Tenant:
    return Tenant(stake(session, f"d{session}", 0, quota=quota), rate, job_seconds)


def p99(waits: list[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)]


@pytest.mark.parametrize("noisy", [1, 3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_noisy_neighbour_cannot_push_a_quiet_tenant(noisy: int, seed: int) -> None:
    """Within its quota it waits for one cycle at most, and for one job of those who had been lent more."""
    loud = [tenant(i, 0.0, quota=3, job_seconds=0.5) for i in range(noisy)]
    quiet = tenant(50, 1.0, quota=3, job_seconds=0.05)
    most = simulate([*loud, quiet], pool=12, seconds=600, seed=seed)
    assert most <= 12
    assert len(quiet.waits) > 500
    assert p99(quiet.waits) <= 1.0 + 0.75
    alone = tenant(50, 1.0, quota=3, job_seconds=0.05)
    simulate([alone], pool=12, seconds=600, seed=seed)
    assert p99(quiet.waits) <= p99(alone.waits) + 0.1, "the fifth of the pool that is never lent is free at once"


def test_a_pool_that_was_promised_twice_is_shared() -> None:
    loud = [tenant(i, 0.0, quota=4, job_seconds=0.5) for i in range(3)]
    quiet = tenant(50, 1.0, quota=4, job_seconds=0.05)
    assert simulate([*loud, quiet], pool=6, seconds=600) <= 6
    assert p99(quiet.waits) <= 1.0 + 0.75


def test_a_burst_reaches_150_percent_and_is_taken_back_within_one_cycle() -> None:
    loud = tenant(1, 0.0, quota=4, job_seconds=0.01)
    assert simulate([loud], pool=10, seconds=10) == 6
    assert loud.peak == 6
    busy = stake(2, "d2", 9, quota=4)
    busy = settle(busy, [loud.stake], 0, 10, 0).stake
    assert busy.uses == 4, "there was room for its quota at once"
    given_back = settle(replace(loud.stake, wants=99), [busy], 6, 10, 0)
    assert (given_back.stake.uses, given_back.goal) == (6, 4), (
        "what runs goes on, and nothing begins before it has ended"
    )


def test_what_was_lent_comes_back_though_there_is_always_more_to_do() -> None:
    """Catches: a place that is used again before anybody has looked."""
    loud, late = tenant(1, 0.0, quota=2, job_seconds=0.5), tenant(2, 0.0, quota=2, job_seconds=0.7)
    late.begins = 5.0
    assert simulate([loud, late], pool=5, seconds=10) <= 5
    assert loud.peak == 3
    assert (loud.goal, loud.stake.uses, late.stake.uses) == (2, 2, 2)


def test_nobody_starves_where_the_pool_is_smaller_than_the_number_of_databases() -> None:
    tenants = [tenant(i, 0.0, quota=1, job_seconds=0.05) for i in range(10)]
    assert simulate(tenants, pool=4, seconds=120) <= 4
    turns = [len(t.waits) for t in tenants]
    assert min(turns) > 0.5 * max(turns)
