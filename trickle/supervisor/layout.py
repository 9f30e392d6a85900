"""Which lock stands for which stream table, and which locks must have one owner. Pure.

The server's lock table has room for so many locks, and it is everybody's. As long as there are no more stream
tables than the budget allows, each is claimed by its own name. Above that a stream table that is alone in its
unit is claimed by its shard, `shard:K/N`, where K is the rest of its lock key by N. N is a power of two made from
the budget alone, so it stays while stream tables come and go. Members of larger units keep claims of their
own, because shards would tie units together that have nothing to do with each other. Only where there are too
many of these, everything is claimed by shard, and units that meet in a shard have one owner: shares may then be
uneven, but a unit is never divided.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from trickle.db.locks import shard_name
from trickle.scheduler.partition import Partition
from trickle.supervisor.claims import Member, assign

Keys = Callable[[Collection[str]], Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Layout:
    """The claims of one group at one state of its catalog and its members."""

    claim_of: Mapping[str, str] = field(default_factory=dict)  # by name of the stream table
    units: Mapping[int, frozenset[str]] = field(default_factory=dict)  # claims, by the key that is scored
    shard_count: int = 0  # 0: everything is claimed by name

    def share(self, members: Collection[Member], instance_id: str) -> frozenset[str]:
        """The claims that this instance should hold."""
        owners = assign(self.units, members)
        return frozenset().union(*(claims for key, claims in self.units.items() if owners.get(key) == instance_id))


def arrange(names: Mapping[str, int], units: Iterable[frozenset[str]], budget: int, keys_of: Keys) -> Layout:
    """Claims for these names, given with their lock keys; `keys_of` tells the lock keys of shards."""
    whole = tuple(units)
    count = 0 if len(names) <= budget else shards(budget)
    claim_of = _claims(names, whole, count, budget)
    keys = {claim: names[claim] for claim in claim_of.values() if claim in names}
    keys.update(keys_of(frozenset(claim_of.values()) - keys.keys()))
    partition = Partition(dict.fromkeys(claim_of.values()))
    for unit in whole:
        partition.join(claim_of[name] for name in unit)
    for together in _alike(names, claim_of, keys):
        partition.join(together)
    parts = {min(keys[claim] for claim in part): part for part in partition.parts()}
    return Layout(claim_of, parts, count)


def shards(budget: int) -> int:
    """The number of shards: the largest power of two within half the budget, and one at least."""
    return 1 << max(0, (budget // 2).bit_length() - 1)


def budget(members: Iterable[Member]) -> int:
    """The locks that claims may take: the least that a member allows, so that all members count alike."""
    return min((member.lock_budget for member in members), default=0)


def _claims(names: Mapping[str, int], units: tuple[frozenset[str], ...], count: int, budget: int) -> dict[str, str]:
    if not count:
        return {name: name for name in names}
    claim_of = {name: shard_name(key & (count - 1), count) for name, key in names.items()}
    tied = [name for unit in units if len(unit) > 1 for name in unit]
    if len(tied) + count <= budget:
        claim_of.update((name, name) for name in tied)
    return claim_of


def _alike(names: Mapping[str, int], claim_of: Mapping[str, str], keys: Mapping[str, int]) -> Iterable[set[str]]:
    """Claims behind one lock, and a claim with what is claimed otherwise but has the same key: one owner for all."""
    by_key: dict[int, set[str]] = {}
    for claim, key in keys.items():
        by_key.setdefault(key, set()).add(claim)
    for name, key in names.items():
        if key in by_key:
            by_key[key].add(claim_of[name])
    return by_key.values()
