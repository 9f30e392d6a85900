"""`trickle supervisor`: run the jobs of many tenants, see which are hot, and take a hand."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trickle import logs
from trickle.catalog import tenants as catalog
from trickle.cli import output, service, target
from trickle.cli.options import AsJson, PostgresUrl, setting_option
from trickle.errors import NotFound
from trickle.logs import event

if TYPE_CHECKING:
    from trickle.tenants import TenantJobSupervisor
    from trickle.tenants.listing import Listing

log = logging.getLogger(__name__)

supervisor_app = typer.Typer(no_args_is_help=True, help="Run the jobs of many tenants, a few of them hot.")

Tenant = Annotated[str, typer.Argument(help="Id of the tenant.")]
Group = Annotated[str | None, setting_option("relay_group_id")]

_HOT_COLUMNS = ("tenant", "reason", "promoted_on", "host", "process_pid")
_TENANT_COLUMNS = ("tenant", "schema", "weight", "is_suspended", "hot_since")


@supervisor_app.command("run")
def run(
    context: typer.Context,
    modules: Annotated[
        list[str] | None, typer.Argument(help="Modules that register handlers with `@trickle.job`: app.tasks")
    ] = None,
    postgres_url: PostgresUrl = None,
    tenants: Annotated[
        Path | None,
        typer.Option("--tenants", help="File that lists them, YAML or TOML; without it pgtrickle.tenants does."),
    ] = None,
    hot_pool_max: Annotated[
        int,
        typer.Option(
            "--hot-pool-max",
            min=1,
            help="Tenants that are hot at once.",
            envvar=["TRICKLE_HOT_POOL_MAX", "PGBOSS_HOT_POOL_MAX"],
        ),
    ] = 50,
    tenant_pool_max: Annotated[
        int,
        typer.Option(
            "--tenant-pool-max",
            min=0,
            help="Connections of a tenant's handlers.",
            envvar=["TRICKLE_TENANT_POOL_MAX", "TENANT_POOL_MAX"],
        ),
    ] = 5,
    queue_pool_max: Annotated[
        int,
        typer.Option(
            "--queue-pool-max",
            min=2,
            help="Connections of a tenant's runner.",
            envvar=["TRICKLE_QUEUE_POOL_MAX", "PGBOSS_TENANT_POOL_MAX"],
        ),
    ] = 2,
    refreshes: Annotated[
        bool, typer.Option("--refreshes", help="Keep the stream tables of tenants fresh that have a database.")
    ] = False,
    pipelines: Annotated[bool, typer.Option("--pipelines", help="Carry the messages of their pipelines.")] = False,
    secrets: Annotated[
        Path | None,
        typer.Option("--secrets", help="Directory with one for each tenant, which its pipelines may read."),
    ] = None,
    idle: Annotated[
        float, typer.Option("--idle", min=0.1, help="Seconds without a job before a tenant is cold.")
    ] = 60.0,
    turn: Annotated[
        float, typer.Option("--turn", min=0.1, help="Seconds a busy tenant stays hot while others wait.")
    ] = 30.0,
    tick: Annotated[
        float, typer.Option("--tick", min=0.05, help="Seconds between looks at tenants that cannot ring.")
    ] = 1.0,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, help="Jobs of a tenant at the same time.")] = 10,
    tenant_key: Annotated[
        str, typer.Option("--tenant-key", help="Key of payloads that names the tenant; empty: not looked at.")
    ] = "tenantId",
    group_id: Group = None,
    drain_timeout: Annotated[str | None, setting_option("drain_timeout")] = None,
    metrics_host: Annotated[str | None, setting_option("metrics_host")] = None,
    metrics_port: Annotated[str | None, setting_option("metrics_port")] = None,
    metrics_namespace: Annotated[
        str, typer.Option("--metrics-namespace", help="How names of metrics begin.")
    ] = "pg_trickle",
    admin_host: Annotated[str, typer.Option("--admin-host", help="Address of the admin port.")] = "127.0.0.1",
    admin_port: Annotated[int, typer.Option("--admin-port", help="Port to ask the supervisor at; 0: none.")] = 0,
    admin_token: Annotated[
        str,
        typer.Option(
            "--admin-token", help="What whoever asks has to know.", envvar="TRICKLE_ADMIN_TOKEN", show_default=False
        ),
    ] = "",
    log_format: Annotated[str | None, setting_option("log_format")] = None,
    log_level: Annotated[str | None, setting_option("log_level")] = None,
) -> None:
    """Run the jobs of tenants until SIGTERM or Ctrl-C: what runs may end, and a second signal does not wait for it.

    With --refreshes and --pipelines also the stream tables and pipelines of those that have a database of their own.

    The database that is given is the home: supervisors with the same home and group share the tenants.
    """
    from trickle.tenants import Budget, Kinds, SupervisorMetrics, SupervisorOptions, TenantJobSupervisor, listing

    flags = {
        "postgres_url": postgres_url,
        "relay_group_id": group_id,
        "drain_timeout": drain_timeout,
        "metrics_host": metrics_host,
        "metrics_port": metrics_port,
        "log_format": log_format,
        "log_level": log_level,
    }
    with service.as_service():
        settings, url = target.resolve_with_database(context, flags)
        logs.configure(settings.log_format, settings.log_level)
        options = SupervisorOptions(
            group_id=settings.relay_group_id,
            budget=Budget(hot_pool_max, tenant_pool_max, queue_pool_max, Kinds(refreshes, pipelines)),
            secrets=None if secrets is None else secrets.absolute(),
            idle_seconds=idle,
            turn_seconds=turn,
            tick_seconds=tick,
            drain_seconds=settings.drain_timeout,
            concurrency=concurrency,
            tenant_key=tenant_key,
            log_format=settings.log_format,
            log_level=settings.log_level,
        )
        sys.path.insert(0, str(Path.cwd()))  # where a module is looked for first
        metrics = SupervisorMetrics(metrics_namespace)
        listed: Listing = listing.table(url) if tenants is None else listing.file(tenants, url)
        made = TenantJobSupervisor(url, listed, modules or (), options, metrics)
        if settings.metrics_port:
            service.serve(made.board, made.metrics.registry, settings.metrics_host, settings.metrics_port)
        asyncio.run(_run(made, admin_host, admin_port, admin_token))
    event(log, logging.INFO, "supervisor stopped")


@supervisor_app.command("hot")
def hot(
    context: typer.Context, postgres_url: PostgresUrl = None, group_id: Group = None, as_json: AsJson = False
) -> None:
    """List the hot tenants of all supervisors that have their home here."""
    group = _group(context, postgres_url, group_id)
    with target.client(context, postgres_url) as client:
        found = catalog.hot(client.connection, group)
    output.print_found(found, _HOT_COLUMNS, as_json, none="no tenant is hot")


@supervisor_app.command("tenants")
def tenants_(
    context: typer.Context, postgres_url: PostgresUrl = None, group_id: Group = None, as_json: AsJson = False
) -> None:
    """List the tenants of pgtrickle.tenants, and since when each is hot."""
    group = _group(context, postgres_url, group_id)
    with target.client(context, postgres_url) as client:
        found = catalog.listed(client.connection, group)
    output.print_found(found, _TENANT_COLUMNS, as_json, none="no tenants: INSERT INTO pgtrickle.tenants (tenant_id, …)")


@supervisor_app.command("promote")
def promote(context: typer.Context, tenant: Tenant, postgres_url: PostgresUrl = None, group_id: Group = None) -> None:
    """Have a tenant made hot by the supervisor that looks after it."""
    _tell(context, postgres_url, group_id, f"promote {tenant}")


@supervisor_app.command("demote")
def demote(context: typer.Context, tenant: Tenant, postgres_url: PostgresUrl = None, group_id: Group = None) -> None:
    """Have a tenant made cold; it finishes what it has in hand."""
    _tell(context, postgres_url, group_id, f"demote {tenant}")


@supervisor_app.command("explain")
def explain(context: typer.Context, tenant: Tenant, postgres_url: PostgresUrl = None, group_id: Group = None) -> None:
    """Say why the jobs of a tenant are not done, or that they are."""
    from trickle.tenants.diagnosis import diagnose

    group = _group(context, postgres_url, group_id)
    url = target.database_url(target.resolve(context, {"postgres_url": postgres_url}))
    with target.client(context, postgres_url) as client:
        typer.echo(diagnose(client.connection, url, group, tenant))


def _group(context: typer.Context, postgres_url: str | None, group_id: str | None) -> str:
    return target.resolve(context, {"postgres_url": postgres_url, "relay_group_id": group_id}).relay_group_id


def _tell(context: typer.Context, postgres_url: str | None, group_id: str | None, word: str) -> None:
    group = _group(context, postgres_url, group_id)
    with target.client(context, postgres_url) as client:
        if not catalog.supervisors(client.connection, group):
            raise NotFound(f"no supervisor of group {group!r} is running", hint="trickle supervisor run MODULE")
        catalog.tell(client.connection, word)


async def _run(made: TenantJobSupervisor, admin_host: str, admin_port: int, token: str) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, made.request_stop)
    admin = None
    if admin_port:
        from trickle.tenants.admin import AdminServer

        admin = AdminServer(admin_host, admin_port, token, made)
    try:
        await made.run()
    finally:
        if admin is not None:
            admin.close()
