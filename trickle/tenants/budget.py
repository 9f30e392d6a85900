"""How many connections a supervisor may take, and whether its servers have so many. Pure.

    hot_pool_max × (tenant_pool_max + queue_pool_max)

`queue_pool_max` are the sessions of a runner: it leases with one, and listens with the other. Where the stream tables
and pipelines of tenants are worked on as well, each hot tenant has the sessions of a worker and of a relay besides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from psycopg.conninfo import conninfo_to_dict

from trickle.errors import ConfigurationError
from trickle.tenants.kinds import Kinds

RUNNER_SESSIONS = 2
OWN_SESSIONS = 12  # of the supervisor: two in its home database, and looks at others


@dataclass(frozen=True, slots=True)
class Budget:
    """The three levers, and what else a hot tenant has."""

    hot_pool_max: int = 50
    tenant_pool_max: int = 5
    queue_pool_max: int = RUNNER_SESSIONS
    beside: Kinds = field(default_factory=Kinds)

    def __post_init__(self) -> None:
        if self.hot_pool_max < 1 or self.tenant_pool_max < 0:
            raise ConfigurationError(
                f"hot_pool_max is {self.hot_pool_max} and tenant_pool_max {self.tenant_pool_max}",
                hint="at least 1 and 0",
            )
        if self.queue_pool_max < RUNNER_SESSIONS:
            raise ConfigurationError(
                f"queue_pool_max is {self.queue_pool_max}, and a runner has {RUNNER_SESSIONS} sessions",
                hint=f"at least {RUNNER_SESSIONS}",
            )

    @property
    def per_tenant(self) -> int:
        return sum(self.parts)

    @property
    def parts(self) -> tuple[int, ...]:
        """Of one hot tenant: its handlers', its runner's, and what else works there."""
        beside = self.beside.sessions
        return (self.tenant_pool_max, self.queue_pool_max, *((beside,) if beside else ()))

    @property
    def connections(self) -> int:
        """Of all hot tenants together."""
        return self.hot_pool_max * self.per_tenant


@lru_cache(maxsize=100_000)
def database_of(url: str) -> tuple[str, str]:
    """What tells databases apart: host and port of the server, and the name."""
    found = conninfo_to_dict(url)
    server = f"{found.get('hostaddr') or found.get('host') or ''}:{found.get('port') or ''}"
    return server, str(found.get("dbname") or found.get("user") or "")


def server_of(url: str) -> str:
    """What tells servers apart."""
    return database_of(url)[0]


def most_on_each(budget: Budget, urls: Iterable[str]) -> dict[str, int]:
    """The connections that hot tenants may take on each server: no more than it has tenants."""
    tenants = Counter(server_of(url) for url in urls)
    return {server: min(count, budget.hot_pool_max) * budget.per_tenant for server, count in tenants.items()}


def ratio(wanted: Mapping[str, int], limits: Mapping[str, int], supervisors: int) -> float:
    """The largest part of a server's connections that all supervisors together may take; 0 where nothing is known."""
    known = (wanted[server] * supervisors / limit for server, limit in limits.items() if server in wanted and limit > 0)
    return max(known, default=0.0)


def assert_possible(budget: Budget, wanted: Mapping[str, int], limits: Mapping[str, int]) -> None:
    """Raises ConfigurationError where a server has fewer connections than one supervisor may take."""
    for server, limit in limits.items():
        need = wanted.get(server, 0) + OWN_SESSIONS
        if need > limit:
            fits = max(0, (limit - OWN_SESSIONS) // budget.per_tenant)
            raise ConfigurationError(
                f"hot tenants may take {wanted[server]} connections of server {server}, which has {limit}:"
                f" {budget.hot_pool_max} × ({' + '.join(map(str, budget.parts))})",
                hint=f"set hot_pool_max to {fits} at most, or raise max_connections",
            )
