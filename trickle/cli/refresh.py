"""`trickle refresh`: bring stream tables up to date now."""

from __future__ import annotations

from typing import Annotated

import typer

from trickle.cli import output, target
from trickle.cli.options import AsJson, PostgresUrl
from trickle.client import RefreshOutcome


def refresh(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(help="Stream tables, refreshed in this order.", show_default=False)],
    full: Annotated[bool, typer.Option("--full", help="Recompute, whatever has changed.")] = False,
    postgres_url: PostgresUrl = None,
    as_json: AsJson = False,
) -> None:
    """Bring stream tables up to date now, in the order given."""
    outcomes: dict[str, RefreshOutcome] = {}
    with target.client(context, postgres_url) as client:
        for name in names:
            outcomes[name] = client.refresh_stream_table(name, full=full)
            if not as_json:
                typer.echo(f"{name}: {sentence(outcomes[name])}")
    if as_json:
        output.print_json(outcomes)


def sentence(outcome: RefreshOutcome) -> str:
    """What a refresh did, in words."""
    if outcome.action == "NO_DATA":
        return "nothing has changed"
    counts = f"{outcome.rows_inserted} inserted, {outcome.rows_updated} updated, {outcome.rows_deleted} deleted"
    return f"{outcome.action}, {counts}" + (f" ({outcome.reason})" if outcome.reason else "")
