"""The values of the state machine in `state`: the fleet, what can happen to it, and what it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from trickle.worker.protocol import Job


class Phase(StrEnum):
    """Where a child stands."""

    RESTING = "resting"
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    LEAVING = "leaving"
    KILLED = "killed"
    GONE = "gone"


ALIVE = frozenset({Phase.STARTING, Phase.IDLE, Phase.BUSY, Phase.LEAVING, Phase.KILLED})


class Mode(StrEnum):
    """Where the fleet stands."""

    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Limits:
    """Times and sizes that no child may exceed."""

    start_seconds: float = 60.0
    leave_seconds: float = 10.0
    drain_seconds: float = 60.0
    memory_bytes: int = 1 << 30
    backoff_base_seconds: float = 0.1
    backoff_cap_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Child:
    """One slot: a process, or the place of one."""

    phase: Phase = Phase.RESTING
    since: float = 0.0
    job: Job | None = None
    deadline: float | None = None  # when the shell must act: start it (resting) or kill it (alive)
    failures: int = 0
    recycle: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """All slots, and which child has whose plans in its session."""

    limits: Limits
    children: tuple[Child, ...]
    mode: Mode = Mode.RUNNING
    homes: Mapping[int, int] = field(default_factory=dict)
    drain_deadline: float | None = None
    ready_once: bool = False
    hard: bool = False
    broken: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """A signal; the second one means now."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A job for whoever is free. `home` names the stream table whose plans it uses."""

    job: Job
    limit_seconds: float
    home: int | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A child said hello."""

    slot: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A child answered its job."""

    slot: int


@dataclass(frozen=True, slots=True)
class Exited:
    """A child is no more; `draw` in [0, 1) is for the jitter of its successor's start."""

    slot: int
    code: int
    draw: float = 0.5


@dataclass(frozen=True, slots=True)
class Weighed:
    """How much memory a child holds."""

    slot: int
    memory_bytes: int


Event = Tick | StopRequested | Offered | Ready | Answered | Exited | Weighed


@dataclass(frozen=True, slots=True)
class Spawn:
    """Fork a child into this slot."""

    slot: int


@dataclass(frozen=True, slots=True)
class Send:
    """Give the job to this child."""

    slot: int
    job: Job


@dataclass(frozen=True, slots=True)
class Ask:
    """Tell this child to leave."""

    slot: int
    why: str


@dataclass(frozen=True, slots=True)
class Kill:
    """End this child at once."""

    slot: int
    why: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A child went with this job in hand; whether the job was done, only the database knows."""

    slot: int
    job: Job
    code: int


@dataclass(frozen=True, slots=True)
class Finish:
    """No child is left: the instance may end."""

    hard: bool
    broken: bool


Action = Spawn | Send | Ask | Kill | Lost | Finish
