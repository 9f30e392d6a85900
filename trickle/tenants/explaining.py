"""Why does a tenant not run? What the supervisor that is asked knows of it, in one sentence."""

from __future__ import annotations

import time

from trickle.tenants.dispatcher import Dispatcher
from trickle.tenants.roll import Roll
from trickle.tenants.stage import Stage


def explain(tenant: str, roll: Roll, stage: Stage, dispatcher: Dispatcher) -> str:
    """The first reason that there is, or that it runs."""
    now, pool = time.monotonic(), stage.pool
    place = pool.places.get(tenant)
    if place is not None:
        return f"it is {place.phase.value}, since {now - place.since:.0f} s, reason {place.why.value}"
    if tenant not in roll.listed:
        return "it is not listed, or suspended"
    if tenant not in roll.ours:
        return "another supervisor of the group looks after it"
    if stage.home is None:
        return "the home database cannot be reached: nothing becomes hot"
    rest = pool.resting.get(tenant)
    if rest is not None and rest.until > now:
        return f"it failed {rest.failures} times, and is tried again in {rest.until - now:.0f} s"
    if tenant in pool.waiting:
        return f"it waits for a place: {len(pool.places)} of {pool.limits.most} are taken"
    problem = dispatcher.problem(tenant)
    if problem is not None:
        return f"it could not be looked at: {problem}"
    return "it is cold: there was nothing to do when it was looked at last"
