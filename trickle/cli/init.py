"""`trickle init`: install the catalog, or bring it up to date."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from trickle.cli import output, target
from trickle.cli.options import AsJson, PostgresUrl


def init(
    context: typer.Context,
    postgres_url: PostgresUrl = None,
    all_tenants: Annotated[
        bool, typer.Option("--all-tenants", help="Also in the databases of pgtrickle.tenants, or of --tenants.")
    ] = False,
    tenants: Annotated[Path | None, typer.Option("--tenants", help="File that lists them, YAML or TOML.")] = None,
    parallel: Annotated[int, typer.Option("--parallel", min=1, help="So many databases at once.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Install Trickle's catalog in a database, or upgrade it. Doing it twice is fine.

    Needs an ordinary owner of the database, no superuser. With `--all-tenants` it goes on where one cannot be upgraded,
    and ends with 1; repeated, it does what was left.
    """
    # Alembic takes as long to import as everything else together, and no other verb needs it.
    from trickle.catalog import migrate

    settings = target.resolve(context, {"postgres_url": postgres_url})
    revision = migrate.init(target.database_url(settings))
    if all_tenants or tenants is not None:
        _init_tenants(target.database_url(settings), tenants, parallel, as_json)
    elif as_json:
        output.print_json({"catalog": revision})
    else:
        typer.echo(f"the catalog is installed, at revision {revision}")


def _init_tenants(url: str, file: Path | None, parallel: int, as_json: bool) -> None:
    from trickle.tenants import listing, upgrade

    found = []
    for done in upgrade.upgrade_all(upgrade.places(listing.listed_once(url, file)), parallel):
        row = {
            "outcome": done.outcome,
            "database": done.database,
            "tenants": len(done.tenants),
            "before": done.before,
            "after": done.after,
            "seconds": round(done.seconds, 2),
            "problem": done.problem,
        }
        found.append(row)
        if not as_json:
            output.note(f"{done.outcome}: {done.database}" + (f": {done.problem}" if done.problem else ""))
    if as_json:
        output.print_json(found)
    else:
        counts = Counter(str(row["outcome"]) for row in found)
        typer.echo(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "no tenants")
    if any(row["problem"] for row in found):
        raise typer.Exit(1)
