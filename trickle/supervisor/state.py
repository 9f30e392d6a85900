"""The refresh subprocesses as a pure state machine: step(fleet, event, now) -> (fleet, actions).

    resting ──time──▶ starting ──Hello──▶ idle ⇄ busy
       ▲                 │ too long        │ asked to leave (recycled, or stopping)
       │                 ▼                 ▼
       └──── exited ── killed           leaving ──▶ exited

Crashes back off: each start that ends badly doubles the rest before the next one; an answered job or a
healthy minute forgives all.
A child over its memory limit is asked to leave when idle, and killed at twice the limit. The shell
performs the actions and reports what really happened as further events; it draws the random numbers.
"""

from __future__ import annotations

from dataclasses import replace

from trickle.clock import backoff_seconds
from trickle.supervisor.fleet import (
    ALIVE,
    Action,
    Answered,
    Ask,
    Child,
    Event,
    Exited,
    Finish,
    Fleet,
    Kill,
    Limits,
    Lost,
    Mode,
    Offered,
    Phase,
    Ready,
    Send,
    Spawn,
    StopRequested,
    Tick,
    Weighed,
)
from trickle.worker import exits

HEALTHY_SECONDS = 60.0

Step = tuple[Fleet, list[Action]]


def new_fleet(size: int, limits: Limits) -> Fleet:
    return Fleet(limits, tuple(Child(deadline=0.0) for _ in range(size)))


def idle_slots(fleet: Fleet) -> int:
    """How many jobs would be taken at once."""
    return 0 if fleet.mode is not Mode.RUNNING else sum(1 for c in fleet.children if c.phase is Phase.IDLE)


def step(fleet: Fleet, event: Event, now: float) -> Step:
    """The one transition function; each event has its own below."""
    match event:
        case Tick():
            fleet, actions = _tick(fleet, now)
        case StopRequested():
            fleet, actions = _stop(fleet, now)
        case Offered():
            fleet, actions = _offer(fleet, event, now)
        case Ready(slot=slot):
            fleet, actions = _ready(fleet, slot, now)
        case Answered(slot=slot):
            fleet, actions = _answered(fleet, slot, now)
        case Exited():
            fleet, actions = _exited(fleet, event, now)
        case Weighed():
            fleet, actions = _weighed(fleet, event, now)
    return _finish(fleet, actions)


def _tick(fleet: Fleet, now: float) -> Step:
    actions: list[Action] = []
    overdue = fleet.drain_deadline is not None and now >= fleet.drain_deadline
    if overdue and not fleet.hard:
        return _kill_all(replace(fleet, hard=True), now, "the drain timeout has passed")
    for slot, child in enumerate(fleet.children):
        is_due = child.deadline is not None and now >= child.deadline
        if child.phase is Phase.RESTING and is_due and fleet.mode is Mode.RUNNING:
            starting = replace(child, phase=Phase.STARTING, since=now, deadline=now + fleet.limits.start_seconds)
            fleet = _put(fleet, slot, starting)
            actions.append(Spawn(slot))
        elif child.phase in (Phase.STARTING, Phase.BUSY, Phase.LEAVING) and is_due:
            fleet = _put(fleet, slot, _killed(child, now))
            actions.append(Kill(slot, f"{child.phase} for too long"))
        elif child.phase in (Phase.IDLE, Phase.BUSY) and child.failures and now - child.since >= HEALTHY_SECONDS:
            fleet = _put(fleet, slot, replace(child, failures=0))
    return fleet, actions


def _stop(fleet: Fleet, now: float) -> Step:
    if fleet.mode is Mode.STOPPED:
        return fleet, []
    if fleet.mode is Mode.STOPPING:
        return _kill_all(replace(fleet, hard=True), now, "asked to stop at once")
    return _begin_stopping(fleet, now)


def _begin_stopping(fleet: Fleet, now: float) -> Step:
    fleet = replace(fleet, mode=Mode.STOPPING, drain_deadline=now + fleet.limits.drain_seconds)
    actions: list[Action] = []
    for slot, child in enumerate(fleet.children):
        if child.phase is Phase.RESTING:
            fleet = _put(fleet, slot, replace(child, phase=Phase.GONE, deadline=None))
        elif child.phase is Phase.IDLE:
            fleet, actions = _ask(fleet, slot, now, "stopping", actions)
        elif child.phase is Phase.STARTING:
            # It may hang in a connection attempt and has nothing to finish.
            fleet = _put(fleet, slot, _killed(child, now))
            actions.append(Kill(slot, "stopping"))
    return fleet, actions


def _offer(fleet: Fleet, offer: Offered, now: float) -> Step:
    slot = _choose(fleet, offer.home)
    if slot is None:
        return fleet, []
    busy = replace(fleet.children[slot], phase=Phase.BUSY, job=offer.job, deadline=now + offer.limit_seconds)
    fleet = _put(fleet, slot, busy)
    if offer.home is not None and fleet.homes.get(offer.home) != slot:
        fleet = replace(fleet, homes={**fleet.homes, offer.home: slot})
    return fleet, [Send(slot, offer.job)]


