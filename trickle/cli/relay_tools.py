"""`trickle relay status`, `lag`, `tail`, `test` and `replay`: looking at pipelines, and sending again."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from trickle.catalog import pipelines
from trickle.cli import output, target
from trickle.cli.options import AsJson, PostgresUrl
from trickle.cli.relay_extra import require_relay
from trickle.errors import NotFound

Pipeline = Annotated[str, typer.Argument(help="Name of a pipeline.", show_default=False)]

_STATUS = ("name", "direction", "state", "reason", "connector", "lag", "dead_letters", "instance_id")
_LAG = ("name", "outbox", "lag", "oldest_age_seconds", "delivered_id", "state")


def status(context: typer.Context, postgres_url: PostgresUrl = None, as_json: AsJson = False) -> None:
    """Show how each pipeline fares: who carries it, what waits, what was set aside."""
    _show(context, postgres_url, as_json, _STATUS, "forward reverse")


def lag(context: typer.Context, postgres_url: PostgresUrl = None, as_json: AsJson = False) -> None:
    """Show how many messages wait for each pipeline (counted up to 10000), and how old the oldest is."""
    _show(context, postgres_url, as_json, _LAG, "forward")


def tail(
    context: typer.Context,
    pipeline: Pipeline,
    count: Annotated[
        int | None, typer.Option("--count", "-n", min=1, help="End after so many.", show_default=False)
    ] = None,
    since: Annotated[
        int | None, typer.Option("--from", min=0, help="After this outbox_id; else from now on.", show_default=False)
    ] = None,
    postgres_url: PostgresUrl = None,
) -> None:
    """Print the messages of a forward pipeline as it sends them, from now on, without touching it."""
    require_relay()
    from trickle.relay import watching

    row, url = _found(context, postgres_url or context.obj, pipeline)

    def show(message: dict[str, Any]) -> None:
        typer.echo(output.json_line(message))

    try:
        asyncio.run(watching.watch(url, row, show, since, count))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


def test(context: typer.Context, pipeline: Pipeline, postgres_url: PostgresUrl = None) -> None:
    """Connect to the other end of a pipeline and check the credentials, without sending or taking anything."""
    require_relay()
    from trickle.relay import watching

    row, url = _found(context, postgres_url or context.obj, pipeline)
    asyncio.run(watching.try_connection(url, row))
    output.note(f"{pipeline}: connected to {row.connector['type']}")


def replay(
    context: typer.Context,
    pipeline: Pipeline,
    first: Annotated[int, typer.Option("--from", min=1, help="First outbox_id.")],
    last: Annotated[int, typer.Option("--to", min=1, help="Last outbox_id.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would be sent, and send nothing.")] = False,
    postgres_url: PostgresUrl = None,
) -> None:
    """Send a range of messages again, in order and with their ids, without touching the pipeline's own place."""
    require_relay()
    from trickle.relay import watching

    row, url = _found(context, postgres_url or context.obj, pipeline)
    sent, refused = asyncio.run(watching.replay(url, row, first, last, dry_run=dry_run))
    output.note(f"{'would send' if dry_run else 'sent'}: {sent}")
    for event_id, reason in refused:
        output.note(f"  {event_id} was refused: {reason}")
    if refused:
        raise typer.Exit(1)


def _show(
    context: typer.Context, postgres_url: str | None, as_json: bool, columns: tuple[str, ...], directions: str
) -> None:
    with target.client(context, postgres_url or context.obj) as client:
        found = [row for row in pipelines.status(client.connection) if row["direction"] in directions.split()]
    none = "no pipelines yet: `trickle relay apply FILE`, or pgtrickle.set_relay_outbox in SQL, makes one"
    output.print_found(found, columns, as_json, none)


def _found(context: typer.Context, postgres_url: str | None, name: str) -> tuple[Any, str]:
    from trickle.relay.protocol import PipelineRow

    url = target.database_url(target.resolve(context, {"postgres_url": postgres_url}))
    with target.client(context, url or postgres_url) as client:
        for found, direction, outbox, group, inbox, _, connector, options, _ in pipelines.read_rows(client.connection):
            if found == name:
                return PipelineRow(name, direction, outbox, group, inbox, connector, options), url
    raise NotFound(f"relay pipeline not found: {name}", hint="`trickle relay status` lists them")
