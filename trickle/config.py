"""The settings of an instance: one table, from which flags, help texts and docs/settings.md are made.

    defaults < file (TOML) < environment (TRICKLE_*) < database (pg_trickle.*) < command line

A source gives only the keys that are present, each with the words that say where it stands, so a wrong
value is reported with its place. `merge` reads all of them once, validates once, and raises one error that
lists everything wrong; what comes out is frozen and is passed on by constructor. Nothing here reads the
environment, a file or a database by itself: the caller hands those in.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from trickle.errors import ConfigurationError

Value = bool | int | float | str

ENVIRONMENT_PREFIX = "TRICKLE_"
DATABASE_PREFIX = "pg_trickle."

_TRUE = frozenset({"on", "true", "t", "yes", "y", "1"})
_FALSE = frozenset({"off", "false", "f", "no", "n", "0"})
_SECONDS_PER_UNIT = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))\s*([a-z%]*)")


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


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Settings that stand in the database alone and are read there whenever they are used: no restart."""

    enabled: bool = setting(True, "Whether workers refresh; off keeps capture, manual refresh and claims.")
    scheduler_interval_ms: int = setting(
        1000,
        "Time between two looks of a worker at what is due.",
        unit="ms",
        minimum=100,
        maximum=600_000,
    )
    parallel_refresh_mode: str = setting(
        "on",
        "Whether refreshes run side by side; off runs one at a time, dry_run as well, and logs what would have run.",
        choices=("on", "dry_run", "off"),
    )
    max_dynamic_refresh_workers: int = setting(
        4,
        "Refreshes that run at the same time on the whole server, of all instances and databases. Unless it is set, at "
        "least those of the largest instance.",
        minimum=1,
        maximum=64,
    )
    per_database_worker_quota: int = setting(
        0,
        "Refreshes that a database may run at the same time for certain, and half as many more while the server has "
        "room; 0 sets none.",
        minimum=0,
        maximum=64,
    )
    event_driven_wake: str = setting(
        "auto",
        "Whether writers wake the workers, by a NOTIFY in few of their commits. A transaction that has notified cannot "
        "be prepared for two-phase commit, so auto means on where the server has max_prepared_transactions = 0.",
        choices=("auto", "on", "off"),
    )
    wake_debounce_ms: int = setting(
        10, "Least time between two looks at a source whose writers go on.", unit="ms", minimum=1, maximum=5000
    )
    auto_backoff: bool = setting(
        True, "Whether a stream table whose refreshes take 95 % of its schedule is refreshed less often, up to 8 times."
    )
    tiered_scheduling: bool = setting(True, "Whether tiers stretch schedules: warm ×2, cold ×10, frozen never.")
    default_schedule_seconds: int = setting(
        1,
        "What effective_schedules() shows for a calculated stream table that nobody reads.",
        unit="s",
        minimum=1,
        maximum=86_400,
    )
    allow_circular: bool = setting(
        False, "Whether stream tables may read each other in a circle, where all of their queries are monotone."
    )
    max_fixpoint_iterations: int = setting(
        100, "Turns after which a cycle that still changes is given up.", minimum=1, maximum=10_000
    )
    enable_fused_refresh: bool = setting(
        True, "Whether calculated stream tables in a row are refreshed in one transaction."
    )
    min_schedule_seconds: int = setting(
        1, "Shortest schedule that a stream table may be given.", unit="s", minimum=1, maximum=86_400
    )
    max_consecutive_errors: int = setting(
        3, "Failed refreshes in a row after which a stream table is suspended.", minimum=1, maximum=100
    )
    cdc_trigger_mode: str = setting(
        "statement",
        "Triggers that capture changes of sources not captured yet: per statement, or per row.",
        choices=("statement", "row"),
    )
    scheduler_drain_timeout: float = setting(
        30.0,
        "Longest time that pause_scheduler() and pause_all() wait for refreshes in progress.",
        unit="s",
        minimum=1,
        maximum=3600,
    )
    capture_lock_timeout: float = setting(
        2.0,
        "Longest time that installing capture triggers waits for writers, who wait behind it.",
        unit="s",
        minimum=0,
        maximum=3600,
    )
    merge_work_mem_mb: int = setting(
        64,
        "Memory that a full refresh, or one of 10 000 changes and more, may use in place of a smaller work_mem.",
        unit="MB",
        minimum=8,
        maximum=4096,
    )
    delta_work_mem_cap_mb: int = setting(
        0, "Most that merge_work_mem_mb counts for; 0 leaves it.", unit="MB", minimum=0, maximum=8192
    )
    history_retention_days: int = setting(
        90, "Age at which entries leave the refresh history; 0 keeps them.", unit="d", minimum=0, maximum=36_500
    )
    history_max_rows: int = setting(
        1_000_000,
        "Most entries that the refresh history keeps, the newest ones; 0 sets no limit.",
        minimum=0,
        maximum=1_000_000_000,
    )
    snapshot_hold_hours: int = setting(
        24,
        "Time for which the change buffers keep what has changed since a snapshot, so that a refresh after its "
        "restore is differential.",
        unit="h",
        minimum=0,
        maximum=87_600,
    )
    alert_refresh_completed: bool = setting(
        False, "Whether each refresh that changed something is told on the alert channels; off spares their lock."
    )
    schedule_alert_cooldown_seconds: int = setting(
        300, "Time before an alert about what goes on is repeated.", unit="s", minimum=0, maximum=86_400
    )
    max_buffer_rows: int = setting(
        1_000_000,
        "Rows of a change buffer beyond which stream tables that have not kept up are let go, to be computed in full, "
        "and snapshots no longer hold it; 0 sets no limit.",
        minimum=0,
        maximum=100_000_000,
    )
    frontier_holdback_warn_seconds: int = setting(
        60,
        "Age of an open transaction that is told of when it keeps a change buffer from being pruned.",
        unit="s",
        minimum=0,
        maximum=3600,
    )
    buffer_alert_threshold: int = setting(
        1_000_000,
        "Rows of a change buffer above which buffer_growth_warning is told.",
        minimum=1000,
        maximum=100_000_000,
    )
    backpressure_consecutive_limit: int = setting(
        3,
        "Looks in a row, a minute apart, that find a buffer above that threshold before change_buffer_backpressure is "
        "told; 0 never.",
        minimum=0,
        maximum=100,
    )
    max_change_buffer_alert_rows: int = setting(
        0,
        "Rows of a change buffer above which change_buffer_overflow is told; 0 never.",
        minimum=0,
        maximum=100_000_000,
    )
    outbox_enabled: bool = setting(True, "Whether the messages of outboxes are removed when their time is over.")
    outbox_retention_hours: int = setting(
        24, "Time for which an outbox keeps its messages that was not given one.", unit="h", minimum=1, maximum=87_600
    )
    outbox_drain_batch_size: int = setting(
        500, "Messages removed from an outbox at a time.", minimum=1, maximum=1_000_000
    )
    outbox_inline_threshold_rows: int = setting(
        10_000,
        "Changed rows above which a message carries a claim check, and the rows stand beside it; 0 is never.",
        minimum=0,
        maximum=10_000_000,
    )
    outbox_skip_empty_delta: bool = setting(
        True, "Whether a refresh that changed nothing that users see writes no message."
    )
    outbox_force_retention: bool = setting(
        False, "Whether messages are kept until all consumer groups have committed them, whatever their age."
    )
    consumer_dead_threshold_hours: int = setting(
        24, "Silence after which a consumer counts as dead.", unit="h", minimum=1, maximum=87_600
    )
    consumer_cleanup_enabled: bool = setting(True, "Whether consumers that are dead are forgotten.")
    inbox_enabled: bool = setting(True, "Whether the messages of inboxes are removed when their time is over.")
    inbox_processed_retention_hours: int = setting(
        72,
        "Time for which an inbox keeps processed messages that was not given one.",
        unit="h",
        minimum=1,
        maximum=87_600,
    )
    inbox_dlq_retention_hours: int = setting(
        0, "Time for which dead messages are kept in an inbox; 0 is for ever.", unit="h", minimum=0, maximum=87_600
    )
    inbox_drain_batch_size: int = setting(
        500, "Messages removed from an inbox at a time.", minimum=1, maximum=1_000_000
    )
    inbox_dlq_alert_max_per_refresh: int = setting(
        10, "Dead messages of an inbox at which inbox_dlq_growth is told; 0 never.", minimum=0, maximum=100
    )
    fuse_default_ceiling: int = setting(
        0,
        "Pending changes at which a fuse without a ceiling of its own blows; 0 sets none.",
        minimum=0,
        maximum=2_000_000_000,
    )
    watermark_holdback_timeout: int = setting(
        0,
        "Age of a watermark at which stream tables that wait for it are told of; 0 waits in silence.",
        unit="s",
        minimum=0,
        maximum=86_400,
    )
    sla_window_hours: int = setting(24, "How far back sla_summary() looks.", unit="h", minimum=1, maximum=8760)
    schedule_recommendation_min_samples: int = setting(
        20, "Refreshes that a recommended schedule has to rest on.", minimum=1, maximum=1000
    )


