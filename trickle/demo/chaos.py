"""`kill -9` of a worker every few seconds, and how long its stream tables stay without an owner."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

_SHORTEST_SECONDS = 4.0
_LONGEST_SECONDS = 7.0


@dataclass(frozen=True, slots=True)
class TakeOver:
    """A worker that was killed, what it owned, and after how long others owned all of that."""

    instance_id: str
    killed_at: float
    stream_tables: frozenset[str]
    seconds: float | None = None


def next_strike(now: float, draw: random.Random) -> float:
    """The moment of the next kill."""
    return now + draw.uniform(_SHORTEST_SECONDS, _LONGEST_SECONDS)


def choose_victim(running: Sequence[str], wanted: int, owners: Mapping[str, str], draw: random.Random) -> str | None:
    """A worker that has work, while every place is filled: whoever takes over must be there already."""
    working = [instance_id for instance_id in running if instance_id in set(owners.values())]
    return draw.choice(working) if len(working) == wanted else None


def begin(instance_id: str, owners: Mapping[str, str], now: float) -> TakeOver:
    return TakeOver(instance_id, now, frozenset(name for name, owner in owners.items() if owner == instance_id))


def settle(takeover: TakeOver, owners: Mapping[str, str], running: Collection[str], now: float) -> TakeOver:
    """The take-over, finished when everything the victim owned belongs to a worker that runs."""
    if takeover.seconds is not None:
        return takeover
    done = all(owners.get(name) in running for name in takeover.stream_tables)
    return replace(takeover, seconds=now - takeover.killed_at) if done else takeover
