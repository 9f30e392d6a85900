"""`trickle settings`: every setting, its value here, and the place that value comes from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated

import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from trickle import config
from trickle.catalog.settings import from_profile, presets
from trickle.cli import output, target
from trickle.cli.options import AsJson, PostgresUrl
from trickle.cli.settings_page import markdown_page
from trickle.database_settings import DatabaseSettings
from trickle.settings import Settings

_COLUMNS = ("setting", "value", "unit", "from", "meaning")


def settings(
    context: typer.Context,
    postgres_url: PostgresUrl = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/settings.md.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show every setting, its value and where the value comes from.

    Settings of the database count when one is named; the embedded server is not started for this.
    """
    if markdown:
        typer.echo(markdown_page(), nl=False)
        return
    found = target.every_source(context, {"postgres_url": postgres_url})
    resolved = config.merge(*found)
    sources = (from_profile(resolved.profile), *found)
    rows = _rows(config.merge(*sources), config.choose(*sources))
    named = target.is_named(resolved, os.environ)
    rows += _rows_of_database(target.given_in_database(resolved.postgres_url) if named else {}, resolved.profile)
    if as_json:
        output.print_json(rows)
    else:
        output.print_rows(rows, _COLUMNS)


def _rows(resolved: Settings, chosen: config.Source) -> list[dict[str, object]]:
    return [
        {
            "setting": name,
            "value": _shown(name, getattr(resolved, name)),
            "unit": about.unit,
            "from": chosen[name].where if name in chosen else "default",
            "meaning": about.help,
        }
        for name, (_, about) in config.table().items()
    ]


def _rows_of_database(given: Mapping[str, str], profile: str) -> list[dict[str, object]]:
    """Settings that stand in the database alone: what counts there now, for a worker of this profile."""
    return [_row_of_database(name, given, presets().get(profile, {})) for name in config.table(DatabaseSettings)]


def _row_of_database(name: str, given: Mapping[str, str], preset: Mapping[str, str]) -> dict[str, object]:
    default, about = config.table(DatabaseSettings)[name]
    where = f"{config.DATABASE_PREFIX}{name} in the database" if name in given else "profile"
    text = given.get(name, preset.get(name))
    value = default
    if text is None:
        where = "default"
    else:
        try:
            value = config.checked(name, text)
        except (TypeError, ValueError) as error:
            where = f"default, for what is {where} cannot be read: {error}"
    return {"setting": name, "value": value, "unit": about.unit, "from": where, "meaning": about.help}


def _shown(name: str, value: config.Value) -> config.Value:
    """A connection string without its secret; one that has none is left as it was written."""
    if not name.endswith("_url"):
        return value
    url = str(value)
    parts = conninfo_to_dict(url)
    if not any("password" in key for key in parts):
        return url
    return make_conninfo(**{key: "***" if "password" in key else str(value) for key, value in parts.items()})
