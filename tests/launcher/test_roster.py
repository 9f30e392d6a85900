"""The instances of a launcher: started, asked, pressed, killed and started again, whatever happens in which order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from trickle.launcher.roster import (
    Action,
    Ask,
    Ended,
    Event,
    Kill,
    Limits,
    Phase,
    Roster,
    Start,
    StopRequested,
    Tick,
    Wanted,
    step,
)

NAMES = frozenset({"a", "b", "c"})


def wanted(*names: str, hasty: str = "") -> Wanted:
    return Wanted(frozenset(names), frozenset(hasty))


def play(*events: tuple[float, Event]) -> tuple[Roster, list[Action]]:
    """The roster after these events, and the actions of the last one."""
    roster = Roster(Limits(drain_seconds=60))
    actions: tuple[Action, ...] = ()
    for now, happened in events:
        roster, actions = step(roster, happened, now)
    return roster, list(actions)


def test_what_is_wanted_is_started_at_once_and_once() -> None:
    assert play((0, wanted("a", "b")))[1] == [Start("a", 0), Start("b", 1)]
    assert play((0, wanted("a")), (1, wanted("a")), (2, Tick()))[1] == []


def test_what_ends_by_itself_is_started_again_with_back_off() -> None:
    crash = (wanted("a"), Ended("a", 0.5))
    assert play((0, crash[0]), (1, crash[1]), (1.9, Tick()))[1] == []
    assert play((0, crash[0]), (1, crash[1]), (2, Tick()))[1] == [Start("a", 0)]
    roster, actions = play((0, crash[0]), (1, crash[1]), (2, Tick()), (3, crash[1]), (4, Tick()))
    assert (actions, roster.runners["a"].failures) == ([], 2)
    assert step(roster, Tick(), 5)[1] == (Start("a", 0),)


def test_back_off_begins_anew_after_a_steady_minute() -> None:
    roster, _ = play((0, wanted("a")), (1, Ended("a", 0.5)), (2, Tick()), (3, Ended("a", 0.5)), (5, Tick()))
    assert step(roster, Ended("a", 0.5), 70)[0].runners["a"].failures == 1


def test_what_is_no_longer_wanted_is_asked_then_pressed_then_killed() -> None:
    roster, actions = play((0, wanted("a")), (1, wanted()))
    assert actions == [Ask("a")]
    roster, actions_of = step(roster, Tick(), 60.9)
    assert actions_of == ()
    roster, actions_of = step(roster, Tick(), 61)
    assert actions_of == (Ask("a"),)
    roster, actions_of = step(roster, Tick(), 66)
    assert actions_of == (Kill("a"),)
    assert step(roster, Ended("a", 0.5), 67)[0].runners == {}


def test_where_somebody_waits_there_is_haste() -> None:
    roster, _ = play((0, wanted("a")), (1, wanted(hasty="a")), (2, wanted(hasty="a")))
    assert roster.runners["a"].phase is Phase.PRESSED
    roster, _ = step(roster, wanted(hasty="a"), 2.5)
    assert step(roster, Tick(), 3.5)[1] == (Kill("a"),)


def test_haste_comes_to_one_that_was_asked_with_patience() -> None:
    roster, _ = play((0, wanted("a")), (1, wanted()), (2, wanted(hasty="a")), (2.5, wanted(hasty="a")))
    assert step(roster, Tick(), 3)[1] == (Ask("a"),)


def test_what_is_wanted_again_is_started_as_soon_as_it_has_ended() -> None:
    roster, actions = play((0, wanted("a")), (1, wanted()), (2, wanted("a")))
    assert actions == []
    assert step(roster, Ended("a", 0.5), 3)[1] == (Start("a", 0),)


def test_a_second_signal_presses_all() -> None:
    roster, actions = play((0, wanted("a", "b")), (1, StopRequested()))
    assert actions == [Ask("a"), Ask("b")]
    assert step(roster, StopRequested(), 2)[1] == (Ask("a"), Ask("b"))


def test_a_place_is_used_again() -> None:
    roster, _ = play((0, wanted("a", "b")), (1, wanted("b")), (2, Ended("a", 0.5)))
    assert step(roster, wanted("b", "c"), 3)[1] == (Start("c", 0),)


class Walk(RuleBasedStateMachine):
    """Any events in any order, with a model of which processes really run."""

    def __init__(self) -> None:
        super().__init__()
        self.roster = Roster(Limits(drain_seconds=20))
        self.now = 0.0
        self.running: set[str] = set()
        self.slots: dict[str, int] = {}
        self.is_stopping = False

    def feed(self, happened: Event) -> None:
        self.roster, actions = step(self.roster, happened, self.now)
        for action in actions:
            match action:
                case Start(database=name, slot=slot):
                    assert name not in self.running, "two processes for one database"
                    assert not self.is_stopping, "started while stopping"
                    assert name in self.roster.wanted
                    self.running.add(name)
                    self.slots[name] = slot
                case Ask(database=name) | Kill(database=name):
                    assert name in self.running, "a signal to nobody"

    @rule(names=st.frozensets(st.sampled_from(sorted(NAMES))), hasty=st.frozensets(st.sampled_from(sorted(NAMES))))
    def want(self, names: frozenset[str], hasty: frozenset[str]) -> None:
        self.feed(Wanted(names - hasty, hasty))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), draw=st.floats(0, 1, exclude_max=True))
    def end(self, data: st.DataObject, draw: float) -> None:
        name = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(name)
        del self.slots[name]
        self.feed(Ended(name, draw))

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.feed(Tick())

    @rule()
    def stop(self) -> None:
        self.is_stopping = True
        self.feed(StopRequested())

    @invariant()
    def it_knows_what_runs(self) -> None:
        assert self.roster.alive == self.running
        assert self.roster.is_finished == (self.is_stopping and not self.running)

    @invariant()
    def places_are_not_shared(self) -> None:
        assert len(set(self.slots.values())) == len(self.slots)
        assert all(slot < len(NAMES) for slot in self.slots.values())

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """What is wanted runs or has a time to start; what is not wanted and runs has been asked to end."""
        for name in self.roster.wanted:
            runner = self.roster.runners[name]
            assert runner.is_alive or runner.deadline is not None
        for name in self.running - self.roster.wanted:
            assert self.roster.runners[name].phase is not Phase.RUNNING

    def teardown(self) -> None:
        """However it stands: asked to stop, everything ends, even what never listens."""
        self.stop()
        for _ in range(4):
            self.now += 30
            self.feed(Tick())
        assert all(self.roster.runners[name].phase is Phase.KILLED for name in self.running)


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
