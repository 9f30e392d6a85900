"""`trickle worker`: run one instance until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trickle.cli import target
from trickle.cli.options import PostgresUrl, setting_option
from trickle.config import Settings

if TYPE_CHECKING:
    from trickle.supervisor.options import WorkerOptions


def worker(
    context: typer.Context,
    postgres_url: PostgresUrl = None,
    relay_group_id: Annotated[str | None, setting_option("relay_group_id")] = None,
    instance_id: Annotated[str | None, setting_option("instance_id")] = None,
    direct_url: Annotated[str | None, setting_option("direct_url")] = None,
    capacity: Annotated[str | None, setting_option("capacity")] = None,
    workers: Annotated[str | None, setting_option("max_concurrent_refreshes")] = None,
    discovery_interval: Annotated[str | None, setting_option("discovery_interval")] = None,
    heartbeat_interval: Annotated[str | None, setting_option("heartbeat_interval")] = None,
    heartbeat_timeout: Annotated[str | None, setting_option("heartbeat_timeout")] = None,
    drain_timeout: Annotated[str | None, setting_option("drain_timeout")] = None,
    metrics_host: Annotated[str | None, setting_option("metrics_host")] = None,
    metrics_port: Annotated[str | None, setting_option("metrics_port")] = None,
    log_format: Annotated[str | None, setting_option("log_format")] = None,
    log_level: Annotated[str | None, setting_option("log_level")] = None,
) -> None:
    """Keep stream tables fresh: claim them, share them with the other instances, refresh them when due.

    SIGTERM or Ctrl-C finishes what is in hand and ends; a second one ends at once, safely.
    """
    # The supervisor and the compiler are for this verb alone: the others start faster without them.
    from trickle.supervisor.loop import run_worker

    flags = {
        "postgres_url": postgres_url,
        "relay_group_id": relay_group_id,
        "instance_id": instance_id,
        "direct_url": direct_url,
        "capacity": capacity,
        "max_concurrent_refreshes": workers,
        "discovery_interval": discovery_interval,
        "heartbeat_interval": heartbeat_interval,
        "heartbeat_timeout": heartbeat_timeout,
        "drain_timeout": drain_timeout,
        "metrics_host": metrics_host,
        "metrics_port": metrics_port,
        "log_format": log_format,
        "log_level": log_level,
    }
    settings, url = target.resolve_with_database(context, flags)
    raise typer.Exit(run_worker(worker_options(settings, url)))


def worker_options(settings: Settings, url: str) -> WorkerOptions:
    """The settings as the supervisor takes them."""
    from trickle.supervisor.options import WorkerOptions

    return WorkerOptions(
        url=url,
        direct_url=settings.direct_url or None,
        group_id=settings.relay_group_id,
        instance_id=settings.instance_id or None,
        children=settings.max_concurrent_refreshes,
        capacity=settings.capacity,
        discovery_seconds=settings.discovery_interval,
        heartbeat_seconds=settings.heartbeat_interval,
        silent_seconds=settings.heartbeat_timeout,
        drain_seconds=settings.drain_timeout,
        metrics_host=settings.metrics_host,
        metrics_port=settings.metrics_port or None,
        log_format=settings.log_format,
        log_level=settings.log_level,
    )
