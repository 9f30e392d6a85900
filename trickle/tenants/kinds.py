"""What of a tenant is worked on beside its jobs, and how many connections that takes of each hot tenant."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trickle.db.job_schema import SCHEMA
from trickle.tenants.tenant import Tenant

# Of a worker: its lock session, its control session, that of its subprocess, and that with which others are watched.
REFRESH_SESSIONS = 4
# Of a relay: the first three of these, and of its carrier two that listen and two that read and write.
PIPELINE_SESSIONS = 7
RELAY_CONNECTIONS = 2
LOOKOUT_SESSIONS = 1


@dataclass(frozen=True, slots=True)
class Kinds:
    """Stream tables, pipelines, both or none."""

    refreshes: bool = False
    pipelines: bool = False

    def of(self, tenant: Tenant) -> Kinds:
        """Only a database of its own has stream tables and pipelines that are the tenant's."""
        return self if tenant.schema == SCHEMA else Kinds()

    def without(self, name: str) -> Kinds:
        """All but one of them."""
        return replace(self, **{name: False})

    def __bool__(self) -> bool:
        return self.refreshes or self.pipelines

    @property
    def sessions(self) -> int:
        """The most connections that this takes, beside those of jobs."""
        working = REFRESH_SESSIONS * self.refreshes + PIPELINE_SESSIONS * self.pipelines
        return working + LOOKOUT_SESSIONS * bool(self)
