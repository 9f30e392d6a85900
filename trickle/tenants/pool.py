"""The hot pool as a state machine: who is hot, who waits, who has to go. Pure.

    wanted ──▶ waiting ──room, rested──▶ promoting ──▶ hot ──idle, evicted, unwanted──▶ demoting ──▶ gone
                  ▲                          │          │                                  │
                  ├── with back-off ── failed ◀── ended by itself                          │
                  └──────────────────────── wanted meanwhile ──────────────────────────────┘

A place is taken from the first promoting to the end of demoting: connections are open for so long, so there are never
more of them than `most`. When somebody waits and no place is free, the tenant that has been idle for longest has to go,
but not before it has been hot for `least_seconds`: two tenants that take turns do not push each other out at every job.
Where all are busy, one whose turn is over goes; it finishes what it has in hand, and waits behind the others.

Only a few become hot at once: a process and its connections are work for processors, and the first of fifty that share
them would be ready as late as the last. One that takes long waits for its server, not for a processor, and holds up
nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from trickle.clock import backoff_seconds
from trickle.tenants.places import Phase, Place, Pool, Rest, Want, Why

_Value = TypeVar("_Value")

# For a process to say what it has handed back, and to go.
_LAST_WORDS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody has something to do for this tenant."""

    tenant: str
    why: Why
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Promoted:
    """It is hot."""

    tenant: str


@dataclass(frozen=True, slots=True)
class Reported:
    """It has something to do, or has not."""

    tenant: str
    is_busy: bool


@dataclass(frozen=True, slots=True)
class Unwanted:
    """It has to go: removed, suspended, moved, somebody else's, or by hand."""

    tenant: str
    why: Why


