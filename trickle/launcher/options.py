"""What a launcher is told at its start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from psycopg.conninfo import make_conninfo

from trickle.errors import ConfigurationError

# Works in one database until told to stop; given its name and the number of its place, returns the exit code.
RunInstance = Callable[[str, int], int]


@dataclass(frozen=True, slots=True)
class LauncherOptions:
    """Options of `trickle worker --databases`."""

    url: str  # the home: any database of the server
    run: RunInstance
    patterns: tuple[str, ...] = ("*",)
    group_id: str = "default"
    look_seconds: float = 1.0
    discover_seconds: float = 10.0
    startup_seconds: float = 30.0
    drain_seconds: float = 60.0
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None  # of the launcher itself; None or 0: no HTTP
    log_format: str = "text"
    log_level: str = "info"

    def __post_init__(self) -> None:
        if not self.patterns:
            raise ConfigurationError("no database is named", hint="give names or patterns: --databases 'app,tenant_*'")

    def is_meant(self, database: str) -> bool:
        """Whether this database is one of those that were named."""
        return any(fnmatchcase(database, pattern) for pattern in self.patterns)


def patterns(text: str) -> tuple[str, ...]:
    """Names and patterns between commas.

    >>> patterns("app, tenant_*,,")
    ('app', 'tenant_*')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


def url_of(url: str, database: str) -> str:
    """The same server and role, another database."""
    return make_conninfo(url, dbname=database)
