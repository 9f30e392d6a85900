"""`trickle demo`: real flights, replayed live, with stream tables kept fresh over them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trickle.cli import output
from trickle.demo.options import DemoOptions


def demo(
    speed: Annotated[float, typer.Option("--speed", help="Simulated minutes per second.")] = 15.0,
    seconds: Annotated[
        float | None,
        typer.Option("--seconds", help="End after this many seconds; Ctrl-C otherwise.", show_default=False),
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="At the end compare every stream table with its query; exit 1 if one differs."),
    ] = False,
    chaos: Annotated[bool, typer.Option("--chaos", help="Kill a worker with SIGKILL every few seconds.")] = False,
    workers: Annotated[int, typer.Option("--workers", help="Worker processes that share the stream tables.")] = 3,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Keep the server's data here; thrown away by default.", show_default=False),
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="Print lines in place of the live view.")] = False,
) -> None:
    """Replay a year's last month of real flights, and watch stream tables being kept fresh over them.

    Everything happens in a PostgreSQL of its own, started here and gone at the end. Needs pip install
    'trickle-pg[demo]'.
    """
    from trickle.demo.run import run

    console = output.console()
    options = DemoOptions(
        minutes_per_second=speed,
        seconds=seconds,
        workers=workers,
        with_chaos=chaos,
        with_check=check,
        is_plain=plain or not console.is_terminal,
        data_dir=data_dir,
    )
    console.print("Real flights out of New York, replayed live, with stream tables kept fresh.")
    raise typer.Exit(run(options, console))
