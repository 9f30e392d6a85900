"""What verbs print: tables for people, JSON for programs, notes on standard error.

Cells are plain text and never markup: a name like `[red]` is printed as it is. Where the output is not a
terminal nothing is cut, since nobody could scroll to see the rest.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 200


def print_json(value: Any) -> None:
    typer.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))


def json_line(value: Any) -> str:
    """One line of JSON, for streams."""
    return json.dumps(plain(value), ensure_ascii=False)


def print_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], title: str = "") -> None:
    """A table with one line per row; a missing key is an empty cell."""
    table = Table(box=box.SIMPLE, title=title or None, title_justify="left")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row.get(column))) for column in columns))
    console().print(table)


def print_found(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool, none: str) -> None:
    """Rows as a table or as JSON; where there are none, what a person should know then."""
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(rows, columns)
    else:
        note(none)


def print_sections(sections: Mapping[str, Any]) -> None:
    """Headed blocks of text, for explanations."""
    for heading, text in sections.items():
        typer.secho(heading, bold=True)
        typer.echo("\n".join(f"  {line}" for line in cell(text).splitlines()) + "\n")


def note(text: str) -> None:
    """A word to the person at the terminal, out of the way of standard output."""
    typer.echo(text, err=True)


def console() -> Console:
    """Made at each use: tests and pipes replace standard output."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_PIPE_WIDTH)


def plain(value: Any) -> Any:
    """The value as JSON types: a duration in seconds, a time in ISO 8601."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, UUID | Path):
        return str(value)
    return value


def cell(value: Any) -> str:
    """The value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, timedelta):
        return duration(value)
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return str(value)


def duration(value: timedelta) -> str:
    """`0.3 s`, `2 min 5 s`, `3 h 20 min`: two units are enough."""
    seconds = value.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def plain_row(record: Any) -> dict[str, Any]:
    """A record as a row for `print_rows`."""
    return {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
