"""`trickle explain`: how a query is maintained, from its text to the SQL that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trickle.cli import output, target
from trickle.cli.definitions import read_query
from trickle.cli.options import AsJson, PostgresUrl


def explain(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="A stream table.", show_default=False)] = None,
    query: Annotated[
        Path | None,
        typer.Option("--query", help="A file with a query instead; - is standard input.", show_default=False),
    ] = None,
    postgres_url: PostgresUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show how a stream table, or a query that is none yet, is maintained.

    With --query nothing is created: the query is bound and compiled, and each stage is shown: canonical
    query, algebra, delta, program.
    """
    if (name is None) == (query is None):
        raise typer.BadParameter("give a stream table, or --query FILE")
    with target.client(context, postgres_url) as client:
        explained = client.explain(name) if name is not None else client.explain_query(read_query(query or Path("-")))
    if as_json:
        output.print_json(explained)
    else:
        output.print_sections({heading: text for heading, text in explained.items() if text})
