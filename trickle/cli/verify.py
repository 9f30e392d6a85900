"""`trickle verify`: does every stream table equal its query?"""

from __future__ import annotations

from typing import Annotated

import typer

from trickle.catalog import stream_tables
from trickle.catalog.sqlstates import translated
from trickle.cli import output, target
from trickle.cli.options import AsJson, PostgresUrl
from trickle.client import Client

DIFFERENT = 1
_COLUMNS = ("stream_table", "equal", "missing_rows", "extra_rows", "pending")


def verify(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Stream tables.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="Every stream table of the database.")] = False,
    postgres_url: PostgresUrl = None,
    as_json: AsJson = False,
) -> None:
    """Refresh stream tables and compare each with its query, at one snapshot, while the system runs.

    Ends with 1 when any of them differs.
    """
    if bool(names) == every:
        raise typer.BadParameter("name stream tables, or give --all")
    with target.client(context, postgres_url) as client:
        chosen = _every_name(client) if every else names or []
        results = [client.verify(name) for name in chosen]
    different = [result for result in results if not result.equal]
    if as_json:
        output.print_json(results)
    else:
        output.print_rows((output.plain_row(result) for result in results), _COLUMNS)
        typer.echo(f"{len(results) - len(different)} of {len(results)} stream tables equal their query")
    if different:
        raise typer.Exit(DIFFERENT)


def _every_name(client: Client) -> list[str]:
    with translated("verify", client.connection):
        records = stream_tables.list_stream_tables(client.connection)
    return [record.quoted(client.connection) for record in records]
