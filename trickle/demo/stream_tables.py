"""The stream tables of the demo, in the order of creation: whoever is read comes before its reader."""

from __future__ import annotations

from dataclasses import dataclass

from trickle.client import Client
from trickle.demo.statements import stream_table_file

# Those that read base tables are due every second; their readers follow when something has changed.
_LIVE = "1s"
_FOLLOWS = "calculated"

_SCHEDULES = {
    "departure_board": _LIVE,
    "in_the_air": _FOLLOWS,
    "airline_punctuality": _LIVE,
    "routes": _LIVE,
    "top_routes": _FOLLOWS,
    "days": _LIVE,
    "worst_days": _FOLLOWS,
    "weather_delays": _LIVE,
    "fleet": _LIVE,
    "airport_movements": _LIVE,
    "network": _LIVE,
    "contested_routes": _FOLLOWS,
    "airline_days": _LIVE,
    "airline_worst_days": _FOLLOWS,
    "airline_usual_days": _FOLLOWS,
    "airline_swings": _FOLLOWS,
}


@dataclass(frozen=True, slots=True)
class Definition:
    """A stream table as the demo defines it; `about` is the comment at the head of its file."""

    name: str
    about: str
    query: str
    schedule: str


def definition(name: str, schedule: str, text: str) -> Definition:
    """Split a file into the comment at its head and the query.

    >>> definition("t", "1s", "-- All\\n-- of it.\\nSELECT 1\\n")
    Definition(name='t', about='All of it.', query='SELECT 1', schedule='1s')
    """
    lines = text.strip().splitlines()
    head = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    about = " ".join(line.removeprefix("--").strip() for line in lines[:head])
    return Definition(name, about, "\n".join(lines[head:]), schedule)


DEFINITIONS = tuple(definition(name, schedule, stream_table_file(name)) for name, schedule in _SCHEDULES.items())


def create(client: Client, wanted: Definition) -> None:
    """Create and fill one; the mode is asked for, so that a query without a delta would be an error."""
    client.create_stream_table(wanted.name, wanted.query, schedule=wanted.schedule, refresh_mode="DIFFERENTIAL")
