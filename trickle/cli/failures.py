"""How an error looks on the terminal, and with which code the command ends.

    error[T102]: relation "order" does not exist
        where: SELECT * FROM order
                             ^
         hint: …

The place is the note that the client added, or the position that the server names in SQL it ran for us.
"""

from __future__ import annotations

import traceback
from typing import Any

import psycopg
import typer
from typer.core import TyperGroup

from trickle.catalog.places import caret
from trickle.catalog.sqlstates import translate
from trickle.errors import Changed, Ours, Refused, TrickleError, TryAgain

# The first class that fits decides, so a special case stands before its family.
EXIT_CODES: tuple[tuple[type[TrickleError], int], ...] = (
    (Refused, 3),
    (Changed, 3),
    (TryAgain, 4),
    (Ours, 70),
    (TrickleError, 1),
)
DEFECT = 70


class TrickleGroup(TyperGroup):
    """The root command: every error of every verb passes through here once."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TrickleError as error:
            typer.echo(block(error), err=True)
            raise typer.Exit(exit_code(error)) from error
        except psycopg.Error as error:
            meant = translate(error, "command", None)
            meant.__cause__ = error
            typer.echo(block(meant), err=True)
            raise typer.Exit(exit_code(meant)) from error
        except Exception as error:
            # Typer's own exceptions carry an exit code and know how to show themselves.
            if hasattr(error, "exit_code") or isinstance(error, typer.Abort | BrokenPipeError):
                raise
            typer.echo("".join(traceback.format_exception(error)), err=True)
            typer.echo(f"error: a defect of Trickle, please report it: {error!r}", err=True)
            raise typer.Exit(DEFECT) from error


def exit_code(error: TrickleError) -> int:
    return next(code for kind, code in EXIT_CODES if isinstance(error, kind))


def block(error: TrickleError) -> str:
    """What, where, what to do."""
    notes: list[str] = getattr(error, "__notes__", [])
    cause = error.__cause__ if isinstance(error.__cause__, psycopg.Error) else None
    parts = [
        ("detail", cause.diag.message_detail if cause and not notes else None),
        ("where", "\n".join(notes) or (where(cause) if cause else None)),
    ]
    parts.append(("hint", error.hint))
    lines = [f"error[{error.code}]: {error.message}"]
    lines += [_indented(f"{label}: ".rjust(10), text) for label, text in parts if text]
    return "\n".join(lines)


def where(error: psycopg.Error) -> str | None:
    """The line of SQL with a caret, when the server tells a position in a text that it also gives."""
    query, position = error.diag.internal_query, error.diag.internal_position
    if query is None or position is None or not position.isdigit():
        return None
    return caret(query, int(position))


def _indented(label: str, text: str) -> str:
    return label + ("\n" + " " * len(label)).join(text.splitlines())