def _choose(fleet: Fleet, home: int | None) -> int | None:
    """The child that knows this table, else the idle child that knows the fewest."""
    idle = [slot for slot, child in enumerate(fleet.children) if child.phase is Phase.IDLE and not child.recycle]
    if fleet.mode is not Mode.RUNNING or not idle:
        return None
    known = fleet.homes.get(home) if home is not None else None
    if known in idle:
        return known
    load = [0] * len(fleet.children)
    for slot in fleet.homes.values():
        load[slot] += 1
    return min(idle, key=lambda slot: (load[slot], slot))


def _ready(fleet: Fleet, slot: int, now: float) -> Step:
    child = fleet.children[slot]
    if child.phase is not Phase.STARTING:
        return fleet, []
    fleet = _put(fleet, slot, replace(child, phase=Phase.IDLE, since=now, deadline=None))
    return replace(fleet, ready_once=True), []


def _answered(fleet: Fleet, slot: int, now: float) -> Step:
    child = fleet.children[slot]
    if child.phase is not Phase.BUSY:
        # The answer crossed our decision to kill: the job is done, and not lost.
        return _put(fleet, slot, replace(child, job=None)), []
    # Whoever has answered is no victim of a crash loop.
    fleet = _put(fleet, slot, replace(child, phase=Phase.IDLE, job=None, deadline=None, failures=0))
    if fleet.mode is Mode.STOPPING:
        return _ask(fleet, slot, now, "stopping", [])
    if child.recycle:
        return _ask(fleet, slot, now, "over its memory limit", [])
    return fleet, []


def _exited(fleet: Fleet, event: Exited, now: float) -> Step:
    child = fleet.children[event.slot]
    actions: list[Action] = [Lost(event.slot, child.job, event.code)] if child.job is not None else []
    fleet = replace(fleet, homes={table: slot for table, slot in fleet.homes.items() if slot != event.slot})
    if fleet.mode is not Mode.RUNNING:
        return _put(fleet, event.slot, Child(Phase.GONE, now)), actions
    if event.code == exits.CONFIGURATION and not fleet.ready_once:
        fleet = _put(fleet, event.slot, Child(Phase.GONE, now))
        fleet, more = _begin_stopping(replace(fleet, broken=True), now)
        return fleet, actions + more
    if child.phase is Phase.LEAVING and event.code == exits.STOPPED:
        return _put(fleet, event.slot, Child(Phase.RESTING, now, deadline=now, failures=child.failures)), actions
    failures = child.failures + 1
    rest = backoff_seconds(
        failures,
        base=fleet.limits.backoff_base_seconds,
        cap=fleet.limits.backoff_cap_seconds,
        draw=event.draw,
    )
    return _put(fleet, event.slot, Child(Phase.RESTING, now, deadline=now + rest, failures=failures)), actions


def _weighed(fleet: Fleet, event: Weighed, now: float) -> Step:
    child = fleet.children[event.slot]
    if event.memory_bytes <= fleet.limits.memory_bytes or child.phase not in (Phase.IDLE, Phase.BUSY):
        return fleet, []
    if child.phase is Phase.IDLE:
        return _ask(fleet, event.slot, now, "over its memory limit", [])
    if event.memory_bytes > 2 * fleet.limits.memory_bytes:
        return _put(fleet, event.slot, _killed(child, now)), [Kill(event.slot, "far over its memory limit")]
    return _put(fleet, event.slot, replace(child, recycle=True)), []


def _ask(fleet: Fleet, slot: int, now: float, why: str, actions: list[Action]) -> Step:
    leaving = replace(fleet.children[slot], phase=Phase.LEAVING, since=now, deadline=now + fleet.limits.leave_seconds)
    return _put(fleet, slot, leaving), [*actions, Ask(slot, why)]


def _kill_all(fleet: Fleet, now: float, why: str) -> Step:
    actions: list[Action] = []
    for slot, child in enumerate(fleet.children):
        if child.phase in ALIVE and child.phase is not Phase.KILLED:
            fleet = _put(fleet, slot, _killed(child, now))
            actions.append(Kill(slot, why))
    return fleet, actions


def _killed(child: Child, now: float) -> Child:
    return replace(child, phase=Phase.KILLED, since=now, deadline=None)


def _put(fleet: Fleet, slot: int, child: Child) -> Fleet:
    return replace(fleet, children=(*fleet.children[:slot], child, *fleet.children[slot + 1 :]))


def _finish(fleet: Fleet, actions: list[Action]) -> Step:
    if fleet.mode is Mode.STOPPING and all(child.phase is Phase.GONE for child in fleet.children):
        return replace(fleet, mode=Mode.STOPPED), [*actions, Finish(fleet.hard, fleet.broken)]
    return fleet, actions
