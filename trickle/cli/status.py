"""`trickle status`: how fresh the stream tables are, who works on them, and what went wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from trickle.catalog import stream_tables
from trickle.catalog.sqlstates import translated
from trickle.cli import output, target
from trickle.cli.options import AsJson, PostgresUrl
from trickle.client import Client, StreamTableStatus

_TABLE = ("name", "status", "mode", "last", "schedule", "staleness", "stale", "errors", "owner", "note")
_INSTANCES = (
    "instance_id",
    "group_id",
    "hostname",
    "pid",
    "capacity",
    "stream_tables",
    "is_live",
    "started_at",
    "silent_for",
)
_HISTORY = (
    "start_time",
    "action",
    "status",
    "rows_inserted",
    "rows_deleted",
    "duration_ms",
    "reason",
    "error_message",
)


def status(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="One stream table, with history.", show_default=False)] = None,
    postgres_url: PostgresUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show freshness, owners and instances; with NAME, one stream table and its latest refreshes."""
    with target.client(context, postgres_url) as client:
        if name is None:
            _show_all(client, as_json)
        else:
            _show_one(client, name, as_json)


def _show_all(client: Client, as_json: bool) -> None:
    found = client.list()
    with translated("status", client.connection):
        instances = stream_tables.list_instances(client.connection)
        claims = stream_tables.list_claims(client.connection)
    if as_json:
        output.print_json({"stream_tables": found, "instances": instances, "ownership": claims})
        return
    output.print_rows((_line(status) for status in found), _TABLE, title="Stream tables")
    if not instances:
        output.note("no instance is running: `trickle worker` starts one")
        return
    output.print_rows((output.plain_row(instance) for instance in instances), _INSTANCES, title="Instances")


def _show_one(client: Client, name: str, as_json: bool) -> None:
    found, history = client.status(name), client.history(name)
    if as_json:
        output.print_json({"stream_table": found, "history": history})
        return
    facts = [{"property": key.replace("_", " "), "value": value} for key, value in output.plain_row(found).items()]
    output.print_rows(facts, ("property", "value"))
    output.print_rows(history, _HISTORY, title="Latest refreshes")


def _line(status: StreamTableStatus) -> dict[str, object]:
    return {
        "name": status.name,
        "status": status.status,
        "mode": status.requested_mode,
        "last": status.effective_refresh_mode,
        "schedule": schedule(status),
        "staleness": status.staleness,
        "stale": status.stale,
        "errors": status.consecutive_errors,
        "owner": status.instance_id,
        "note": status.last_error_message if status.consecutive_errors else status.program_reason,
    }


def schedule(status: StreamTableStatus) -> str | None:
    """The schedule in the words of `create`."""
    if status.schedule is None and status.refresh_mode != "IMMEDIATE":
        return "calculated"
    return status.schedule
