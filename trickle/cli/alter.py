"""`trickle alter`: change a stream table."""

from __future__ import annotations

from typing import Annotated

import typer

from trickle.cli import output, target
from trickle.cli.definitions import MoreOptions, QueryFile, more_options, one_query
from trickle.cli.options import AsJson, PostgresUrl, StreamTableName


def alter(
    context: typer.Context,
    name: StreamTableName,
    query: Annotated[str | None, typer.Option(help="New defining query.", show_default=False)] = None,
    file: QueryFile = None,
    schedule: Annotated[str | None, typer.Option(help="New schedule.", show_default=False)] = None,
    refresh_mode: Annotated[str | None, typer.Option(help="New refresh mode.", show_default=False)] = None,
    status: Annotated[str | None, typer.Option(help="ACTIVE or SUSPENDED.", show_default=False)] = None,
    tier: Annotated[str | None, typer.Option(help="hot, warm, cold or frozen.", show_default=False)] = None,
    more: MoreOptions = None,
    postgres_url: PostgresUrl = None,
    as_json: AsJson = False,
) -> None:
    """Change a stream table's query, schedule, refresh mode, status or tier; what is not named stays."""
    text = one_query(query, file) if query is not None or file is not None else None
    named = {
        "query": text,
        "schedule": schedule,
        "refresh_mode": refresh_mode,
        "status": status,
        "tier": tier,
        **more_options(more),
    }
    changes = {key: value for key, value in named.items() if value is not None}
    if not changes:
        raise typer.BadParameter("nothing to change: name at least one option")
    with target.client(context, postgres_url) as client:
        altered = client.alter_stream_table(name, **changes)
    if as_json:
        output.print_json(altered)
    else:
        typer.echo(f"{altered.name} altered: {', '.join(changes)}")
