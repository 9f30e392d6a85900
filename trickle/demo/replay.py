"""The flights of December as they happened, at the speed that was asked for: a process of its own.

    flights ──events──▶ announce, depart, land, cancel ──due──▶ INSERT, UPDATE, UPDATE, DELETE on departures

Deciding what is due is pure. What falls due in one tick is one transaction, so at any speed the replay keeps
up and every stream table sees whole ticks.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection

from trickle.db import session
from trickle.demo.statements import statement

# In this order within a tick: a flight is announced before it departs, and departs before it lands.
KINDS = ("announce", "depart", "land", "cancel")
TICK_SECONDS = 0.1

# The month begins at four in the morning; whoever looks should find traffic.
_FIRST_HOURS = timedelta(hours=3)
# The airport sleeps for hours; nobody wants to watch that.
_QUIET = timedelta(minutes=45)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to a flight, in the time of the records."""

    happens_at: datetime
    kind: str
    flight_id: int


@dataclass(frozen=True, slots=True)
class Tick:
    """What falls due now: flights by kind of event, the simulated time, and the position in the list."""

    flights: dict[str, list[int]]
    simulated_at: datetime
    position: int


def next_tick(events: Sequence[Event], position: int, simulated_at: datetime, step: timedelta) -> Tick:
    """Move the simulated clock by `step`, or to the next event where nothing happens for long."""
    target = simulated_at + step
    if position < len(events) and events[position].happens_at > target + _QUIET:
        target = events[position].happens_at
    flights: dict[str, list[int]] = {kind: [] for kind in KINDS}
    while position < len(events) and events[position].happens_at <= target:
        flights[events[position].kind].append(events[position].flight_id)
        position += 1
    return Tick(flights, target, position)


def read_events(connection: Connection[Any], month: int) -> list[Event]:
    rows = connection.execute(statement("replay_events"), {"month": month}).fetchall()
    return [Event(*row) for row in rows]


def begin(connection: Connection[Any], starts_at: datetime) -> None:
    """Set the replay's clock."""
    connection.execute("INSERT INTO replay_progress VALUES (%s, 0, 0, 0, 0, false)", (starts_at,))


def perform(connection: Connection[Any], tick: Tick, *, is_over: bool) -> None:
    """One transaction: the events of a tick, and how far the replay is."""
    counts = {kind: len(flight_ids) for kind, flight_ids in tick.flights.items()}
    with connection.transaction():
        for kind in KINDS:
            if tick.flights[kind]:
                connection.execute(statement(f"replay_{kind}"), {"flight_ids": tick.flights[kind]})
        connection.execute(
            statement("replay_progress"), {**counts, "simulated_at": tick.simulated_at, "is_over": is_over}
        )


def run(url: str, month: int, minutes_per_second: float) -> int:
    """Replay until told to stop, or until the month is over; then wait to be told. Returns the exit code."""
    stopped = _stop_on_signals()
    with session.connect(url, role="replay") as connection:
        events = read_events(connection, month)
        position, simulated_at = 0, events[0].happens_at + _FIRST_HOURS
        begin(connection, simulated_at)
        before = time.monotonic()
        while position < len(events) and not stopped.wait(TICK_SECONDS):
            now = time.monotonic()
            tick = next_tick(events, position, simulated_at, timedelta(minutes=minutes_per_second * (now - before)))
            perform(connection, tick, is_over=tick.position == len(events))
            position, simulated_at, before = tick.position, tick.simulated_at, now
    stopped.wait()
    return 0


def _stop_on_signals(numbers: Iterable[signal.Signals] = (signal.SIGTERM, signal.SIGINT)) -> threading.Event:
    stopped = threading.Event()
    for number in numbers:
        signal.signal(number, lambda *_: stopped.set())
    return stopped
