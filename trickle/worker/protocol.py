"""What parent and child say to each other: frozen values, pickled over a pipe. Every job gets one answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refresh:
    """Bring one stream table up to date."""

    pgt_id: int


@dataclass(frozen=True, slots=True)
class RefreshTogether:
    """Bring several stream tables up to date in one transaction, in this order."""

    members: tuple[int, ...]
    cycles: tuple[tuple[int, ...], ...] = ()  # parts of it that are refreshed again and again until nothing changes
    has_one_snapshot: bool = False
    is_all_or_none: bool = True  # else what was done before the one that fails stays done
    most_turns: int = 100  # of a cycle

    @property
    def pgt_id(self) -> int:
        """The first, which stands for all."""
        return self.members[0]


@dataclass(frozen=True, slots=True)
class Compile:
    """Make and install the program of one stream table."""

    pgt_id: int


@dataclass(frozen=True, slots=True)
class Prune:
    """Remove the changes of one source that every consumer has seen."""

    source_id: int


@dataclass(frozen=True, slots=True)
class Restore:
    """Bring the catalog of a restored or copied database back to life."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Tell of what goes wrong for long, and remove the oldest of the history."""


Job = Refresh | RefreshTogether | Compile | Prune | Restore | Survey


@dataclass(frozen=True, slots=True)
class Stop:
    """Leave, now that nothing is in hand."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job achieved. The action of a compile is the program's state; a prune deletes rows."""

    action: str
    rows_inserted: int = 0
    rows_updated: int = 0
    rows_deleted: int = 0
    reason: str | None = None

    @property
    def rows_changed(self) -> int:
        return self.rows_inserted + self.rows_updated + self.rows_deleted


@dataclass(frozen=True, slots=True)
class Part:
    """What became of one member of a unit."""

    pgt_id: int
    outcome: Outcome
    seconds: float


@dataclass(frozen=True, slots=True)
class Hello:
    """The child has a connection and waits for work. No backend pid when a pooler hides it."""

    pid: int
    backend_pid: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """The job is finished."""

    job: Job
    outcome: Outcome
    seconds: float
    parts: tuple[Part, ...] = ()  # of a unit: each member


@dataclass(frozen=True, slots=True)
class Failed:
    """The job raised; no SQLSTATE means that the connection was lost or the failure is not the database's."""

    job: Job
    sqlstate: str | None
    message: str
    seconds: float
    connection_lost: bool = False
    blamed: int | None = None  # the member of a unit that failed
    parts: tuple[Part, ...] = ()  # of a unit: what was done all the same


Answer = Hello | Done | Failed
