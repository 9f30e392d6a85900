"""What the server has room for, what is taken, and what instances may still ask for. Pure."""

from __future__ import annotations

from dataclasses import dataclass

# Of an instance itself: the session with its locks, the one that reads the catalog, the one that watches a peer.
SESSIONS_OF_AN_INSTANCE = 3
# Above this share of the lock table somebody's next large transaction may find it full.
CROWDED = 0.5


@dataclass(frozen=True, slots=True)
class Budget:
    """Room of the server, as it says itself."""

    max_connections: int
    reserved: int
    used: int
    used_by_us: int
    lock_room: int
    locks_held: int
    max_worker_processes: int
    max_parallel_workers: int
    refreshes_of_an_instance: int

    @property
    def of_an_instance(self) -> int:
        """Connections that one instance may have open."""
        return SESSIONS_OF_AN_INSTANCE + self.refreshes_of_an_instance

    @property
    def of_others(self) -> int:
        return max(0, self.used - self.used_by_us)

    @property
    def left(self) -> int:
        """Connections that instances may have together, beside those that others have now."""
        return self.max_connections - self.reserved - self.of_others

    def needed(self, instances: int) -> int:
        """Connections of so many instances, when each refreshes as much as it may."""
        return instances * self.of_an_instance

    def in_words(self, instances: int) -> str:
        """The sum, as one would write it down."""
        formula = f"{instances} × ({SESSIONS_OF_AN_INSTANCE} + {self.refreshes_of_an_instance})"
        return (
            f"{formula} = {self.needed(instances)} of the {self.left} connections that are left beside "
            f"{self.of_others} of others ({self.max_connections} less {self.reserved} reserved)"
        )

    def processes_in_words(self, instances: int) -> str:
        """On the hosts of the instances; none of the server's own worker processes is ours."""
        ours = instances * (1 + self.refreshes_of_an_instance)
        return (
            f"{instances} × (1 + {self.refreshes_of_an_instance}) = {ours} processes on their hosts, and none of the "
            f"{self.max_worker_processes} of max_worker_processes, of which parallel queries may take "
            f"{self.max_parallel_workers}"
        )

    @property
    def is_crowded(self) -> bool:
        return self.locks_held > CROWDED * self.lock_room
