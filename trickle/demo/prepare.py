"""From nothing to stream tables over a year of flights, with a word about every step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import trickle.client
from trickle import embedded
from trickle.catalog import migrate
from trickle.db import session
from trickle.demo import stream_tables
from trickle.demo.data import PAST_MONTHS, DataFile, fill_departures, load
from trickle.demo.database import KEPT_SETTINGS, SETTINGS, create_database, create_tables
from trickle.demo.progress import Reporter
from trickle.demo.statements import statement


@contextmanager
def server(data_dir: Path | None) -> Iterator[embedded.Server]:
    """A throw-away server, or that of a directory, stopped again if it was started here."""
    if data_dir is None:
        with embedded.temporary(settings=SETTINGS) as temporary:
            yield temporary
        return
    started = embedded.start(data_dir, settings=KEPT_SETTINGS, die_with_parent=True)
    try:
        yield started
    finally:
        if started.started_here:
            embedded.stop(started)


def database(server: embedded.Server, reporter: Reporter) -> str:
    """The owner's URL of a new database with the catalog."""
    with reporter.step("Install the catalog") as step:
        url = create_database(server)
        migrate.init(url)
        create_tables(url)
        step.outcome = "as an ordinary database owner"
    return url


def flights(url: str, files: Sequence[DataFile], reporter: Reporter) -> int:
    """Load everything; returns the number of flights."""
    counts: dict[str, int] = {}
    with session.connect(url, role="demo") as connection:
        for file in files:
            with reporter.step(f"Load {file.table}", file.size_bytes) as step:
                counts[file.table] = load(connection, file, step.advance)
                step.outcome = f"{counts[file.table]:,} rows".replace(",", " ")
        with reporter.step("Replay January to November", len(PAST_MONTHS) + 2) as step:
            departures = 0
            for month in PAST_MONTHS:
                departures += fill_departures(connection, month)
                step.advance(1)
            connection.execute(statement("index"))
            step.advance(1)
            connection.execute(statement("vacuum"))
            step.outcome = f"{departures:,} departures".replace(",", " ")
    return counts["flights"]


def create_stream_tables(url: str, reporter: Reporter) -> None:
    wanted = stream_tables.DEFINITIONS
    with (
        trickle.client.connect(url) as client,
        reporter.step(f"Create {len(wanted)} stream tables", len(wanted)) as step,
    ):
        for definition in wanted:
            stream_tables.create(client, definition)
            step.advance(1)
        compiled = sum(status.program_state == "compiled" for status in client.list())
        step.outcome = f"{compiled} compiled to DIFFERENTIAL"