@dataclass(frozen=True, slots=True)
class Given:
    """A value as its source gave it, and where it stands."""

    value: object
    where: str


Source = Mapping[str, Given]


def table(
    settings: type[Settings] | type[DatabaseSettings] = Settings,
) -> dict[str, tuple[Value, Setting]]:
    """Name → (default, what the table says), in order."""
    return {f.name: (cast(Value, f.default), f.metadata["setting"]) for f in dataclasses.fields(settings)}


def from_file(path: Path) -> Source:
    """The keys of a TOML file; an unknown key is an error, since nobody else reads this file."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the settings file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the settings file {path} is not valid TOML: {error}") from error
    for name in values:
        if name not in table():
            raise _unknown(name, str(path))
    return {name: Given(value, f"{name} in {path}") for name, value in values.items()}


def from_environment(environment: Mapping[str, str]) -> Source:
    """TRICKLE_* variables that name a setting; an empty one counts as absent."""
    given = {name: environment.get(environment_name(name), "") for name in table()}
    return {name: Given(text, environment_name(name)) for name, text in given.items() if text}


def from_database(values: Mapping[str, str]) -> Source:
    """Values read by `trickle.catalog.settings`, by bare name; others are for the server's own functions."""
    return {
        name: Given(values[name], f"{DATABASE_PREFIX}{name} in the database")
        for name, (_, about) in table().items()
        if about.in_database and values.get(name)
    }


