"""The replay: what falls due in a tick, and what it does to the live table."""

from __future__ import annotations

from datetime import datetime, timedelta

from support.databases import Database

from trickle.db import session
from trickle.demo import replay
from trickle.demo.replay import Event, next_tick

MORNING = datetime(2013, 12, 1, 6)


def at(minutes: float, kind: str = "announce", flight_id: int = 1) -> Event:
    return Event(MORNING + timedelta(minutes=minutes), kind, flight_id)


def test_a_tick_takes_what_is_due_and_no_more() -> None:
    events = [at(1, flight_id=1), at(2, flight_id=2), at(2, "depart", 1), at(3, flight_id=3)]
    tick = next_tick(events, 0, MORNING, timedelta(minutes=2))
    assert tick.flights == {"announce": [1, 2], "depart": [1], "land": [], "cancel": []}
    assert (tick.position, tick.simulated_at) == (3, MORNING + timedelta(minutes=2))


def test_every_event_falls_due_exactly_once() -> None:
    events = [at(n / 3, flight_id=n) for n in range(500)]
    position, simulated_at, seen = 0, MORNING, []
    while position < len(events):
        tick = next_tick(events, position, simulated_at, timedelta(seconds=47))
        position, simulated_at = tick.position, tick.simulated_at
        seen += tick.flights["announce"]
    assert seen == list(range(500))


def test_the_night_is_skipped_and_a_short_pause_is_not() -> None:
    step = timedelta(minutes=1)
    assert next_tick([at(300)], 0, MORNING, step).simulated_at == MORNING + timedelta(minutes=300)
    assert next_tick([at(30)], 0, MORNING, step).simulated_at == MORNING + step


def test_a_replayed_month_ends_like_one_that_was_filled(small: Database) -> None:
    """Cancelled flights are gone, everything else has landed somewhere: the state fill_departures makes at once."""
    with session.connect(small.url) as connection:
        events = replay.read_events(connection, 12)
        replay.begin(connection, events[0].happens_at)
        position, simulated_at = 0, events[0].happens_at
        while position < len(events):
            tick = next_tick(events, position, simulated_at, timedelta(minutes=7))
            replay.perform(connection, tick, is_over=tick.position == len(events))
            position, simulated_at = tick.position, tick.simulated_at
        columns = "carrier, flight, tailnum, origin, dest, extract(day FROM scheduled_at), status, dep_delay, arr_delay"
        months = [
            connection.execute(
                f"SELECT {columns} FROM departures WHERE extract(month FROM day) = %s ORDER BY {columns}", (month,)
            ).fetchall()
            for month in (11, 12)
        ]
        told = connection.execute("SELECT announced, departed, landed, cancelled, is_over FROM replay_progress")
        assert told.fetchone() == (60, 54, 54, 6, True)
    assert months[0] == months[1]
    assert len(months[0]) == 54
