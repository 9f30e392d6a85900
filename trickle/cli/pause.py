"""`trickle pause` and `trickle resume`: stop scheduled refreshes, of some stream tables or of the whole database."""

from __future__ import annotations

from typing import Annotated

import typer

from trickle.cli import output, target
from trickle.cli.options import AsJson, PostgresUrl
from trickle.errors import TryAgain

Names = Annotated[list[str] | None, typer.Argument(help="Stream tables; without, all.", show_default=False)]


def pause(
    context: typer.Context,
    names: Names = None,
    timeout: Annotated[int, typer.Option("--timeout", min=1, help="Seconds to wait for refreshes in progress.")] = 60,
    postgres_url: PostgresUrl = None,
    as_json: AsJson = False,
) -> None:
    """Wait for refreshes in progress, and let none begin by itself until `trickle resume`.

    Changes go on being captured; a refresh by hand still works. Stream tables that their writers keep go on.
    """
    with target.client(context, postgres_url) as client:
        if names:
            client.pause(names)
        elif not client.drain(timeout):
            raise TryAgain(f"a refresh in progress did not end within {timeout} seconds: nothing is paused")
    _tell("paused", names, as_json)


def resume(
    context: typer.Context, names: Names = None, postgres_url: PostgresUrl = None, as_json: AsJson = False
) -> None:
    """Let what was paused be refreshed again."""
    with target.client(context, postgres_url) as client:
        client.resume(names)
    _tell("resumed", names, as_json)


def _tell(what: str, names: list[str] | None, as_json: bool) -> None:
    if as_json:
        output.print_json({what: names or "all"})
        return
    typer.echo(f"{', '.join(names) if names else 'all stream tables'} {what}")
