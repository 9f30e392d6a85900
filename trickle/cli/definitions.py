"""Reading a definition from the command line: the query's text and `--set key=value` options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from trickle.errors import ConfigurationError

QueryFile = Annotated[
    Path | None,
    typer.Option("--file", "-f", help="Read the query from a file; - is standard input.", show_default=False),
]
MoreOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Another argument of the SQL function, as key=value; may be repeated.",
        show_default=False,
    ),
]


def read_query(path: Path) -> str:
    """The text of a file; `-` is standard input."""
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read the query from {path}: {error}") from error


def one_query(text: str | None, file: Path | None) -> str:
    """Exactly one of an argument and a file."""
    if text is not None and file is not None:
        raise typer.BadParameter("give the query as an argument or as --file, not both")
    if file is not None:
        return read_query(file)
    if text is None:
        raise typer.BadParameter("give the query as an argument, or --file FILE")
    return text


def more_options(pairs: list[str] | None) -> dict[str, Any]:
    """`key=value` words as arguments; true, false and whole numbers get their type."""
    values: dict[str, Any] = {}
    for pair in pairs or []:
        key, separator, text = pair.partition("=")
        if not separator or not key.isidentifier():
            raise typer.BadParameter(f"--set {pair}: expected key=value")
        values[key] = _typed(text)
    return values


def _typed(text: str) -> bool | int | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return int(text) if text.lstrip("-").isdecimal() else text
