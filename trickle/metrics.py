"""Every metric of an instance, declared once and built by a function, never at import.

The parent observes what its children answer, so one process owns all of them: no multi-process directory,
no files of the dead, no gauges that outlive their process.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

TABLE_LABELS = ("schema", "name", "db_oid", "db_name")
_DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The families of one registry."""

    registry: CollectorRegistry
    info: Gauge
    refreshes: Counter
    failures: Counter
    rows_changed: Counter
    duration: Histogram
    consecutive_errors: Gauge
    active: Gauge
    owned: Gauge
    active_workers: Gauge
    max_concurrent_refreshes: Gauge
    child_restarts: Counter
    members: Gauge


def build(registry: CollectorRegistry | None = None) -> Metrics:
    """All families in one registry of their own."""
    into = registry if registry is not None else CollectorRegistry()
    return Metrics(
        registry=into,
        info=Gauge(
            "pg_trickle_info",
            "The instance and its database.",
            ("version", "db_oid", "db_name"),
            registry=into,
        ),
        refreshes=Counter("pg_trickle_refreshes", "Refreshes completed.", TABLE_LABELS, registry=into),
        failures=Counter("pg_trickle_refresh_failures", "Refreshes failed.", TABLE_LABELS, registry=into),
        rows_changed=Counter(
            "pg_trickle_rows_changed", "Rows inserted, updated or deleted.", TABLE_LABELS, registry=into
        ),
        duration=Histogram(
            "pg_trickle_refresh_duration_seconds",
            "Time of a refresh, as the worker waited for it.",
            ("db_name",),
            buckets=_DURATION_BUCKETS,
            registry=into,
        ),
        consecutive_errors=Gauge(
            "pg_trickle_consecutive_errors", "Failures since the last success.", TABLE_LABELS, registry=into
        ),
        active=Gauge("pg_trickle_active", "1 while the stream table is ACTIVE.", TABLE_LABELS, registry=into),
        owned=Gauge("pg_trickle_owned", "1 while this instance holds the claim.", TABLE_LABELS, registry=into),
        active_workers=Gauge("pg_trickle_active_workers", "Refresh subprocesses at work.", ("db_name",), registry=into),
        max_concurrent_refreshes=Gauge(
            "pg_trickle_max_concurrent_refreshes", "Refresh subprocesses of the instance.", registry=into
        ),
        child_restarts=Counter(
            "pg_trickle_child_restarts", "Refresh subprocesses replaced.", ("reason",), registry=into
        ),
        members=Gauge("pg_trickle_members", "Live instances of the group.", registry=into),
    )


@dataclass(frozen=True, slots=True)
class LauncherMetrics:
    """The families of a launcher: how many instances there should be, and how that goes."""

    registry: CollectorRegistry
    databases: Gauge
    instances: Gauge
    launchers: Gauge
    starts: Counter
    ends: Counter
    failures: Counter
    listed_at: Gauge


def build_launcher(registry: CollectorRegistry | None = None) -> LauncherMetrics:
    """All families of a launcher in one registry of their own."""
    into = registry if registry is not None else CollectorRegistry()
    prefix = "pg_trickle_launcher"
    return LauncherMetrics(
        registry=into,
        databases=Gauge(f"{prefix}_databases", "Databases that are meant and have the catalog.", registry=into),
        instances=Gauge(f"{prefix}_instances", "Instances that run here.", registry=into),
        launchers=Gauge(f"{prefix}_members", "Live launchers that share the databases.", registry=into),
        starts=Counter(f"{prefix}_starts", "Instances started.", registry=into),
        ends=Counter(
            f"{prefix}_ends", "Instances that ended, by whether they were asked to.", ("asked",), registry=into
        ),
        failures=Counter(f"{prefix}_failures", "Looks at the server that failed.", registry=into),
        listed_at=Gauge(
            f"{prefix}_last_listing_timestamp_seconds", "When the databases were last listed.", registry=into
        ),
    )


def forget(metrics: Metrics, tables: Iterable[tuple[str, str, str, str]]) -> None:
    """Drop the series of stream tables that no longer exist; a gauge left behind would tell a lie."""
    families = (
        metrics.refreshes,
        metrics.failures,
        metrics.rows_changed,
        metrics.consecutive_errors,
        metrics.active,
        metrics.owned,
    )
    for labels in tables:
        for family in families:
            # A family has no series for a table it never heard of.
            try:
                family.remove(*labels)
            except KeyError:
                continue
