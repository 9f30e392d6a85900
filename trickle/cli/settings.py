"""`trickle settings`: every setting, its value here, and the place that value comes from."""

from __future__ import annotations

from typing import Annotated

import typer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from trickle import config
from trickle.cli import output, target
from trickle.cli.options import AsJson, PostgresUrl
from trickle.cli.settings_page import markdown_page

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
    rows = list(_rows(config.merge(*found), config.choose(*found)))
    if as_json:
        output.print_json(rows)
    else:
        output.print_rows(rows, _COLUMNS)


def _rows(resolved: config.Settings, chosen: config.Source) -> list[dict[str, object]]:
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


def _shown(name: str, value: config.Value) -> config.Value:
    """A connection string without its secret; one that has none is left as it was written."""
    if not name.endswith("_url"):
        return value
    url = str(value)
    parts = conninfo_to_dict(url)
    if not any("password" in key for key in parts):
        return url
    return make_conninfo(**{key: "***" if "password" in key else str(value) for key, value in parts.items()})
