"""`trickle doctor`: look for what is wrong, and say what to do about it."""

from __future__ import annotations

import typer

from trickle.catalog.sqlstates import translated
from trickle.cli import output, target
from trickle.cli.absent_settings import absent_settings
from trickle.cli.examination import examine
from trickle.cli.finding import Level
from trickle.cli.findings import findings
from trickle.cli.options import AsJson, PostgresUrl
from trickle.cli.surroundings import known_settings
from trickle.cli.version import trickle_version

_COLUMNS = ("check", "level", "detail", "hint")


def doctor(context: typer.Context, postgres_url: PostgresUrl = None, as_json: AsJson = False) -> None:
    """Look for faults: versions, identity, instances, rights, capture, programs, indexes, transactions, room, settings.

    Each is shown with its evidence and the command that mends it.

    Ends with 1 when something is broken; warnings alone end with 0. Nothing is changed.
    """
    with target.client(context, postgres_url) as client, translated("doctor", client.connection):
        found = findings(examine(client.connection, trickle_version(), {*known_settings(), *absent_settings()}))
    if as_json:
        output.print_json(found)
    else:
        output.print_rows((output.plain_row(finding) for finding in found), _COLUMNS)
    if any(finding.level is Level.ERROR for finding in found):
        raise typer.Exit(1)
