"""Settings that stand in the database: pg_trickle.* parameters and the rows of pgtrickle.set_config."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from trickle import config
from trickle.sql import load


def read_settings(connection: Connection[Any]) -> config.Source:
    """The settings this database gives, as one source for `config.merge`."""
    names = [name for name, (_, about) in config.table().items() if about.in_database]
    with connection.cursor(row_factory=tuple_row) as cursor:
        return config.from_database(dict(cursor.execute(load("queries/stream_table_settings"), {"names": names})))
