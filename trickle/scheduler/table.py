"""What the scheduler knows of a stream table: the part of its catalog row that decides about refreshes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from trickle.scheduler.schedule import Calculated, Schedule


class Tier(StrEnum):
    """How much attention a stream table gets."""

    HOT = "hot"
    WARM = "warm"
    COLD = "cold"
    FROZEN = "frozen"


# The period of a duration is stretched by this; frozen tables are not refreshed at all.
TIER_MULTIPLIER = {Tier.HOT: 1, Tier.WARM: 2, Tier.COLD: 10}
TIER_RANK = {Tier.HOT: 0, Tier.WARM: 1, Tier.COLD: 2, Tier.FROZEN: 2}


@dataclass(frozen=True, slots=True)
class Table:
    """One stream table at the moment the catalog was read."""

    pgt_id: int
    schema: str
    name: str
    schedule: Schedule = field(default_factory=Calculated)
    tier: Tier = Tier.HOT
    refresh_mode: str = "DIFFERENTIAL"
    status: str = "ACTIVE"
    is_populated: bool = True
    needs_reinit: bool = False
    program_state: str = "compiled"
    program_version: str | None = None
    last_refresh_at: datetime | None = None
    consecutive_errors: int = 0
    upstream: frozenset[int] = field(default_factory=frozenset)
    # What it reads that is no stream table, by oid.
    sources: frozenset[int] = field(default_factory=frozenset)
    is_atomic: bool = True  # diamond_consistency
    is_slowest: bool = False  # diamond_schedule_policy, where diamonds meet
    refresh_group: int | None = None
    group_has_one_snapshot: bool = False
    # Why it is not to be refreshed now: a gate, or watermarks too far apart.
    held: str | None = None
    deadline_seconds: float | None = None  # how old its rows may become
    stretch: int = 1  # its period is multiplied by this: it could not be kept

    @property
    def full_name(self) -> str:
        """`schema.name`: the name that is claimed, logged and shown."""
        return f"{self.schema}.{self.name}"

    @property
    def is_immediate(self) -> bool:
        return self.refresh_mode == "IMMEDIATE"

    @property
    def is_runnable(self) -> bool:
        return self.status in ("ACTIVE", "INITIALIZING")
