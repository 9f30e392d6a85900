"""Who should own what: computed by everyone from the same facts, raced for by nobody.

Rendezvous hashing with quotas. For a unit, every live member gets a score from a hash of both, weighted by its
capacity. Each member has a quota, its part of the number of units by capacity, rounded to whole units. Of all
scores the highest goes first: the unit goes to that member unless the unit has an owner or the member is full.
So shares are never a whole unit off, and since nearly everybody stays with the highest score they ever had,
little more moves than must when a member joins or leaves.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class Member:
    """A live instance of the group."""

    instance_id: str
    capacity: int = 1
    lock_budget: int = 0  # locks that it allows the claims of the group to take


@dataclass(frozen=True, slots=True)
class Decision:
    """What to ask of the lock session now."""

    take: frozenset[str]
    release: frozenset[str]


def owner(key: int, members: Iterable[Member]) -> str | None:
    """The member that should look after a thing that comes alone; None when there is no member."""
    best = max(members, key=lambda member: (_score(key, member), member.instance_id), default=None)
    return best.instance_id if best else None


def assign(units: Collection[int], members: Collection[Member]) -> dict[int, str]:
    """The owner of every unit, by the units' keys; nobody owns anything when there is no member."""
    free = quotas(len(units), members)
    scores = ((_score(unit, member), unit, member.instance_id) for unit in units for member in members)
    owners: dict[int, str] = {}
    for _, unit, instance_id in sorted(scores, reverse=True):
        if unit not in owners and free[instance_id]:
            owners[unit] = instance_id
            free[instance_id] -= 1
    return owners


def quotas(count: int, members: Collection[Member]) -> dict[str, int]:
    """So many of `count` units for each, in proportion to capacity; the largest remainders are rounded up."""
    total = sum(member.capacity for member in members)
    exact = {member.instance_id: divmod(count * member.capacity, total) for member in members}
    left = count - sum(whole for whole, _ in exact.values()) if members else 0
    favoured = sorted(exact, key=lambda instance_id: (-exact[instance_id][1], instance_id))[:left]
    return {instance_id: whole + (instance_id in favoured) for instance_id, (whole, _) in exact.items()}


def decide(mine: frozenset[str], held: frozenset[str], in_hand: frozenset[str]) -> Decision:
    """Take what is ours and not held; give back what is held, not ours, and not being worked on."""
    return Decision(take=mine - held, release=held - mine - in_hand)


def _score(key: int, member: Member) -> float:
    digest = blake2b(f"{key}\0{member.instance_id}".encode(), digest_size=8).digest()
    uniform = (int.from_bytes(digest, "big") + 0.5) / 2**64
    # Weighted rendezvous: -w / ln(u) makes the chance to be the highest proportional to w.
    return math.inf if uniform >= 1 else -member.capacity / math.log(uniform)
