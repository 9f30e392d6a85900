"""Queries composed of every operator, four deep, over tables with NULLs, duplicates and skew.

Lies it would catch: a rule that holds over tables and fails over what another rule makes of them.
Oracle: PostgreSQL, evaluating the defining query from nothing in the statement that compares. `TRICKLE_EXAMPLES` sets
how many queries the long run draws; 20 000 are a night's work.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import trickle
from property.composed import TABLES, Made, composed
from property.trial import trial

INT = st.sampled_from(("NULL", "0", "1", "1", "1", "2", "3"))
TEXT = st.sampled_from(("NULL", "'a'", "'a'", "'b'", "''"))
CYCLES = 5


@st.composite
def statement(draw: st.DrawFn) -> str:
    """One statement that changes one of the tables."""
    table = draw(st.sampled_from(("t1", "t2", "t3")))
    kind = draw(st.sampled_from(("insert", "insert", "update", "delete")))
    i, j, s = draw(INT), draw(INT), draw(TEXT)
    if kind == "insert":
        first = {"t1": "id + 10", "t2": "a", "t3": "a + 1"}[table]
        copy = f"INSERT INTO {table} SELECT {first}, {j}::int, {s} FROM {table} WHERE a = {i} LIMIT 2"
        new = {
            "t1": f"({draw(st.integers(1, 9))}, {i}, {s})",
            "t2": f"({i}, {j}, {s}), ({i}, {j}, {s})",
            "t3": f"({draw(st.integers(0, 4))}, {draw(st.integers(0, 4))}, {s})",
        }[table]
        return draw(st.sampled_from((f"INSERT INTO {table} VALUES {new}", copy))) + " ON CONFLICT DO NOTHING"
    if kind == "update":
        set_ = draw(st.sampled_from((f"s = {s}", f"a = {i if table != 't3' else 'a + 1'}")))
        return f"UPDATE {table} SET {set_} WHERE a IS NOT DISTINCT FROM {j}"
    return f"DELETE FROM {table} WHERE a IS NOT DISTINCT FROM {i} AND s IS NOT DISTINCT FROM {s}"


def play(client: trickle.Client, data: st.DataObject) -> None:
    query: Made = data.draw(composed(4), "query")
    with trial(client, TABLES) as made:
        for table in ("t1", "t2", "t3"):
            for _ in range(4):
                i, j, s = data.draw(INT), data.draw(INT), data.draw(TEXT)
                row = {"t1": f"{data.draw(st.integers(1, 9))}, {i}", "t2": f"{i}, {j}", "t3": f"{i}, {j}"}[table]
                made.run(f"INSERT INTO {table} VALUES ({row}, {s}) ON CONFLICT DO NOTHING")
        table = made.create("st", query.sql)
        for _ in range(CYCLES):
            for _ in range(data.draw(st.integers(1, 3))):
                made.run(data.draw(statement()))
            made.refresh(table)


COMMON = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


@settings(COMMON, max_examples=40)
@given(data=st.data())
def test_composed_queries(client: trickle.Client, data: st.DataObject) -> None:
    play(client, data)


@pytest.mark.full
@pytest.mark.timeout(7200)
@settings(COMMON, max_examples=int(os.environ.get("TRICKLE_EXAMPLES", "400")))
@given(data=st.data())
def test_composed_queries_at_length(client: trickle.Client, data: st.DataObject) -> None:
    play(client, data)
