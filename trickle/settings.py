"""The settings of an instance, one field each: its default, what it means, and what it may be.

From this table flags, help texts and docs/settings.md are made; `config` reads values for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """What the table says about one field, beside its default."""

    help: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    flag: str = ""
    in_database: bool = True


def setting(default: Any, help: str, **about: Any) -> Any:
    return field(default=default, metadata={"setting": Setting(help, **about)})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of an instance; the order is the order of the documentation."""

    postgres_url: str = setting(
        "",
        "Database to work in: a URL or a libpq connection string. When it is empty libpq's own variables "
        "(PGHOST, PGSERVICE, …) count, and without those the embedded server is used.",
        flag="--postgres-url",
        in_database=False,
    )
    databases: str = setting(
        "",
        "Databases of the same server to work in, with an instance for each that has the catalog: names and patterns "
        "(app,tenant_*), looked for all the time. Empty means the database of postgres_url alone.",
        flag="--databases",
        in_database=False,
    )
    direct_url: str = setting(
        "",
        "Address of the same database without a pooler, for the locks of a worker; empty means postgres_url.",
        flag="--direct-url",
        in_database=False,
    )
    relay_group_id: str = setting(
        "default",
        "Group of instances that share the work; instances of different groups ignore each other.",
        flag="--relay-group-id",
        in_database=False,
    )
    instance_id: str = setting(
        "",
        "Name of this instance in views, logs and metrics; empty means host name and process id.",
        flag="--instance-id",
        in_database=False,
    )
    profile: str = setting(
        "",
        "Values for settings that nobody has set, for one purpose; behind a pooler set it in the database.",
        choices=("", "low-latency", "high-throughput", "constrained"),
        flag="--profile",
    )
    max_concurrent_refreshes: int = setting(
        4,
        "Refresh subprocesses of one instance, hence refreshes it runs at the same time.",
        minimum=1,
        maximum=64,
        flag="--workers",
    )
    relay_processes: int = setting(
        1,
        "Subprocesses in which a relay carries its pipelines.",
        minimum=1,
        maximum=64,
        flag="--processes",
    )
    relay_secrets_prefix: str = setting(
        "",
        "Beginning of the names of environment variables that pipelines may refer to; empty means any variable.",
        flag="--secrets-prefix",
        in_database=False,
    )
    relay_secrets_directories: str = setting(
        "",
        "Directories, with a colon between two, of files that pipelines may refer to; empty means any file that the "
        "relay can read.",
        flag="--secrets-directories",
        in_database=False,
    )
    capacity: int = setting(
        1,
        "Share of the work this instance takes, relative to the others of its group.",
        minimum=1,
        maximum=1000,
        flag="--capacity",
        in_database=False,
    )
    claim_lock_percent: int = setting(
        10,
        "Share of the server's lock table that the claims of one group may take; with more stream tables than that, "
        "shards of them are claimed. The smallest value of all instances counts.",
        unit="%",
        minimum=1,
        maximum=50,
        flag="--claim-lock-percent",
    )
    discovery_interval: float = setting(
        30.0,
        "Longest time between two looks at the catalog for new stream tables and members.",
        unit="s",
        minimum=0.1,
        maximum=3600,
        flag="--discovery-interval",
    )
    heartbeat_interval: float = setting(
        1.0,
        "Time between two heartbeats of an instance.",
        unit="s",
        minimum=0.1,
        maximum=60,
        flag="--heartbeat-interval",
    )
    heartbeat_timeout: float = setting(
        3.0,
        "An instance that is not heard of for this long is taken for frozen: the others end its sessions and take "
        "over. At least twice the interval, and the same for all instances.",
        unit="s",
        minimum=0.2,
        maximum=3600,
        flag="--heartbeat-timeout",
    )
    drain_timeout: float = setting(
        60.0,
        "Time that refreshes in progress are given after SIGTERM before they are ended hard (safely).",
        unit="s",
        minimum=0,
        maximum=3600,
        flag="--drain-timeout",
    )
    metrics_host: str = setting(
        "127.0.0.1",
        "Address on which /metrics and /health are served.",
        flag="--metrics-host",
    )
    metrics_port: int = setting(
        0,
        "Port of /metrics and /health; 0 serves neither.",
        minimum=0,
        maximum=65535,
        flag="--metrics-port",
    )
    log_format: str = setting(
        "text",
        "Shape of a log line.",
        choices=("text", "json"),
        flag="--log-format",
    )
    log_level: str = setting(
        "info",
        "Least severity that is logged.",
        choices=("debug", "info", "warning", "error"),
        flag="--log-level",
    )
