"""`trickle init`: install the catalog, or bring it up to date."""

from __future__ import annotations

import typer

from trickle.cli import output, target
from trickle.cli.options import AsJson, PostgresUrl


def init(context: typer.Context, postgres_url: PostgresUrl = None, as_json: AsJson = False) -> None:
    """Install Trickle's catalog in a database, or upgrade it. Doing it twice is fine.

    Needs an ordinary owner of the database, no superuser.
    """
    # Alembic takes as long to import as everything else together, and no other verb needs it.
    from trickle.catalog import migrate

    settings = target.resolve(context, {"postgres_url": postgres_url})
    revision = migrate.init(target.database_url(settings))
    if as_json:
        output.print_json({"catalog": revision})
    else:
        typer.echo(f"the catalog is installed, at revision {revision}")
