"""What passes between the database and the handlers: a lease on the way in, an outcome on the way out."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Lease:
    """One attempt at a job, ours as long as nobody else gets a later epoch."""

    id: int
    queue: str
    data: object = field(compare=False)  # need not be hashable
    epoch: int
    priority: int
    attempt: int  # 1 for the first
    attempts: int  # how many there are at most
    expire_seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended, with JSON text for what is kept of it."""

    lease: Lease
    output: str
    has_failed: bool = False
    is_final: bool = False  # no further attempt would help
