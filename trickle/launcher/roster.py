"""The instances of a launcher as a state machine: what should run, what ended, what to do. Pure.

    resting ──time, wanted──▶ running ──not wanted, stop──▶ asked ──time──▶ pressed ──time──▶ killed
       ▲                         │                            │                │                │
       └──── ended, with back-off ──── or without, when it was asked to end ◀──┴────────────────┘

An instance that is asked ends by itself: it finishes what it has in hand. Pressed, by a second signal, it gives
that up, safely.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from trickle.clock import backoff_seconds


class Phase(StrEnum):
    """Where an instance stands."""

    RESTING = "resting"
    RUNNING = "running"
    ASKED = "asked"
    PRESSED = "pressed"
    KILLED = "killed"


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds."""

    drain_seconds: float = 60.0  # between asking and pressing
    hasty_seconds: float = 1.0  # the same where somebody waits for the database
    press_seconds: float = 5.0  # between pressing and killing
    hasty_press_seconds: float = 1.0
    backoff_base_seconds: float = 1.0
    backoff_cap_seconds: float = 60.0
    steady_seconds: float = 60.0  # what has run so long starts its back-off anew


@dataclass(frozen=True, slots=True)
class Runner:
    """The instance of one database, or the place of one."""

    slot: int
    phase: Phase = Phase.RESTING
    since: float = 0.0
    deadline: float | None = None  # when to start it (resting), to press it (asked), to kill it (pressed)
    failures: int = 0

    @property
    def is_alive(self) -> bool:
        return self.phase is not Phase.RESTING


@dataclass(frozen=True, slots=True)
class Roster:
    """All instances, by database."""

    limits: Limits = field(default_factory=Limits)
    runners: Mapping[str, Runner] = field(default_factory=dict)
    wanted: frozenset[str] = frozenset()
    is_stopping: bool = False

    @property
    def alive(self) -> frozenset[str]:
        return frozenset(name for name, runner in self.runners.items() if runner.is_alive)

    @property
    def is_finished(self) -> bool:
        return self.is_stopping and not self.alive

    @property
    def next_deadline(self) -> float | None:
        return min((r.deadline for r in self.runners.values() if r.deadline is not None), default=None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should run from now on, and which of the others somebody waits for."""

    databases: frozenset[str]
    hasty: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ended:
    """An instance's process is gone; `draw` in [0, 1) is chance for the back-off."""

    database: str
    draw: float


@dataclass(frozen=True, slots=True)
class StopRequested:
    """A signal to the launcher: the first asks, another one presses."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Start:
    """Fork an instance for this database."""

    database: str
    slot: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Send SIGTERM; a second one presses."""

    database: str


@dataclass(frozen=True, slots=True)
class Kill:
    """Send SIGKILL."""

    database: str


Event = Wanted | Ended | StopRequested | Tick
Action = Start | Ask | Kill
Step = tuple[Roster, tuple[Action, ...]]


def step(roster: Roster, happened: Event, now: float) -> Step:
    """What an event leads to; actions are to be carried out in order."""
    match happened:
        case Wanted(databases=databases, hasty=hasty):
            roster = replace(roster, wanted=frozenset() if roster.is_stopping else databases)
            return _settle(roster, now, hasty)
        case Ended(database=database, draw=draw):
            return _settle(_ended(roster, database, draw, now), now)
        case StopRequested():
            is_second = roster.is_stopping
            roster = replace(roster, wanted=frozenset(), is_stopping=True)
            return _press_all(roster, now) if is_second else _settle(roster, now)
        case Tick():
            return _settle(roster, now)


def _settle(roster: Roster, now: float, hasty: frozenset[str] = frozenset()) -> Step:
    """Bring every runner one step nearer to what is wanted."""
    actions: list[Action] = []
    runners = dict(roster.runners)
    for name in sorted(roster.wanted - runners.keys()):
        runners[name] = Runner(_free_slot(runners), deadline=now)
    for name, runner in sorted(runners.items()):
        settled, action = _advance(runner, name, name in roster.wanted, name in hasty, roster.limits, now)
        if action is not None:
            actions.append(action)
        if settled.is_alive or name in roster.wanted:
            runners[name] = settled
        else:
            del runners[name]
    return replace(roster, runners=runners), tuple(actions)


def _advance(
    runner: Runner, name: str, is_wanted: bool, is_hasty: bool, limits: Limits, now: float
) -> tuple[Runner, Action | None]:
    is_due = runner.deadline is not None and now >= runner.deadline
    match runner.phase:
        case Phase.RESTING if is_wanted and is_due:
            return replace(runner, phase=Phase.RUNNING, since=now, deadline=None), Start(name, runner.slot)
        case Phase.RUNNING if not is_wanted:
            patience = limits.hasty_seconds if is_hasty else limits.drain_seconds
            return replace(runner, phase=Phase.ASKED, since=now, deadline=now + patience), Ask(name)
        case Phase.ASKED if is_due:
            return _pressed(runner, limits.press_seconds, now), Ask(name)
        case Phase.ASKED if is_hasty:
            # It was asked with patience, and now somebody waits.
            return replace(runner, deadline=min(runner.deadline or now, now + limits.hasty_seconds)), None
        case Phase.PRESSED if is_hasty and not is_due:
            soon = now + limits.hasty_press_seconds
            return replace(runner, deadline=min(runner.deadline or now, soon)), None
        case Phase.PRESSED if is_due:
            return replace(runner, phase=Phase.KILLED, since=now, deadline=None), Kill(name)
        case _:
            return runner, None


def _press_all(roster: Roster, now: float) -> Step:
    runners = dict(roster.runners)
    actions: list[Action] = []
    for name, runner in sorted(runners.items()):
        if runner.phase in (Phase.RUNNING, Phase.ASKED):
            runners[name] = _pressed(runner, roster.limits.press_seconds, now)
            actions.append(Ask(name))
    return replace(roster, runners=runners), tuple(actions)


def _pressed(runner: Runner, seconds: float, now: float) -> Runner:
    return replace(runner, phase=Phase.PRESSED, since=now, deadline=now + seconds)


def _ended(roster: Roster, name: str, draw: float, now: float) -> Roster:
    runner = roster.runners.get(name)
    if runner is None or not runner.is_alive:
        return roster
    if runner.phase is Phase.RUNNING:
        limits = roster.limits
        failures = 1 if now - runner.since >= limits.steady_seconds else runner.failures + 1
        pause = backoff_seconds(failures, base=limits.backoff_base_seconds, cap=limits.backoff_cap_seconds, draw=draw)
        rested = replace(runner, phase=Phase.RESTING, since=now, deadline=now + pause, failures=failures)
    else:
        rested = Runner(runner.slot, since=now, deadline=now)
    return replace(roster, runners={**roster.runners, name: rested})


def _free_slot(runners: Mapping[str, Runner]) -> int:
    taken = {runner.slot for runner in runners.values()}
    return next(number for number in range(len(taken) + 1) if number not in taken)