def from_flags(values: Mapping[str, object | None]) -> Source:
    """Command-line values; None means that the flag was not given."""
    about = table()
    return {name: Given(value, about[name][1].flag) for name, value in values.items() if value is not None}


def choose(*sources: Source) -> dict[str, Given]:
    """The value of each setting that some source gives; sources stand in rising precedence."""
    chosen: dict[str, Given] = {}
    for source in sources:
        chosen.update(source)
    return chosen


def merge(*sources: Source) -> Settings:
    """One frozen Settings, or one error that lists all that is wrong."""
    chosen = choose(*sources)
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, given in chosen.items():
        default, about = table()[name]
        try:
            values[name] = _check(about, _convert(default, about, given.value))
        except (TypeError, ValueError) as error:
            problems.append(f"{given.where}: {error}")
    if problems:
        raise ConfigurationError("; ".join(problems), hint="docs/settings.md lists every setting")
    return Settings(**values)


def checked(name: str, value: object) -> Value:
    """A value in the type of its setting, of an instance or of a database.

    Raises:
        TypeError, ValueError: what is wrong with it, in words.
    """
    default, about = (table() | table(DatabaseSettings))[name]
    return _check(about, _convert(default, about, value))


def environment_name(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.upper()


def help_text(name: str) -> str:
    """The help of the flag that sets `name`."""
    default, about = table()[name]
    shown = f"{show(default)} {about.unit}".strip()
    places = [environment_name(name)] + ([DATABASE_PREFIX + name] if about.in_database else [])
    extra = "; ".join(([f"default {shown}"] if shown else []) + [f"also {', '.join(places)}"])
    return f"{about.help} ({extra})"


def _convert(default: Value, about: Setting, value: object) -> Value:
    """The value in the type of its default; text is read as PostgreSQL would read it."""
    if isinstance(default, bool):
        return _boolean(value)
    if isinstance(default, str):
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is not text")
        return value
    number = _number(about, value)
    if isinstance(default, int) and not number.is_integer():
        raise ValueError(f"{value!r} is not a whole number")
    return int(number) if isinstance(default, int) else number


def _boolean(value: object) -> bool:
    text = str(value).strip().lower()
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(f"{value!r} is neither on nor off")


def _number(about: Setting, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    match = _QUANTITY.fullmatch(str(value).strip().lower())
    kind = f"a number of {about.unit}" if about.unit else "a number"
    if isinstance(value, bool) or match is None:
        raise ValueError(f"{value!r} is not {kind}")
    number, unit = float(match[1]), match[2] or about.unit
    if unit == about.unit:
        return number
    if about.unit in _SECONDS_PER_UNIT and unit in _SECONDS_PER_UNIT:
        return number * _SECONDS_PER_UNIT[unit] / _SECONDS_PER_UNIT[about.unit]
    raise ValueError(f"{value!r} is not {kind}")


def _check(about: Setting, value: Value) -> Value:
    if about.choices and value not in about.choices:
        raise ValueError(f"{value!r} is not one of {', '.join(about.choices)}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Written as "not inside" so that NaN is refused as well.
        low = about.minimum is not None and not value >= about.minimum
        high = about.maximum is not None and not value <= about.maximum
        if low or high:
            raise ValueError(f"{show(value)} is outside {allowed_range(about)}")
    return value


def allowed_range(about: Setting) -> str:
    """`0–3600 s`: the values that a number may take."""
    low = "" if about.minimum is None else show(about.minimum)
    high = "" if about.maximum is None else show(about.maximum)
    return f"{low}–{high} {about.unit}".strip()


def show(value: Value) -> str:
    """A value as a person would write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _unknown(name: str, where: str) -> ConfigurationError:
    near = difflib.get_close_matches(name, table(), n=1)
    hint = f"did you mean {near[0]}?" if near else f"settings are {', '.join(table())}"
    return ConfigurationError(f"{where} sets {name}, which is not a setting", hint=hint)
