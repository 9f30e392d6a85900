"""Options that several verbs share, made from the table of settings."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trickle import config


def setting_option(name: str) -> Any:
    """The flag of a setting; its text is read and checked by `config.merge`, like every other source."""
    _, about = config.table()[name]
    return typer.Option(
        about.flag, help=config.help_text(name), show_default=False, metavar=about.unit.upper() or "VALUE"
    )


PostgresUrl = Annotated[str | None, setting_option("postgres_url")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
StreamTableName = Annotated[str, typer.Argument(help="Stream table, as name or schema.name.", show_default=False)]
