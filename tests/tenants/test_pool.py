"""The hot pool, as a machine that chance drives.

Lies it would catch: more places taken than there are; a tenant that is hot twice, or never; a process that is asked
twice, or not at all; a place that nobody gives back; two tenants that push each other out at every job.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trickle.tenants import pool as p
from trickle.tenants.places import Limits, Phase, Pool, Why
from trickle.tenants.pool import step

TENANTS = [f"t{number}" for number in range(8)]
LIMITS = Limits(
    most=3,
    at_once=2,
    idle_seconds=10,
    least_seconds=2,
    turn_seconds=5,
    slow_seconds=1,
    promote_seconds=7,
    drain_seconds=4,
    backoff_cap_seconds=8,
)


class HotPool(RuleBasedStateMachine):
    """The processes are real to it: one is started by Promote, and ends only when it was asked, killed, or crashed."""

    @initialize(most=st.integers(1, 4))
    def begin(self, most: int) -> None:
        self.now = 0.0
        self.pool = Pool(replace(LIMITS, most=most))
        self.processes: dict[str, str] = {}  # tenant: starting, running, asked
        self.begun: dict[str, float] = {}
        self.demoted: list[tuple[str, Why]] = []

    def feed(self, happened: p.Event) -> None:
        self.pool, actions = step(self.pool, happened, self.now)
        killed: list[str] = []
        for action in actions:
            match action:
                case p.Promote(tenant, _):
                    assert tenant not in self.processes, "hot twice"
                    self.processes[tenant] = "starting"
                    self.begun[tenant] = self.now
                case p.Demote(tenant, why):
                    assert tenant in self.processes
                    self.demoted.append((tenant, why))
                    self.processes[tenant] = "asked"
                case p.Kill(tenant):
                    assert tenant in self.processes
                    killed.append(tenant)
        for tenant in killed:
            del self.processes[tenant]
            self.feed(p.Ended(tenant, 0.5))

    def some(self, states: Iterable[str]) -> list[str]:
        return sorted(tenant for tenant, state in self.processes.items() if state in states)

    @rule(tenant=st.sampled_from(TENANTS), why=st.sampled_from([Why.ENQUEUE, Why.COLD_DISPATCH, Why.MANUAL]))
    def want(self, tenant: str, why: Why) -> None:
        self.feed(p.Wanted(tenant, why))

    @precondition(lambda self: self.some(["starting"]))
    @rule(data=st.data())
    def become_hot(self, data: Any) -> None:
        tenant = data.draw(st.sampled_from(self.some(["starting"])))
        self.processes[tenant] = "running"
        self.feed(p.Promoted(tenant))

    @precondition(lambda self: self.some(["running", "asked"]))
    @rule(data=st.data(), is_busy=st.booleans())
    def report(self, data: Any, is_busy: bool) -> None:
        self.feed(p.Reported(data.draw(st.sampled_from(self.some(["running", "asked"]))), is_busy))

    @precondition(lambda self: self.processes)
    @rule(data=st.data())
    def end(self, data: Any) -> None:
        """It was asked to, or it crashed."""
        tenant = data.draw(st.sampled_from(sorted(self.processes)))
        del self.processes[tenant]
        self.feed(p.Ended(tenant, data.draw(st.floats(0, 0.99))))

    @rule(tenant=st.sampled_from(TENANTS))
    def dismiss(self, tenant: str) -> None:
        self.feed(p.Unwanted(tenant, Why.SHUTDOWN))
        assert tenant not in self.pool.waiting
        assert self.processes.get(tenant) in (None, "asked")

    @rule(seconds=st.floats(0.1, 12))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.feed(p.Tick())

    @invariant()
    def places_are_processes(self) -> None:
        if not hasattr(self, "pool"):
            return
        assert self.pool.places.keys() == self.processes.keys()
        assert len(self.pool.places) <= self.pool.limits.most
        assert not self.pool.hot & self.pool.waiting.keys()
        assert len(self.starting()) <= LIMITS.at_once

    def starting(self) -> list[str]:
        """Those that become hot, and have not been at it for long."""
        return [
            tenant
            for tenant in self.some(["starting"])
            if self.now - self.begun[tenant] < self.pool.limits.slow_seconds
        ]

    @invariant()
    def nobody_waits_beside_a_free_place(self) -> None:
        if not hasattr(self, "pool"):
            return
        rested = [
            tenant
            for tenant in self.pool.waiting
            if tenant not in self.pool.places
            and (tenant not in self.pool.resting or self.pool.resting[tenant].until <= self.now)
        ]
        assert not rested or len(self.pool.places) == self.pool.limits.most or len(self.starting()) == LIMITS.at_once

    def teardown(self) -> None:
        """Whoever waits gets its turn as long as processes do what they are asked; and a stop ends everything."""
        if not hasattr(self, "pool"):
            return
        for _ in range(200):
            if not self.pool.waiting:
                break
            for tenant in self.some(["starting"]):
                self.processes[tenant] = "running"
                self.feed(p.Promoted(tenant))
                self.feed(p.Reported(tenant, True))
            for tenant in self.some(["asked"]):
                del self.processes[tenant]
                self.feed(p.Ended(tenant, 0.5))
            self.now += 1
            self.feed(p.Tick())
        assert not self.pool.waiting, "a tenant starves"
        self.feed(p.StopRequested())
        for tenant in self.some(["starting"]):
            self.processes[tenant] = "running"
            self.feed(p.Promoted(tenant))
        for tenant in self.some(["running", "starting"]):
            raise AssertionError(f"{tenant} was not asked to end")
        for tenant in self.some(["asked"]):
            del self.processes[tenant]
            self.feed(p.Ended(tenant, 0.5))
        assert self.pool.is_finished


HotPool.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
test_hot_pool = HotPool.TestCase


class Script:
    """Events at moments; what came of them."""

    def __init__(self, **limits: Any) -> None:
        self.pool = Pool(replace(LIMITS, **limits))
        self.actions: list[p.Action] = []

    def at(self, now: float, *events: p.Event) -> list[p.Action]:
        found: list[p.Action] = []
        for happened in events or (p.Tick(),):
            self.pool, actions = step(self.pool, happened, now)
            found += actions
        self.actions += found
        return found

    def hot(self, now: float, tenant: str, is_busy: bool = False) -> None:
        self.at(now, p.Wanted(tenant, Why.ENQUEUE), p.Promoted(tenant), p.Reported(tenant, is_busy))


def test_the_one_that_was_idle_for_longest_makes_room() -> None:
    script = Script(most=2)
    script.hot(0, "a")
    script.hot(1, "b")
    script.at(2, p.Reported("a", True), p.Reported("a", False))
    assert script.at(4, p.Wanted("c", Why.ENQUEUE)) == [p.Demote("b", Why.EVICTION)]
    assert script.at(5, p.Ended("b", 0)) == [p.Promote("c", Why.ENQUEUE)]


def test_nobody_is_pushed_out_before_its_time() -> None:
    script = Script(most=1)
    script.hot(0, "a")
    assert script.at(1, p.Wanted("b", Why.ENQUEUE)) == []
    assert script.pool.next_moment() == 2
    assert script.at(2) == [p.Demote("a", Why.EVICTION)]


@pytest.mark.parametrize(("weight", "turn"), [(1.0, 5.0), (2.0, 10.0), (0.5, 2.5)])
def test_a_busy_one_has_its_turn_by_weight(weight: float, turn: float) -> None:
    script = Script(most=1)
    script.at(0, p.Wanted("a", Why.ENQUEUE, weight), p.Promoted("a"), p.Reported("a", True))
    script.at(0.1, p.Wanted("b", Why.ENQUEUE))
    assert script.at(turn - 0.01) == []
    assert script.at(turn) == [p.Demote("a", Why.EVICTION)]


def test_by_hand_goes_first_and_does_not_rest() -> None:
    script = Script(most=1)
    script.at(0, p.Wanted("a", Why.ENQUEUE), p.Ended("a", 0.5))
    assert script.pool.resting["a"].failures == 1
    script.at(0, p.Wanted("b", Why.ENQUEUE), p.Wanted("c", Why.ENQUEUE))
    assert script.at(0, p.Wanted("a", Why.MANUAL)) == []
    script.at(0, p.Promoted("b"))
    assert script.at(9, p.Ended("b", 0))[0] == p.Promote("a", Why.MANUAL)


def test_a_few_become_hot_at_once_and_a_slow_one_holds_up_nobody() -> None:
    script = Script(most=9)
    found = script.at(0, *(p.Wanted(tenant, Why.ENQUEUE) for tenant in "abcdef"))
    assert found == [p.Promote(tenant, Why.ENQUEUE) for tenant in "ab"]
    assert script.at(0.2, p.Promoted("b")) == [p.Promote("c", Why.ENQUEUE)]
    assert script.pool.next_moment() == 1
    assert script.at(1) == [p.Promote("d", Why.ENQUEUE)]
    assert script.at(1.1, p.Promoted("a")) == []
    assert script.at(1.2) == [p.Promote("e", Why.ENQUEUE)]


def test_failures_put_it_off_further_each_time() -> None:
    script = Script()
    now, pauses = 0.0, []
    for _ in range(4):
        script.at(now, p.Wanted("a", Why.ENQUEUE))
        assert "a" in script.pool.places
        script.at(now, p.Ended("a", 0.5))
        pauses.append(script.pool.resting["a"].until - now)
        now = script.pool.resting["a"].until
    assert pauses == [1, 2, 4, 8]


def test_one_that_does_not_become_hot_is_given_up() -> None:
    script = Script()
    script.at(0, p.Wanted("a", Why.ENQUEUE))
    assert script.at(6.9) == []
    assert script.at(7) == [p.Kill("a")]
    assert script.pool.places["a"].phase is Phase.DEMOTING and script.pool.places["a"].why is Why.ERROR
    script.at(7, p.Ended("a", 0))
    assert script.pool.resting["a"].failures == 1


def test_one_that_does_not_end_is_killed() -> None:
    script = Script()
    script.hot(0, "a")
    assert script.at(10) == [p.Demote("a", Why.IDLE)]
    assert script.at(18.9) == []
    assert script.at(19) == [p.Kill("a")]


def test_wanted_while_it_ends_it_comes_back() -> None:
    script = Script()
    script.hot(0, "a")
    script.at(10)
    assert script.at(11, p.Wanted("a", Why.ENQUEUE)) == []
    assert script.at(12, p.Ended("a", 0)) == [p.Promote("a", Why.ENQUEUE)]


def test_a_stop_awaits_promotions_and_a_second_does_not() -> None:
    script = Script()
    script.hot(0, "a", is_busy=True)
    script.at(0, p.Wanted("b", Why.ENQUEUE))
    assert script.at(1, p.StopRequested()) == [p.Demote("a", Why.SHUTDOWN)]
    assert script.at(2, p.Promoted("b")) == [p.Demote("b", Why.SHUTDOWN)]
    assert script.at(3, p.StopRequested()) == [p.Demote(name, Why.SHUTDOWN) for name in "aabb"]
    assert not script.pool.is_finished
    script.at(4, p.Ended("a", 0), p.Ended("b", 0), p.Wanted("c", Why.MANUAL))
    assert script.pool.is_finished and not script.pool.waiting
