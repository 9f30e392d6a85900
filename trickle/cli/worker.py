"""`trickle worker`: run one instance until it is told to stop."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from trickle.cli import service, target
from trickle.cli.options import PostgresUrl, setting_option
from trickle.settings import Settings

if TYPE_CHECKING:
    from trickle.supervisor.options import WorkerOptions


def worker(
    context: typer.Context,
    postgres_url: PostgresUrl = None,
    databases: Annotated[str | None, setting_option("databases")] = None,
    all_databases: Annotated[bool, typer.Option("--all-databases", help="The same as `--databases '*'`.")] = False,
    relay_group_id: Annotated[str | None, setting_option("relay_group_id")] = None,
    instance_id: Annotated[str | None, setting_option("instance_id")] = None,
    direct_url: Annotated[str | None, setting_option("direct_url")] = None,
    capacity: Annotated[str | None, setting_option("capacity")] = None,
    claim_lock_percent: Annotated[str | None, setting_option("claim_lock_percent")] = None,
    profile: Annotated[str | None, setting_option("profile")] = None,
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

    With --databases or --all-databases it does so in every database of the server that has the catalog, with an
    instance for each, and follows databases as they come and go; several such commands share the databases.

    SIGTERM or Ctrl-C finishes what is in hand and ends; a second one ends at once, safely.
    """
    flags = {
        "postgres_url": postgres_url,
        "databases": "*" if all_databases else databases,
        "relay_group_id": relay_group_id,
        "instance_id": instance_id,
        "direct_url": direct_url,
        "capacity": capacity,
        "claim_lock_percent": claim_lock_percent,
        "profile": profile,
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
    if all_databases and databases is not None:
        raise typer.BadParameter("give either --all-databases or --databases", param_hint="--databases")
    with service.as_service():
        home = target.resolve(context, flags)
        code = _work_in_many(context, flags, home) if home.databases else _work_in_one(context, flags)
    raise typer.Exit(code)


def _work_in_one(context: typer.Context, flags: target.Flags) -> int:
    # The supervisor and the compiler are for this verb alone: the others start faster without them.
    from trickle.supervisor.loop import run_worker

    settings, url = target.resolve_with_database(context, flags)
    return run_worker(worker_options(settings, url))


def _work_in_many(context: typer.Context, flags: target.Flags, home: Settings) -> int:
    from trickle.launcher import LauncherOptions, run_launcher
    from trickle.launcher.options import patterns, url_of
    from trickle.supervisor.loop import run_worker

    url = target.database_url(home)

    def run(database: str, slot: int) -> int:
        """In a process of its own: an instance with the settings of its database, and a port after the launcher's."""
        direct_url = url_of(home.direct_url, database) if home.direct_url else None
        here = {**flags, "postgres_url": url_of(url, database), "direct_url": direct_url}
        settings, own_url = target.resolve_with_database(context, here)
        port = settings.metrics_port + 1 + slot if settings.metrics_port else 0
        return run_worker(worker_options(replace(settings, metrics_port=port), own_url))

    return run_launcher(
        LauncherOptions(
            url=home.direct_url or url,
            run=run,
            patterns=patterns(home.databases),
            group_id=home.relay_group_id,
            drain_seconds=home.drain_timeout,
            metrics_host=home.metrics_host,
            metrics_port=home.metrics_port or None,
            log_format=home.log_format,
            log_level=home.log_level,
        )
    )


def worker_options(settings: Settings, url: str) -> WorkerOptions:
    """The settings as the supervisor takes them."""
    from trickle.supervisor.options import WorkerOptions

    return WorkerOptions(
        url=target.with_profile(url, settings.profile),
        direct_url=target.with_profile(settings.direct_url, settings.profile) if settings.direct_url else None,
        group_id=settings.relay_group_id,
        instance_id=settings.instance_id or None,
        children=settings.max_concurrent_refreshes,
        capacity=settings.capacity,
        claim_lock_percent=settings.claim_lock_percent,
        discovery_seconds=settings.discovery_interval,
        heartbeat_seconds=settings.heartbeat_interval,
        silent_seconds=settings.heartbeat_timeout,
        drain_seconds=settings.drain_timeout,
        metrics_host=settings.metrics_host,
        metrics_port=settings.metrics_port or None,
        log_format=settings.log_format,
        log_level=settings.log_level,
    )
