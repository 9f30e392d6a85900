"""`trickle create`: make a stream table of a query."""

from __future__ import annotations

from typing import Annotated

import typer

from trickle.cli import output, target
from trickle.cli.definitions import MoreOptions, QueryFile, more_options, one_query
from trickle.cli.options import AsJson, PostgresUrl, StreamTableName
from trickle.client import StreamTableStatus


def create(
    context: typer.Context,
    name: StreamTableName,
    query: Annotated[str | None, typer.Argument(help="Defining query.", show_default=False)] = None,
    file: QueryFile = None,
    schedule: Annotated[str, typer.Option(help="Duration (5s, 1h30m), cron expression, or calculated.")] = "calculated",
    refresh_mode: Annotated[str, typer.Option(help="AUTO, DIFFERENTIAL, FULL or IMMEDIATE.")] = "AUTO",
    if_not_exists: Annotated[bool, typer.Option("--if-not-exists", help="Keep one that exists.")] = False,
    or_replace: Annotated[bool, typer.Option("--or-replace", help="Change one that exists.")] = False,
    initialize: Annotated[
        bool, typer.Option("--initialize/--no-initialize", help="Fill it now, or at its first refresh.")
    ] = True,
    more: MoreOptions = None,
    postgres_url: PostgresUrl = None,
    as_json: AsJson = False,
) -> None:
    """Create a stream table: a table that holds the result of QUERY and is kept up to date."""
    if if_not_exists and or_replace:
        raise typer.BadParameter("--if-not-exists and --or-replace exclude each other")
    text = one_query(query, file)
    asked = {
        "schedule": schedule,
        "refresh_mode": refresh_mode,
        "initialize": initialize,
        **more_options(more),
    }
    with target.client(context, postgres_url) as client:
        if or_replace:
            made = client.create_or_replace_stream_table(name, text, **asked)
        elif if_not_exists:
            made = client.create_stream_table_if_not_exists(name, text, **asked)
        else:
            made = client.create_stream_table(name, text, **asked)
    if as_json:
        output.print_json(made)
        return
    typer.echo(sentence(made))


def sentence(made: StreamTableStatus) -> str:
    """What was made and how it will be kept, in words."""
    compiled = made.program_state == "compiled"
    kept = f"{'DIFFERENTIAL' if compiled else 'FULL'} refresh"
    reason = f": {made.program_reason}" if made.program_reason and not compiled else ""
    if not made.is_populated:
        return f"{made.name} is empty until its first refresh"
    if made.refresh_mode == "IMMEDIATE":
        return f"{made.name} is kept up to date by every statement that writes its sources"
    return f"{made.name} is kept up to date by {kept}{reason}"
