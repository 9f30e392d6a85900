"""The root command and its verbs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from trickle.cli.alter import alter
from trickle.cli.create import create
from trickle.cli.demo import demo
from trickle.cli.doctor import doctor
from trickle.cli.drop import drop
from trickle.cli.errors import errors
from trickle.cli.explain import explain
from trickle.cli.failures import TrickleGroup
from trickle.cli.init import init
from trickle.cli.jobs import jobs_app
from trickle.cli.list import list_stream_tables
from trickle.cli.pause import pause, resume
from trickle.cli.pg import pg_app
from trickle.cli.refresh import refresh
from trickle.cli.relay import relay_app
from trickle.cli.settings import settings
from trickle.cli.status import status
from trickle.cli.supervisor import supervisor_app
from trickle.cli.verify import verify
from trickle.cli.version import trickle_version
from trickle.cli.worker import worker

app = typer.Typer(
    cls=TrickleGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Help texts are prose: in the default mode `[demo]` would be taken for markup and vanish.
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"trickle {trickle_version()}")
        raise typer.Exit


@app.callback()
def root(
    config_file: Annotated[
        Path | None,
        typer.Option("--config", help="Settings file, TOML (also TRICKLE_CONFIG).", show_default=False),
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end."),
    ] = False,
) -> None:
    """Keep the results of SQL queries up to date in stock PostgreSQL."""


VERBS: dict[str, Callable[..., None]] = {
    "demo": demo,
    "init": init,
    "create": create,
    "alter": alter,
    "drop": drop,
    "refresh": refresh,
    "pause": pause,
    "resume": resume,
    "list": list_stream_tables,
    "status": status,
    "explain": explain,
    "verify": verify,
    "worker": worker,
    "doctor": doctor,
    "settings": settings,
    "errors": errors,
}
for name, verb in VERBS.items():
    app.command(name)(verb)
app.add_typer(pg_app, name="pg")
app.add_typer(relay_app, name="relay")
app.add_typer(jobs_app, name="jobs")
app.add_typer(supervisor_app, name="supervisor")


def main() -> None:
    """The `trickle` command."""
    app(prog_name="trickle")
