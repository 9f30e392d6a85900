"""`trickle drop`: remove stream tables."""

from __future__ import annotations

from typing import Annotated

import typer

from trickle.cli import output, target
from trickle.cli.options import AsJson, PostgresUrl


def drop(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(help="Stream tables.", show_default=False)],
    cascade: Annotated[bool, typer.Option("--cascade", help="Also those that read it.")] = False,
    postgres_url: PostgresUrl = None,
    as_json: AsJson = False,
) -> None:
    """Drop stream tables, their storage, and the capture that nothing else needs."""
    with target.client(context, postgres_url) as client:
        for name in names:
            client.drop_stream_table(name, cascade=cascade)
            if not as_json:
                typer.echo(f"{name} dropped")
    if as_json:
        output.print_json({"dropped": names})
