"""The demo's stream tables: all of them are maintained by changes alone, and stay equal to their queries.

Oracle: the query as the file has it, evaluated by PostgreSQL.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.databases import Database

import trickle
from trickle.db import session
from trickle.demo import check, replay, stream_tables
from trickle.demo.stream_tables import DEFINITIONS


@pytest.fixture
def created(small: Database) -> Database:
    with trickle.connect(small.url) as client:
        for wanted in DEFINITIONS:
            stream_tables.create(client, wanted)
    return small


def test_there_is_enough_to_see() -> None:
    """At least eight, among them chains, a diamond, HAVING, DISTINCT and UNION ALL; each says what it shows."""
    assert len(DEFINITIONS) >= 8
    assert all(wanted.about.endswith(".") for wanted in DEFINITIONS)
    queries = "\n".join(wanted.query for wanted in DEFINITIONS)
    assert all(words in queries for words in ("HAVING", "DISTINCT", "UNION ALL", "JOIN"))


def test_all_of_them_are_compiled(created: Database) -> None:
    with trickle.connect(created.url) as client:
        states = {status.name: (status.program_state, status.program_reason) for status in client.list()}
    assert set(states.values()) == {("compiled", None)}


def test_they_stay_equal_through_a_replay(created: Database) -> None:
    with trickle.connect(created.url) as client, session.connect(created.url) as connection:
        events = replay.read_events(connection, 12)
        replay.begin(connection, events[0].happens_at)
        position, simulated_at = 0, events[0].happens_at
        while position < len(events):
            tick = replay.next_tick(events, position, simulated_at, timedelta(minutes=200))
            replay.perform(connection, tick, is_over=False)
            position, simulated_at = tick.position, tick.simulated_at
            actions = {client.refresh_stream_table(wanted.name).action for wanted in DEFINITIONS}
            assert actions <= {"DIFFERENTIAL", "NO_DATA"}
            with session.connect(created.url) as reader:
                verdicts = check.compare(reader, DEFINITIONS, frozenset())
            assert [verdict for verdict in verdicts if not verdict.is_equal] == []
