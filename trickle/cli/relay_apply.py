"""`trickle relay apply`: make the pipelines of a database what a file says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from psycopg import Connection

from trickle.catalog import pipelines
from trickle.cli import output, target
from trickle.cli.options import PostgresUrl
from trickle.cli.relay_extra import require_relay
from trickle.errors import TrickleError


def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="YAML or TOML.", show_default=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Delete pipelines that the file does not name.")] = False,
    postgres_url: PostgresUrl = None,
) -> None:
    """Create and change pipelines as a file declares them, in one transaction.

    Mistakes in the file are told all at once, and then nothing is done. Secrets are references and are not looked up.
    """
    require_relay()
    from trickle.relay import declare, diff

    wanted = declare.read_file(file)
    with target.client(context, postgres_url or context.obj) as client:
        conn = client.connection
        plan = diff.plan(_current(conn), wanted, prune=prune)
        typer.echo(diff.render(plan))
        if dry_run or plan.changes_nothing:
            return
        with conn.transaction():
            for step in plan.steps:
                _carry_out(conn, step)


def _current(conn: Connection[Any]) -> dict[str, Any]:
    from trickle.relay.pipeline import StoredPipeline, read_pipeline

    found: dict[str, Any] = {}
    for name, direction, outbox, group, inbox, enabled, connector, options, _ in pipelines.read_rows(conn):
        stored = StoredPipeline(name, direction, outbox or inbox, group, enabled, connector, options)
        try:
            found[name] = read_pipeline(stored)
        except TrickleError as error:
            output.note(f"what is stored for {name} cannot be read: {error}")
            found[name] = None
    return found


def _carry_out(conn: Connection[Any], step: Any) -> None:
    from trickle.relay.diff import Deed
    from trickle.relay.pipeline import to_stored

    if step.deed is Deed.DELETE:
        pipelines.delete(conn, step.name)
    elif step.deed in (Deed.CREATE, Deed.CHANGE):
        stored = to_stored(step.wanted)
        if stored.direction == "forward":
            group = stored.group or stored.name
            pipelines.set_forward(
                conn, stored.name, stored.box, group, stored.enabled, stored.connector, stored.options
            )
        else:
            pipelines.set_reverse(conn, stored.name, stored.box, stored.enabled, stored.connector, stored.options)
