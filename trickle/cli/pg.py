"""`trickle pg`: the embedded server, started, stopped, looked at and talked to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from trickle import embedded
from trickle.cli import output
from trickle.cli.options import AsJson
from trickle.errors import Refused

# The exit code of `pg_ctl status` for a server that does not run.
NOT_RUNNING = 3


class Mode(StrEnum):
    """How to stop, in PostgreSQL's words."""

    SMART = "smart"
    FAST = "fast"
    IMMEDIATE = "immediate"


@dataclass(frozen=True, slots=True)
class Report:
    """What the verbs print about a server."""

    running: bool
    data_dir: Path
    version: str | None = None
    pid: int | None = None
    port: int | None = None
    socket_dir: Path | None = None
    url: str | None = None


pg_app = typer.Typer(no_args_is_help=True, help="Run the embedded PostgreSQL server.")

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Directory of the server; your own by default.", show_default=False),
]


@pg_app.command()
def start(
    data_dir: DataDir = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="TCP port on 127.0.0.1; free by default.", show_default=False),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the server, or say where it runs already."""
    server = embedded.start(data_dir, port=port)
    if port is not None and server.port != port:
        output.note(f"the server was running already, on port {server.port}")
    _print(_report(server), as_json)


@pg_app.command()
def stop(
    data_dir: DataDir = None,
    mode: Annotated[
        Mode,
        typer.Option("--mode", help="smart waits for clients, fast disconnects them, immediate crashes."),
    ] = Mode.FAST,
    as_json: AsJson = False,
) -> None:
    """Stop the server."""
    stopped = embedded.stop(data_dir, mode.value)
    if not stopped:
        output.note("no server was running")
    _print(_absent(data_dir), as_json)


@pg_app.command()
def status(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Say whether the server runs, and where; the exit code is 3 when it does not."""
    server = embedded.status(data_dir)
    _print(_report(server) if server else _absent(data_dir), as_json)
    if server is None:
        raise typer.Exit(NOT_RUNNING)


@pg_app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def psql(
    context: typer.Context,
    data_dir: DataDir = None,
    database: Annotated[str, typer.Option("--database", help="Database to connect to.")] = "postgres",
) -> None:
    """Open psql on the running server; what psql understands is handed on to it."""
    server = embedded.status(data_dir)
    if server is None:
        raise Refused("the embedded server is not running", hint="start it with `trickle pg start`")
    program = embedded.tool("psql")
    os.execv(program, [str(program), "--dbname", server.url(database), *context.args])


def _report(server: embedded.Server) -> Report:
    return Report(True, server.data_dir, server.version, server.pid, server.port, server.socket_dir, server.url())


def _absent(data_dir: Path | None) -> Report:
    return Report(False, data_dir or embedded.default_data_dir())


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        output.print_json(report)
        return
    row: dict[str, Any] = output.plain_row(report)
    for name, value in row.items():
        if value is not None:
            typer.echo(f"{name.replace('_', ' '):<12}{output.cell(value)}")
