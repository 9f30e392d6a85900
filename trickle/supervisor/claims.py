"""Who should own which stream table: computed by everyone from the same facts, raced for by nobody.

Rendezvous hashing: for a name, every live member gets a score from a hash of both, weighted by its
capacity; the highest owns it. When a member leaves, only its names move; when one joins, it takes about 1/N
from each. The hash is of the lock's key and not of the name, because two names behind one key must have one
owner.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class Member:
    """A live instance of the group."""

    instance_id: str
    capacity: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    """What to ask of the lock session now."""

    take: frozenset[str]
    release: frozenset[str]


def owner(key: int, members: Iterable[Member]) -> str | None:
    """The member that should hold this key; None when there is no member."""
    best = max(members, key=lambda member: (_score(key, member), member.instance_id), default=None)
    return best.instance_id if best else None


def share(keys: Mapping[str, int], members: Iterable[Member], instance_id: str) -> frozenset[str]:
    """The names that this instance should own."""
    everyone = tuple(members)
    return frozenset(name for name, key in keys.items() if owner(key, everyone) == instance_id)


def decide(mine: frozenset[str], held: frozenset[str], in_hand: frozenset[str]) -> Decision:
    """Take what is ours and not held; give back what is held, not ours, and not being worked on."""
    return Decision(take=mine - held, release=held - mine - in_hand)


def _score(key: int, member: Member) -> float:
    digest = blake2b(f"{key}\0{member.instance_id}".encode(), digest_size=8).digest()
    uniform = (int.from_bytes(digest, "big") + 0.5) / 2**64
    # Weighted rendezvous: -w / ln(u) makes the chance to be the highest proportional to w.
    return math.inf if uniform >= 1 else -member.capacity / math.log(uniform)
