"""How many refreshes each instance may run: one pool for the whole server, shared by its databases. Pure.

    what every instance says of itself ──targets──▶ what each should have ──settle──▶ what one may use from now on

A database has its quota (`per_database_worker_quota`) as long as the pool has room for everyone's; else all get the
same until the pool is used up. While less than 80 % of the pool is in use a database may have up to 150 % of its quota.
Without a quota the limit is `max_concurrent_refreshes`.

Every instance says what it may use and what it wants, reads what the others say, and computes the same targets. It
gives up at once what is above its target, and takes more only from what nobody uses. So the pool is not exceeded when
they look at different moments; what runs is not interrupted: a target is met when the jobs in hand have ended.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)

BUSY_PERCENT = 80


@dataclass(frozen=True, slots=True)
class Stake:
    """What one instance says of itself."""

    session: int
    database: str
    uses: int  # so many refreshes it may run
    wants: int  # so many it would run now
    quota: int  # of its database; 0: none
    most: int  # per database without a quota

    @property
    def strict(self) -> int:
        return max(self.quota if self.quota > 0 else self.most, 1)

    @property
    def burst(self) -> int:
        return max(self.quota * 3 // 2, self.quota + 1) if self.quota > 0 else self.strict


def targets(stakes: Collection[Stake], pool: int, turn: int) -> dict[int, int]:
    """What each instance should have, by its session. `turn` is a number that all agree on and that goes on with time:
    where the pool has not one for each, they take turns."""
    databases: dict[str, list[Stake]] = {}
    for stake in sorted(stakes, key=lambda stake: stake.session):
        databases.setdefault(stake.database, []).append(stake)
    wanted = {name: sum(stake.wants for stake in found) for name, found in sorted(databases.items())}
    strict = {name: min(wanted[name], max(s.strict for s in databases[name])) for name in wanted}
    granted = _share(strict, pool, turn)
    burst = {name: min(wanted[name], max(s.burst for s in databases[name])) for name in wanted}
    spare = -(-BUSY_PERCENT * pool // 100) - sum(granted.values())
    more = _share({name: burst[name] - granted[name] for name in wanted if granted[name] == strict[name]}, spare, turn)
    found = {}
    for name, group in databases.items():
        found.update(_share({s.session: s.wants for s in group}, granted[name] + more.get(name, 0), turn))
    return found


@dataclass(frozen=True, slots=True)
class Settled:
    """What we may use from now on, which what runs may keep above what may begin."""

    stake: Stake
    goal: int  # nothing begins while so many run


def settle(ours: Stake, others: Collection[Stake], running: int, pool: int, turn: int) -> Settled:
    """What we may use from now on, given what the others say."""
    target = targets([ours, *others], pool, turn)[ours.session]
    neighbours = [stake for stake in others if stake.database == ours.database]
    ceiling = max(stake.burst for stake in (ours, *neighbours))
    free = min(pool - sum(stake.uses for stake in others), ceiling - sum(stake.uses for stake in neighbours))
    if target <= ours.uses:
        return Settled(replace(ours, uses=min(ours.uses, max(target, running))), target)
    uses = max(ours.uses, min(target, free))
    return Settled(replace(ours, uses=uses), uses)


def is_too_much(ours: Stake, others: Collection[Stake], pool: int) -> bool:
    """Whether somebody else has taken the same at the same time."""
    return ours.uses + sum(stake.uses for stake in others) > pool


def _share(wanted: Mapping[Key, int], total: int, turn: int) -> dict[Key, int]:
    """Everyone the same, up to what he wants; what is left over goes round."""
    granted = dict.fromkeys(wanted, 0)
    names = list(wanted)
    start = turn % len(names) if names else 0
    waiting = [name for name in names[start:] + names[:start] if wanted[name] > 0]
    while total > 0 and waiting:
        for name in waiting[:total]:
            granted[name] += 1
        total -= len(waiting[:total])
        waiting = [name for name in waiting if granted[name] < wanted[name]]
    return granted
