"""A tenant: where its jobs are, and how much of a supervisor it may have."""

from __future__ import annotations

from dataclasses import dataclass, field
from zlib import crc32

from trickle.db.job_schema import SCHEMA
from trickle.errors import ConfigurationError

_LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant as it is listed. Two that differ in anything are another place to work at."""

    id: str
    url: str = field(repr=False)  # of its database, with its credentials
    schema: str = SCHEMA
    weight: float = 1.0  # a tenant of twice the weight keeps its place twice as long while others wait
    is_suspended: bool = False

    def __post_init__(self) -> None:
        if not self.id or len(self.id) > _LONGEST_ID or not self.id.isprintable():
            raise ConfigurationError(
                f"{self.id!r} cannot be the id of a tenant", hint=f"1 to {_LONGEST_ID} printable characters"
            )
        if not 0.01 <= self.weight <= 100:
            raise ConfigurationError(f"tenant {self.id!r} has weight {self.weight}", hint="from 0.01 to 100")

    @property
    def key(self) -> int:
        """A number that is the same wherever it is computed: shares are made of these."""
        return crc32(self.id.encode())
