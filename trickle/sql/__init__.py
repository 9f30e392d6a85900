"""The SQL that Trickle runs, one statement or function per file, so that it can be read and diffed as SQL.

    runtime/   PL/pgSQL functions of the schema pgtrickle, installed by a migration, called from any client
    queries/   single statements that Python executes

Flows in: a name such as `runtime/source_stamp`. Flows out: the text of that file. Programs compiled for one
stream table are not here: they are made by the compiler and live in the database.

A released runtime file never changes; new behaviour is a new file and a migration that names it, because old
and new workers call the same database during an upgrade. This package imports the standard library only.
"""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def load(name: str) -> str:
    """Return the SQL text of `name`, for example `queries/list_stream_tables`."""
    return resources.files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
