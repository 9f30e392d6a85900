"""The fleet's state machine: each transition by example, then all of them walked by Hypothesis.

The walk keeps a model of the world (which processes exist, what they do) and lets anything happen that the
world allows. It would catch: two processes in one slot, a start while stopping, a job given to two children or
to none, a job forgotten, a child never reaped, an instance that cannot end.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from trickle.supervisor import fleet as f
from trickle.supervisor.state import HEALTHY_SECONDS, idle_slots, new_fleet, step
from trickle.worker import exits
from trickle.worker.protocol import Refresh

LIMITS = f.Limits(start_seconds=5, leave_seconds=2, drain_seconds=10, memory_bytes=1000)


def run(fleet: f.Fleet, *events: tuple[float, f.Event]) -> tuple[f.Fleet, list[f.Action]]:
    actions: list[f.Action] = []
    for now, event in events:
        fleet, more = step(fleet, event, now)
        actions += more
    return fleet, actions


def ready(size: int = 1) -> f.Fleet:
    fleet, actions = run(new_fleet(size, LIMITS), (0, f.Tick()))
    assert actions == [f.Spawn(slot) for slot in range(size)]
    return run(fleet, *((0, f.Ready(slot)) for slot in range(size)))[0]


def busy() -> f.Fleet:
    return run(ready(), (0, f.Offered(Refresh(1), 3, home=1)))[0]


def test_a_job_goes_to_an_idle_child_and_comes_back() -> None:
    fleet, actions = run(ready(), (1, f.Offered(Refresh(1), 3)), (1, f.Offered(Refresh(2), 3)))
    assert actions == [f.Send(0, Refresh(1))]
    fleet, actions = run(fleet, (2, f.Answered(0)))
    assert idle_slots(fleet) == 1 and actions == []


def test_a_stream_table_returns_to_the_child_that_knows_it() -> None:
    fleet = ready(3)
    for pgt_id in (1, 2, 3):
        fleet, _ = run(fleet, (1, f.Offered(Refresh(pgt_id), 3, home=pgt_id)))
    homes = dict(fleet.homes)
    assert sorted(homes.values()) == [0, 1, 2]
    fleet, _ = run(fleet, *((2.0, f.Answered(slot)) for slot in range(3)))
    for pgt_id in (3, 1, 2):
        fleet, actions = run(fleet, (3, f.Offered(Refresh(pgt_id), 3, home=pgt_id)))
        assert actions == [f.Send(homes[pgt_id], Refresh(pgt_id))]


def test_a_child_that_hangs_is_killed_and_its_job_is_reported_lost() -> None:
    fleet, actions = run(busy(), (2.9, f.Tick()))
    assert actions == []
    fleet, actions = run(fleet, (3, f.Tick()))
    assert actions == [f.Kill(0, "busy for too long")]
    fleet, actions = run(fleet, (3.1, f.Exited(0, -9)))
    assert actions == [f.Lost(0, Refresh(1), -9)]


def test_a_child_that_never_says_hello_is_killed() -> None:
    fleet, _ = run(new_fleet(1, LIMITS), (0, f.Tick()))
    assert run(fleet, (5, f.Tick()))[1] == [f.Kill(0, "starting for too long")]


def test_an_answer_that_crosses_the_kill_is_not_lost() -> None:
    fleet, _ = run(busy(), (3, f.Tick()), (3, f.Answered(0)))
    assert run(fleet, (3.1, f.Exited(0, -9)))[1] == []


def test_crashes_back_off_and_health_forgives() -> None:
    fleet, now, rests = ready(), 0.0, []
    for _ in range(6):
        fleet, _ = run(fleet, (now, f.Exited(0, -9, draw=0.5)))
        deadline = fleet.children[0].deadline
        assert deadline is not None
        rests.append(deadline - now)
        fleet, actions = run(fleet, (deadline, f.Tick()), (deadline, f.Ready(0)))
        assert actions == [f.Spawn(0)]
        now = deadline
    assert rests == sorted(rests) and rests[-1] > 20 * rests[0]
    fleet, _ = run(fleet, (now + HEALTHY_SECONDS, f.Tick()))
    assert fleet.children[0].failures == 0


def test_a_fat_child_is_replaced_when_idle_and_without_back_off() -> None:
    fleet, actions = run(ready(), (1, f.Weighed(0, 1001)))
    assert actions == [f.Ask(0, "over its memory limit")]
    fleet, actions = run(fleet, (2, f.Exited(0, exits.STOPPED)), (2, f.Tick()))
    assert actions == [f.Spawn(0)]


def test_a_fat_busy_child_finishes_first_unless_it_is_far_over() -> None:
    fleet, actions = run(busy(), (1, f.Weighed(0, 1500)))
    assert actions == []
    assert run(fleet, (2, f.Answered(0)))[1] == [f.Ask(0, "over its memory limit")]
    assert run(fleet, (2, f.Weighed(0, 2001)))[1] == [f.Kill(0, "far over its memory limit")]


def test_a_fleet_drains() -> None:
    fleet, _ = run(ready(2), (0, f.Offered(Refresh(1), 30, home=1)))
    fleet, actions = run(fleet, (1, f.StopRequested()))
    assert actions == [f.Ask(1, "stopping")]
    fleet, actions = run(fleet, (2, f.Exited(1, 0)), (2, f.Answered(0)))
    assert actions == [f.Ask(0, "stopping")]
    fleet, actions = run(fleet, (3, f.Exited(0, 0)))
    assert actions == [f.Finish(hard=False, broken=False)]


def test_the_drain_timeout_ends_it_hard() -> None:
    fleet = run(busy(), (1, f.StopRequested()))[0]
    fleet = replace(fleet, children=(replace(fleet.children[0], deadline=99.0),))
    fleet, actions = run(fleet, (10.9, f.Tick()))
    assert actions == []
    fleet, actions = run(fleet, (11, f.Tick()))
    assert actions == [f.Kill(0, "the drain timeout has passed")]
    fleet, actions = run(fleet, (11.1, f.Exited(0, -9)))
    assert actions == [f.Lost(0, Refresh(1), -9), f.Finish(hard=True, broken=False)]


def test_a_second_signal_ends_it_at_once() -> None:
    actions = run(busy(), (1, f.StopRequested()), (1.1, f.StopRequested()))[1]
    assert actions == [f.Kill(0, "asked to stop at once")]


def test_children_that_can_never_work_end_the_instance() -> None:
    fleet, _ = run(new_fleet(1, LIMITS), (0, f.Tick()))
    fleet, actions = run(fleet, (1, f.Exited(0, exits.CONFIGURATION)))
    assert actions == [f.Finish(hard=False, broken=True)]


def test_once_any_child_worked_a_configuration_error_is_a_crash() -> None:
    fleet, actions = run(ready(), (1, f.Exited(0, exits.CONFIGURATION)))
    assert actions == [] and fleet.mode is f.Mode.RUNNING


class FleetWalk(RuleBasedStateMachine):
    """Anything that can happen to an instance, in any order."""

    @initialize(size=st.integers(1, 4))
    def begin(self, size: int) -> None:
        self.fleet = new_fleet(size, LIMITS)
        self.now = 0.0
        self.next_job = 0
        self.processes: dict[int, str] = {}  # slot → new, waiting, working, leaving, doomed
        self.jobs: dict[int, Refresh] = {}  # slot → what it works on, in the world
        self.owed: set[int] = set()  # jobs sent and not yet answered or lost
        self.finished = False

    def happen(self, event: f.Event) -> None:
        was_running = self.fleet.mode is f.Mode.RUNNING
        self.fleet, actions = step(self.fleet, event, self.now)
        for action in actions:
            self.obey(action, was_running)

    def obey(self, action: f.Action, was_running: bool) -> None:
        match action:
            case f.Spawn(slot=slot):
                assert slot not in self.processes, "two processes in one slot"
                assert was_running and not self.finished, "started while stopping"
                self.processes[slot] = "new"
            case f.Send(slot=slot, job=job):
                assert self.processes[slot] == "waiting"
                assert isinstance(job, Refresh) and job.pgt_id not in self.owed
                self.processes[slot], self.jobs[slot] = "working", job
                self.owed.add(job.pgt_id)
            case f.Ask(slot=slot):
                assert self.processes[slot] == "waiting", "asked while it works"
                self.processes[slot] = "leaving"
            case f.Kill(slot=slot):
                assert slot in self.processes
                self.processes[slot] = "doomed"
            case f.Lost(job=job):
                assert isinstance(job, Refresh)
                self.owed.remove(job.pgt_id)
            case f.Finish():
                assert not self.processes, "finished with children alive"
                assert not self.owed, "finished with a job unaccounted for"
                self.finished = True

    @rule(seconds=st.floats(0.01, 20))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.happen(f.Tick())

    @rule(pick=st.integers(0, 9))
    def a_child_says_hello(self, pick: int) -> None:
        self.with_one("new", pick, lambda slot: self.now_waiting(slot))

    def now_waiting(self, slot: int) -> None:
        self.processes[slot] = "waiting"
        self.happen(f.Ready(slot))

    @rule(limit=st.floats(0.1, 30), same=st.booleans())
    def a_job_is_offered(self, limit: float, same: bool) -> None:
        if not (same and self.next_job not in self.owed):
            self.next_job += 1
        before = len(self.owed)
        could = idle_slots(self.fleet)
        self.happen(f.Offered(Refresh(self.next_job), limit, home=self.next_job))
        assert len(self.owed) - before == (1 if could else 0)

    @rule(pick=st.integers(0, 9))
    def a_job_is_answered(self, pick: int) -> None:
        self.with_one("working", pick, self.answer)

    @rule(pick=st.integers(0, 9))
    def an_answer_crosses_a_kill(self, pick: int) -> None:
        self.with_one("doomed", pick, lambda slot: self.answer(slot) if slot in self.jobs else None)

    def answer(self, slot: int) -> None:
        self.owed.remove(self.jobs.pop(slot).pgt_id)
        if self.processes[slot] == "working":
            self.processes[slot] = "waiting"
        self.happen(f.Answered(slot))

    @rule(pick=st.integers(0, 9), code=st.sampled_from([-9, 1, exits.UNAVAILABLE, exits.CONFIGURATION]))
    def a_child_dies(self, pick: int, code: int) -> None:
        if self.processes:
            self.bury(sorted(self.processes)[pick % len(self.processes)], code)

    @rule(pick=st.integers(0, 9))
    def a_child_leaves(self, pick: int) -> None:
        self.with_one("leaving", pick, lambda slot: self.bury(slot, exits.STOPPED))

    def bury(self, slot: int, code: int) -> None:
        del self.processes[slot]
        self.jobs.pop(slot, None)
        self.happen(f.Exited(slot, code))

    @rule(pick=st.integers(0, 9), memory=st.sampled_from([10, 1500, 3000]))
    def a_child_is_weighed(self, pick: int, memory: int) -> None:
        if self.processes:
            self.happen(f.Weighed(sorted(self.processes)[pick % len(self.processes)], memory))

    @precondition(lambda self: self.now > 5)
    @rule()
    def a_signal_comes(self) -> None:
        self.happen(f.StopRequested())

    def with_one(self, state: str, pick: int, act: object) -> None:
        slots = sorted(slot for slot, now in self.processes.items() if now == state)
        if slots and callable(act):
            act(slots[pick % len(slots)])

    @invariant()
    def phases_tell_the_truth(self) -> None:
        for slot, child in enumerate(self.fleet.children):
            assert (child.phase in f.ALIVE) == (slot in self.processes)
            assert (child.job is not None) == (slot in self.jobs)
            assert child.phase is not f.Phase.BUSY or child.job is not None

    @invariant()
    def every_wait_has_an_end(self) -> None:
        for child in self.fleet.children:
            if child.phase in (f.Phase.RESTING, f.Phase.STARTING, f.Phase.BUSY, f.Phase.LEAVING):
                assert child.deadline is not None

    def teardown(self) -> None:
        """From wherever the walk ended: a signal, and time, end the instance."""
        if not hasattr(self, "fleet"):
            return
        self.happen(f.StopRequested())
        for _ in range(10):
            self.now += 60
            self.happen(f.Tick())
            for slot in sorted(self.processes):
                if self.processes[slot] in ("doomed", "leaving"):
                    self.bury(slot, -9 if self.processes[slot] == "doomed" else exits.STOPPED)
        assert self.finished


TestFleetWalk = FleetWalk.TestCase
