"""`trickle list`: the stream tables of a database."""

from __future__ import annotations

import typer

from trickle.cli import output, target
from trickle.cli.options import AsJson, PostgresUrl
from trickle.cli.status import schedule

_COLUMNS = ("name", "status", "refresh_mode", "effective_refresh_mode", "schedule", "staleness")


def list_stream_tables(context: typer.Context, postgres_url: PostgresUrl = None, as_json: AsJson = False) -> None:
    """List the stream tables of a database."""
    with target.client(context, postgres_url) as client:
        found = client.list()
    if as_json:
        output.print_json(found)
    elif found:
        output.print_rows((output.plain_row(status) | {"schedule": schedule(status)} for status in found), _COLUMNS)
    else:
        output.note("no stream tables yet: `trickle create NAME QUERY` makes one")
