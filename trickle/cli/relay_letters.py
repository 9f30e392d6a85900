"""`trickle relay dlq`: messages that could not be delivered, looked at, tried again, thrown away."""

from __future__ import annotations

from typing import Annotated

import typer

from trickle.catalog import pipelines
from trickle.cli import output, target
from trickle.cli.options import AsJson, PostgresUrl
from trickle.errors import ConfigurationError

letters_app = typer.Typer(no_args_is_help=True, help="Look at dead letters, and have them delivered after all.")

Letter = Annotated[int, typer.Argument(help="Number of the letter, as `list` shows it.")]
_COLUMNS = (
    "id",
    "pipeline_name",
    "event_id",
    "key",
    "error_kind",
    "error_message",
    "attempts",
    "failed_at",
    "is_retrying",
)


@letters_app.command("list")
def list_letters(
    context: typer.Context,
    pipeline: Annotated[str | None, typer.Argument(help="Of this pipeline alone.", show_default=False)] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="The newest so many.")] = 100,
    postgres_url: PostgresUrl = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the newest first."""
    with target.client(context, postgres_url or context.obj) as client:
        found = pipelines.dead_letters(client.connection, pipeline, most)
    output.print_found(found, _COLUMNS, as_json, none="no dead letters")


@letters_app.command("retry")
def retry(
    context: typer.Context,
    letter: Annotated[int | None, typer.Argument(help="Number of the letter.", show_default=False)] = None,
    all_of: Annotated[str | None, typer.Option("--all", metavar="PIPELINE", help="All of this pipeline.")] = None,
    postgres_url: PostgresUrl = None,
) -> None:
    """Have the relay try a letter again, or all of a pipeline; those that arrive are gone from the list."""
    if (letter is None) == (all_of is None):
        raise ConfigurationError("give the number of a letter, or --all PIPELINE")
    with target.client(context, postgres_url or context.obj) as client:
        if all_of is not None:
            output.note(f"{pipelines.retry_letters(client.connection, all_of)} are tried again")
        elif letter is not None:
            pipelines.retry_letter(client.connection, letter)


@letters_app.command("discard")
def discard(context: typer.Context, letter: Letter, postgres_url: PostgresUrl = None) -> None:
    """Throw a letter away for good."""
    with target.client(context, postgres_url or context.obj) as client:
        pipelines.discard_letter(client.connection, letter)
