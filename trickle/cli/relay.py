"""`trickle relay`: carry messages between outboxes, inboxes and brokers; and the tools around it.

Without a verb it runs one relay until it is told to stop. `pg-tide` is the same command under another name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trickle.cli import relay_apply, relay_letters, relay_tools, service, target
from trickle.cli.failures import TrickleGroup
from trickle.cli.options import PostgresUrl, setting_option
from trickle.cli.relay_extra import require_relay

relay_app = typer.Typer(
    cls=TrickleGroup,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@relay_app.callback()
def relay(
    context: typer.Context,
    postgres_url: PostgresUrl = None,
    relay_group_id: Annotated[str | None, setting_option("relay_group_id")] = None,
    instance_id: Annotated[str | None, setting_option("instance_id")] = None,
    direct_url: Annotated[str | None, setting_option("direct_url")] = None,
    capacity: Annotated[str | None, setting_option("capacity")] = None,
    processes: Annotated[str | None, setting_option("relay_processes")] = None,
    secrets_prefix: Annotated[str | None, setting_option("relay_secrets_prefix")] = None,
    secrets_directories: Annotated[str | None, setting_option("relay_secrets_directories")] = None,
    discovery_interval: Annotated[str | None, setting_option("discovery_interval")] = None,
    heartbeat_interval: Annotated[str | None, setting_option("heartbeat_interval")] = None,
    heartbeat_timeout: Annotated[str | None, setting_option("heartbeat_timeout")] = None,
    drain_timeout: Annotated[str | None, setting_option("drain_timeout")] = None,
    metrics_host: Annotated[str | None, setting_option("metrics_host")] = None,
    metrics_port: Annotated[str | None, setting_option("metrics_port")] = None,
    log_format: Annotated[str | None, setting_option("log_format")] = None,
    log_level: Annotated[str | None, setting_option("log_level")] = None,
) -> None:
    """Carry messages: out of outboxes to brokers and servers, and from them into inboxes.

    Pipelines are declared in SQL (pgtrickle.set_relay_outbox, set_relay_inbox) or in a file (`relay apply`), and are
    shared among all relays of a group. SIGTERM or Ctrl-C finishes what is on its way and ends.
    """
    flags = {
        "postgres_url": postgres_url,
        "relay_group_id": relay_group_id,
        "instance_id": instance_id,
        "direct_url": direct_url,
        "capacity": capacity,
        "relay_processes": processes,
        "relay_secrets_prefix": secrets_prefix,
        "relay_secrets_directories": secrets_directories,
        "discovery_interval": discovery_interval,
        "heartbeat_interval": heartbeat_interval,
        "heartbeat_timeout": heartbeat_timeout,
        "drain_timeout": drain_timeout,
        "metrics_host": metrics_host,
        "metrics_port": metrics_port,
        "log_format": log_format,
        "log_level": log_level,
    }
    if context.invoked_subcommand is None:
        with service.as_service():
            code = _run(context, flags)
        raise typer.Exit(code)
    context.obj = postgres_url


def _run(context: typer.Context, flags: target.Flags) -> int:
    require_relay()
    # The connectors and the supervisor are for this verb alone: the others start faster without them.
    from trickle.relay.secrets import Access
    from trickle.supervisor.options import RelayOptions
    from trickle.supervisor.relay_loop import run_relay

    settings, url = target.resolve_with_database(context, flags)
    directories = filter(None, settings.relay_secrets_directories.split(":"))
    return run_relay(
        RelayOptions(
            url=url,
            direct_url=settings.direct_url or None,
            group_id=settings.relay_group_id,
            instance_id=settings.instance_id or None,
            children=settings.relay_processes,
            access=Access(settings.relay_secrets_prefix, tuple(map(Path, directories))),
            capacity=settings.capacity,
            claim_lock_percent=settings.claim_lock_percent,
            discovery_seconds=settings.discovery_interval,
            drain_seconds=settings.drain_timeout,
            heartbeat_seconds=settings.heartbeat_interval,
            silent_seconds=settings.heartbeat_timeout,
            metrics_host=settings.metrics_host,
            metrics_port=settings.metrics_port or None,
            log_format=settings.log_format,
            log_level=settings.log_level,
        )
    )


relay_app.command("status")(relay_tools.status)
relay_app.command("lag")(relay_tools.lag)
relay_app.command("tail")(relay_tools.tail)
relay_app.command("test")(relay_tools.test)
relay_app.command("replay")(relay_tools.replay)
relay_app.command("apply")(relay_apply.apply)
relay_app.add_typer(relay_letters.letters_app, name="dlq")


def pg_tide() -> None:
    """The `pg-tide` command."""
    relay_app(prog_name="pg-tide")
