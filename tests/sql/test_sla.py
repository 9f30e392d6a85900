"""What was promised about freshness, and what is foreseen of it. Oracle: arithmetic over a history written here.

Lies it would catch: a breach that is foretold again at every refresh, or never; a recommendation from three samples
that is sure of itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import InvalidParameterValue, UndefinedTable
from support.databases import Database

Conn = psycopg.Connection[Any]


@pytest.fixture
def conn(db: Database) -> Iterator[Conn]:
    with db.connect() as opened:
        opened.execute("CREATE TABLE source (id int PRIMARY KEY)")
        opened.execute(
            "SELECT pgtrickle.create_stream_table('st', 'SELECT count(*) AS n FROM source', schedule => '10s')"
        )
        opened.execute("DELETE FROM pgtrickle.pgt_refresh_history")
        yield opened


def one(conn: Conn, question: str) -> Any:
    row = conn.execute(question.encode()).fetchone()
    return row[0] if row else None


def took(conn: Conn, *milliseconds: float, status: str = "COMPLETED") -> None:
    for ms in milliseconds:
        conn.execute(
            "INSERT INTO pgtrickle.pgt_refresh_history"
            " (pgt_id, data_timestamp, start_time, end_time, action, status, initiated_by)"
            " SELECT 1, now(), t, t + %s * interval '1 ms', 'FULL', %s, 'SCHEDULER'"
            " FROM (SELECT now() - interval '1 minute') x(t)",
            (ms, status),
        )


@pytest.mark.parametrize(
    ("sla", "ms", "tier"),
    [
        ("5 seconds", 5000, "hot"),
        ("0.25 s", 250, "hot"),
        ("30 seconds", 30_000, "warm"),
        ("1 month 2 days", 2_764_800_000, "cold"),
    ],
)
def test_a_promise_is_kept_in_milliseconds_and_moves_the_tier(conn: Conn, sla: str, ms: int, tier: str) -> None:
    conn.execute("SELECT pgtrickle.set_stream_table_sla('st', %s)", (sla,))
    found = conn.execute("SELECT freshness_deadline_ms, refresh_tier FROM pgtrickle.pgt_stream_tables").fetchone()
    assert found == (ms, tier)
    conn.execute("SELECT pgtrickle.set_stream_table_sla('st', NULL)")
    found = conn.execute("SELECT freshness_deadline_ms, refresh_tier FROM pgtrickle.pgt_stream_tables").fetchone()
    assert found == (None, tier)


def test_a_breach_is_foretold_once_in_a_while(conn: Conn, db: Database) -> None:
    conn.execute("SELECT pgtrickle.set_stream_table_sla('st', '2 seconds')")
    took(conn, 1500)
    with db.connect() as listener:
        listener.execute("LISTEN pg_trickle_alert")
        for _ in range(2):
            conn.execute("INSERT INTO source SELECT coalesce(max(id), 0) + 1 FROM source")
            conn.execute("SELECT pgtrickle.refresh_stream_table('st')")
        assert not list(listener.notifies(timeout=0.2)), "1.1 times 1.5 s is in time"
        took(conn, 3000)
        for _ in range(2):
            conn.execute("INSERT INTO source SELECT coalesce(max(id), 0) + 1 FROM source")
            conn.execute("SELECT pgtrickle.refresh_stream_table('st')")
        told = [json.loads(note.payload) for note in listener.notifies(timeout=0.5)]
    assert told == [
        {
            "event": "predicted_sla_breach",
            "pgt_schema": "public",
            "pgt_name": "st",
            "st": "public.st",
            "predicted_ms": 3300.0,
            "sla_ms": 2000,
            "pct_over": 65.0,
        }
    ]


def test_a_summary_over_the_window(conn: Conn) -> None:
    took(conn, *range(1, 100))
    took(conn, 5, status="FAILED")
    conn.execute(
        "INSERT INTO pgtrickle.pgt_refresh_history"
        " (pgt_id, data_timestamp, start_time, end_time, action, status, initiated_by)"
        " VALUES (1, now(), now() - interval '2 days', now(), 'FULL', 'FAILED', 'SCHEDULER')"
    )
    row = conn.execute(
        "SELECT stream_table, p50_ms, p99_ms, error_rate, error_budget_remaining, freshness_lag_s >= 0"
        " FROM pgtrickle.sla_summary()"
    ).fetchone()
    assert row is not None
    assert (row[0], row[1], row[5]) == ("public.st", pytest.approx(50), True)
    assert row[2:5] == (pytest.approx(98.02), pytest.approx(0.01), pytest.approx(0.99))


def test_a_recommendation_follows_what_refreshes_take(conn: Conn) -> None:
    few = one(conn, "SELECT pgtrickle.recommend_schedule('st')")
    assert (few["confidence"], few["current_interval_seconds"]) == (0, 10)
    assert "only 0 of 20" in few["reasoning"]
    took(conn, *[1800.0, 2000.0, 2200.0] * 10)
    found = one(conn, "SELECT pgtrickle.recommend_schedule('public.st')")
    assert found["recommended_interval_seconds"] == pytest.approx(1.5 * (2000 + 3 * 200) / 1000)
    assert found["confidence"] == pytest.approx(0.9)
    assert found["delta_pct"] == pytest.approx(-61.0)
    rows = conn.execute(
        "SELECT name, recommended_interval_seconds FROM pgtrickle.schedule_recommendations()"
    ).fetchall()
    assert rows == [("public.st", pytest.approx(3.9))]


def test_bad_input(conn: Conn) -> None:
    for sla in ("0 s", "-5 s"):
        with pytest.raises(InvalidParameterValue, match=r"freshness deadline of public\.st"):
            conn.execute("SELECT pgtrickle.set_stream_table_sla('st', %s)", (sla,))
    with pytest.raises(UndefinedTable):
        conn.execute("SELECT pgtrickle.set_stream_table_sla('nowhere', '5 s')")
    with pytest.raises(UndefinedTable):
        conn.execute("SELECT pgtrickle.recommend_schedule('nowhere')")
