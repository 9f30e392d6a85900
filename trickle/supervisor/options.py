"""What an instance is told at its start, and what its exit code tells."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass, field

from trickle.errors import ConfigurationError
from trickle.relay.secrets import Access
from trickle.worker.bench import CompileProgram

EXIT_DRAINED = 0  # asked to stop, finished what was in hand
EXIT_CRASHED = 1  # a defect of ours
EXIT_HARD = 3  # asked to stop, but work in hand was cut off (it is rolled back; nothing is lost)
EXIT_UNREACHABLE = 69  # EX_UNAVAILABLE: the server never answered at start
EXIT_CONFIGURATION = 78  # EX_CONFIG: starting it again will not help


RELAY_PREFIX = "relay:"

_LONGEST_NAME_BYTES = 1000


@dataclass(frozen=True, slots=True)
class InstanceOptions:
    """What every instance is told, whatever it works on; an impossible option is refused before anything starts."""

    url: str
    direct_url: str | None = None  # for the lock session, when `url` leads through a pooler
    group_id: str = "default"
    instance_id: str | None = None  # None: host name, process id and a random part
    children: int = 1
    capacity: int = 1  # share of the work relative to other instances
    claim_lock_percent: int = 10  # share of the server's lock table that the claims of the group may take
    discovery_seconds: float = 30.0
    tick_seconds: float | None = None
    drain_seconds: float = 60.0
    startup_seconds: float = 30.0  # how long a server that does not answer is waited for at start
    heartbeat_seconds: float = 1.0
    silent_seconds: float = 3.0  # how long a peer may go without a heartbeat before its sessions are ended
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None  # None or 0: no HTTP; the port is opened after the first fork
    log_format: str = "text"
    log_level: str = "info"

    def __post_init__(self) -> None:
        _require_positive(self, "children", "capacity", "discovery_seconds", "heartbeat_seconds")
        if self.silent_seconds < 2 * self.heartbeat_seconds:
            raise ConfigurationError(
                f"heartbeat_timeout of {self.silent_seconds} s is less than twice the heartbeat_interval of"
                f" {self.heartbeat_seconds} s",
                hint="a healthy instance that is late by one heartbeat must not be taken for a frozen one",
            )
        if self.tick_seconds is not None and self.tick_seconds <= 0:
            raise ConfigurationError(f"tick_seconds must be greater than zero, not {self.tick_seconds}")
        if not 1 <= self.claim_lock_percent <= 50:
            raise ConfigurationError(f"claim_lock_percent must be from 1 to 50, not {self.claim_lock_percent}")
        if self.drain_seconds < 0 or self.startup_seconds < 0:
            raise ConfigurationError("drain_seconds and startup_seconds cannot be negative")
        if self.instance_id is not None and not self.instance_id.strip():
            raise ConfigurationError("instance_id cannot be empty")
        for name, value in (("group_id", self.group_id), ("instance_id", self.instance_id or "")):
            _refuse_unwritable(name, value)

    @property
    def lock_url(self) -> str:
        return self.direct_url if self.direct_url is not None else self.url

    @property
    def members_of(self) -> str:
        """The group under which instances know each other. Claims are taken under `group_id` itself."""
        return self.group_id


@dataclass(frozen=True, slots=True)
class WorkerOptions(InstanceOptions):
    """Options of `trickle worker`."""

    children: int = 4
    tick_seconds: float | None = None  # None: the setting scheduler_interval_ms of the database
    refresh_seconds: float = 300.0  # longest refresh; the server ends it, then the parent ends the child
    lock_seconds: float = 30.0
    prune_seconds: float = 5.0
    survey_seconds: float = 60.0
    child_memory_mb: int = 1024
    compile_program: CompileProgram | None = None  # None: the installed compiler

    def __post_init__(self) -> None:
        InstanceOptions.__post_init__(self)
        _require_positive(self, "refresh_seconds", "lock_seconds", "prune_seconds", "survey_seconds", "child_memory_mb")


@dataclass(frozen=True, slots=True)
class RelayOptions(InstanceOptions):
    """Options of `trickle relay`."""

    drain_seconds: float = 30.0
    connections: int = 4  # of each subprocess, beside two that listen
    access: Access = field(default_factory=Access)  # what of the secrets of the host pipelines may refer to

    def __post_init__(self) -> None:
        InstanceOptions.__post_init__(self)
        _require_positive(self, "connections")
        for directory in self.access.directories or ():
            if not directory.is_absolute():
                raise ConfigurationError(f"relay_secrets_directories: {directory} is no whole path, beginning with /")

    @property
    def members_of(self) -> str:
        """Relays and workers of one group id do different work, so they are not members of one group."""
        return RELAY_PREFIX + self.group_id


def _require_positive(options: InstanceOptions, *names: str) -> None:
    for name in names:
        if getattr(options, name) <= 0:
            raise ConfigurationError(f"{name} must be greater than zero, not {getattr(options, name)}")


def _refuse_unwritable(name: str, value: str) -> None:
    """Text that no catalog can hold: a zero byte, half a character, or more than fits into an index entry."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"{name} is not valid UTF-8: {value!r}") from error
    if "\0" in value:
        raise ConfigurationError(f"{name} contains a zero byte: {value!r}")
    if size > _LONGEST_NAME_BYTES:
        raise ConfigurationError(f"{name} has {size} bytes, more than {_LONGEST_NAME_BYTES}")


def new_instance_id() -> str:
    """A name that two instances never share, and that a person can trace to a host and a process."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
