"""How a supervisor is run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from trickle.tenants.budget import Budget
from trickle.tenants.cold import Pace
from trickle.tenants.places import Limits


@dataclass(frozen=True, slots=True)
class SupervisorOptions:
    """Everything but the tenants and their handlers. Times in seconds."""

    group_id: str = "default"
    budget: Budget = field(default_factory=Budget)
    idle_seconds: float = 60.0
    least_seconds: float = 2.0
    turn_seconds: float = 30.0
    drain_seconds: float = 30.0
    tick_seconds: float = 1.0
    sweep_seconds: float = 60.0
    list_seconds: float = 5.0  # between two readings of the list of tenants
    say_seconds: float = 2.0  # between two signs of life
    silent_seconds: float = 10.0  # without one, after which others take over
    promotes_at_once: int = 4
    probe_seconds: float = 5.0  # for a tenant's database to answer
    probes_at_once: int = 8
    looks_per_tick: int = 500
    concurrency: int = 10
    batch: int = 100
    tenant_key: str = "tenantId"
    secrets: Path | None = None  # in a directory there of its id, a tenant's pipelines find theirs
    log_format: str = "text"
    log_level: str = "info"

    @property
    def limits(self) -> Limits:
        return Limits(
            most=self.budget.hot_pool_max,
            at_once=self.promotes_at_once,
            idle_seconds=self.idle_seconds,
            least_seconds=self.least_seconds,
            turn_seconds=self.turn_seconds,
            drain_seconds=self.drain_seconds,
        )

    @property
    def pace(self) -> Pace:
        return Pace(tick_seconds=self.tick_seconds, sweep_seconds=self.sweep_seconds)
