"""`trickle explain`: how a query is maintained, from its text to the SQL that runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from trickle.cli import output, target
from trickle.cli.definitions import read_query
from trickle.cli.options import AsJson, PostgresUrl


def explain(
    context: typer.Context,
    what: Annotated[
        str | None,
        typer.Argument(help="A stream table, or a file with a query; - is standard input.", metavar="FILE|NAME"),
    ] = None,
    query: Annotated[
        Path | None,
        typer.Option("--query", help="A file with a query, whatever stream tables are called.", show_default=False),
    ] = None,
    postgres_url: PostgresUrl = None,
    as_json: AsJson = False,
) -> None:
    """Show how a stream table, or a query that is none yet, is maintained.

    Of a query nothing is created: it is bound and compiled against the database, and each stage is shown:
    canonical query, algebra, delta, program; what is recomputed and why; which indexes would help.
    """
    if (what is None) == (query is None):
        raise typer.BadParameter("give a stream table, or a file with a query")
    file = query or _as_file(what or "")
    with target.client(context, postgres_url) as client:
        explained = client.explain(what or "") if file is None else client.explain_query(read_query(file))
    if as_json:
        output.print_json(explained)
    else:
        output.print_sections({heading: text for heading, value in explained.items() if (text := _text(value))})


def _as_file(what: str) -> Path | None:
    path = Path(what)
    return path if what == "-" or path.is_file() else None


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {', '.join(parts) or 'no column'}" for key, parts in value.items())
    return "\n".join(value) if isinstance(value, list) else value or ""
