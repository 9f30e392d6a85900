"""The SQL files of the demo, read once."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def statement(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return resources.files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


@cache
def stream_table_file(name: str) -> str:
    """The text of `stream_tables/<name>.sql`."""
    return resources.files(__package__).joinpath("stream_tables", f"{name}.sql").read_text(encoding="utf-8")