@dataclass(frozen=True, slots=True)
class Ended:
    """Its process is gone, and its connections with it; `draw` in [0, 1) is chance for the back-off."""

    tenant: str
    draw: float


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Demote all; `is_hard`: at once."""

    is_hard: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Promote:
    """Start its process."""

    tenant: str
    why: Why


@dataclass(frozen=True, slots=True)
class Demote:
    """Ask its process to end; a second time, not to wait for jobs."""

    tenant: str
    why: Why


@dataclass(frozen=True, slots=True)
class Kill:
    """It has not ended in time."""

    tenant: str


Event = Wanted | Promoted | Reported | Unwanted | Ended | StopRequested | Tick
Action = Promote | Demote | Kill
Step = tuple[Pool, tuple[Action, ...]]


def step(pool: Pool, happened: Event, now: float) -> Step:
    """What an event leads to; actions are to be carried out in order."""
    actions: list[Action] = []
    match happened:
        case Wanted():
            pool = _wanted(pool, happened, now)
        case Promoted(tenant):
            pool = _promoted(pool, tenant, now)
        case Reported(tenant, is_busy):
            pool = _reported(pool, tenant, is_busy, now)
        case Unwanted(tenant, why):
            pool = replace(pool, waiting=_without(pool.waiting, tenant), resting=_without(pool.resting, tenant))
            pool, actions = _demote(pool, tenant, why, now)
        case Ended(tenant, draw):
            pool = _ended(pool, tenant, draw, now)
        case StopRequested(is_hard):
            pool, actions = _stop(pool, is_hard, now)
        case Tick():
            pass
    pool, settled = _settle(pool, now)
    return pool, (*actions, *settled)


def _wanted(pool: Pool, wanted: Wanted, now: float) -> Pool:
    place = pool.places.get(wanted.tenant)
    is_there = place is not None and place.phase is not Phase.DEMOTING
    known = pool.waiting.get(wanted.tenant)
    is_by_hand = wanted.why is Why.MANUAL  # whoever says so by hand knows better
    if pool.is_stopping or is_there or (known is not None and not is_by_hand):
        return pool
    since = now if known is None else known.since
    waiting = {**pool.waiting, wanted.tenant: Want(wanted.why, since, wanted.weight)}
    resting = _without(pool.resting, wanted.tenant) if is_by_hand else pool.resting
    return replace(pool, waiting=waiting, resting=resting)


def _promoted(pool: Pool, tenant: str, now: float) -> Pool:
    place = pool.places.get(tenant)
    if place is None or place.phase is not Phase.PROMOTING:
        return pool
    hot = replace(place, phase=Phase.HOT, since=now, idle_since=now, deadline=None)
    return replace(pool, places={**pool.places, tenant: hot}, resting=_without(pool.resting, tenant))


def _reported(pool: Pool, tenant: str, is_busy: bool, now: float) -> Pool:
    place = pool.places.get(tenant)
    if place is None or place.is_busy == is_busy:
        return pool
    return replace(pool, places={**pool.places, tenant: replace(place, is_busy=is_busy, idle_since=now)})


def _ended(pool: Pool, tenant: str, draw: float, now: float) -> Pool:
    place = pool.places.get(tenant)
    if place is None:
        return pool
    pool = replace(pool, places=_without(pool.places, tenant))
    if place.phase is Phase.DEMOTING and place.why is not Why.ERROR:
        return pool
    known = pool.resting.get(tenant)
    failures = 1 if known is None else known.failures + 1
    base, cap = pool.limits.backoff_base_seconds, pool.limits.backoff_cap_seconds
    rest = Rest(now + backoff_seconds(failures, base=base, cap=cap, draw=draw), failures)
    return replace(pool, resting={**pool.resting, tenant: rest})


def _stop(pool: Pool, is_hard: bool, now: float) -> tuple[Pool, list[Action]]:
    is_again = pool.is_stopping
    pool = replace(pool, is_stopping=True, waiting={})
    actions: list[Action] = []
    for tenant in sorted(pool.places):
        if is_hard or is_again:
            place = replace(pool.places[tenant], phase=Phase.DEMOTING, deadline=now + _LAST_WORDS_SECONDS)
            pool = replace(pool, places={**pool.places, tenant: place})
            actions += [Demote(tenant, Why.SHUTDOWN), Demote(tenant, Why.SHUTDOWN)]
        elif pool.places[tenant].phase is not Phase.PROMOTING:
            pool, asked = _demote(pool, tenant, Why.SHUTDOWN, now)
            actions += asked
    return pool, actions


def _settle(pool: Pool, now: float) -> tuple[Pool, list[Action]]:
    """What follows from how things stand: who is late, who is idle, who makes room, who gets a place."""
    actions: list[Action] = []
    for tenant, place in sorted(pool.places.items()):
        if place.deadline is not None and now >= place.deadline and not place.was_killed:
            why = Why.ERROR if place.phase is Phase.PROMOTING else place.why
            killed = replace(place, phase=Phase.DEMOTING, why=why, deadline=None, was_killed=True)
            pool = replace(pool, places={**pool.places, tenant: killed})
            actions.append(Kill(tenant))
        elif place.phase is Phase.HOT and pool.is_stopping:
            pool, asked = _demote(pool, tenant, Why.SHUTDOWN, now)
            actions += asked
        elif place.phase is Phase.HOT and not place.is_busy and now >= place.idle_since + pool.limits.idle_seconds:
            pool, asked = _demote(pool, tenant, Why.IDLE, now)
            actions += asked
        elif place.is_starting and now >= place.since + pool.limits.slow_seconds:
            pool = replace(pool, places={**pool.places, tenant: replace(place, is_slow=True)})
    for tenant in _evicted(pool, now):
        pool, asked = _demote(pool, tenant, Why.EVICTION, now)
        actions += asked
    for tenant in _admitted(pool, now):
        want = pool.waiting[tenant]
        place = Place(Phase.PROMOTING, want.why, now, weight=want.weight, deadline=now + pool.limits.promote_seconds)
        pool = replace(pool, places={**pool.places, tenant: place}, waiting=_without(pool.waiting, tenant))
        actions.append(Promote(tenant, want.why))
    return pool, actions


def _admitted(pool: Pool, now: float) -> list[str]:
    """Who begins to become hot now: by hand first, then in the order of waiting."""
    free = min(pool.limits.most - len(pool.places), pool.limits.at_once - len(pool.starting))
    return _eligible(pool, now)[: max(0, free)]


def _evicted(pool: Pool, now: float) -> list[str]:
    """Who makes room for those that would find no place: the idle for longest, then those whose turn is over."""
    free = pool.limits.most - len(pool.places)
    leaving = sum(place.phase is Phase.DEMOTING for place in pool.places.values())
    needed = len(_eligible(pool, now)) - max(0, free) - leaving
    if needed <= 0:
        return []
    hot = [(tenant, place) for tenant, place in pool.places.items() if place.phase is Phase.HOT]
    idle = [
        (place.idle_since, tenant)
        for tenant, place in hot
        if not place.is_busy and now >= place.since + pool.limits.least_seconds
    ]
    over = [
        (place.since, tenant)
        for tenant, place in hot
        if place.is_busy and now >= place.since + place.turn_seconds(pool.limits)
    ]
    return [tenant for _, tenant in (*sorted(idle), *sorted(over))][:needed]


def _eligible(pool: Pool, now: float) -> list[str]:
    """Who waits, has rested, and is not on its way out just now."""
    found = [
        (want.why is not Why.MANUAL, want.since, tenant)
        for tenant, want in pool.waiting.items()
        if tenant not in pool.places and (tenant not in pool.resting or now >= pool.resting[tenant].until)
    ]
    return [tenant for *_, tenant in sorted(found)]


def _demote(pool: Pool, tenant: str, why: Why, now: float) -> tuple[Pool, list[Action]]:
    place = pool.places.get(tenant)
    if place is None or place.phase is Phase.DEMOTING:
        return pool, []
    leaving = replace(
        place, phase=Phase.DEMOTING, why=why, deadline=now + pool.limits.drain_seconds + _LAST_WORDS_SECONDS
    )
    return replace(pool, places={**pool.places, tenant: leaving}), [Demote(tenant, why)]


def _without(mapping: Mapping[str, _Value], name: str) -> Mapping[str, _Value]:
    return {key: value for key, value in mapping.items() if key != name} if name in mapping else mapping
