"""The settings that stand in a database, as pg_trickle.*: those that functions there and every instance follow."""

from __future__ import annotations

from dataclasses import dataclass

from trickle.settings import setting


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
