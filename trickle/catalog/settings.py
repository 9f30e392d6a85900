"""Settings that stand in the database: pg_trickle.* parameters and the rows of pgtrickle.set_config."""

from __future__ import annotations

import re
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from trickle import config
from trickle.database_settings import DatabaseSettings
from trickle.sql import load


def read_settings(connection: Connection[Any]) -> config.Source:
    """The settings this database gives, as one source for `config.merge`."""
    names = [name for name, (_, about) in config.table().items() if about.in_database]
    with connection.cursor(row_factory=tuple_row) as cursor:
        return config.from_database(dict(cursor.execute(load("queries/stream_table_settings"), {"names": names})))


def read_given(connection: Connection[Any]) -> dict[str, str]:
    """What this database says of the settings that stand there alone, as it was written."""
    names = list(config.table(DatabaseSettings))
    with connection.cursor(row_factory=tuple_row) as cursor:
        return dict(cursor.execute(load("queries/stream_table_settings"), {"names": names}))


def presets() -> dict[str, dict[str, str]]:
    """Profile → setting → value; they stand in one place, the function of the server that reads settings."""
    rows = re.findall(r"\('([a-z-]+)', '([a-z_]+)', '([^']*)'\)", load("runtime/_presets"))
    found: dict[str, dict[str, str]] = {}
    for profile, name, value in rows:
        found.setdefault(profile, {})[name] = value
    return found


def from_profile(profile: str) -> config.Source:
    """What a profile says of the settings of an instance; the server's functions read the rest themselves."""
    values = presets().get(profile, {})
    return {name: config.Given(value, f"profile {profile}") for name, value in values.items() if name in config.table()}
