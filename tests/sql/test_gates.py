"""Gates and watermarks: a scheduled refresh waits for the sources it reads, says why once, and nothing is lost by it.

Lies it would catch: a gate that delays the scheduler's next look, but lets a refresh through that was already given
out; a group that holds back who reads one of its sources; a watermark that goes back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import (
    DataException,
    DuplicateObject,
    InsufficientPrivilege,
    InvalidParameterValue,
    UndefinedObject,
    UndefinedTable,
)
from support.databases import Database

from trickle import connect

Conn = psycopg.Connection[Any]


@pytest.fixture
def loads(db: Database) -> Iterator[Conn]:
    """Two sources; `joined` reads them, `one` reads the first, `upon` reads `one`."""
    with db.connect() as conn:
        for name in ("orders", "payments"):
            conn.execute(f"CREATE TABLE {name} (id int PRIMARY KEY, v int NOT NULL)".encode())
        for name, query in (
            ("joined", "SELECT o.id, o.v, p.v AS paid FROM orders o JOIN payments p USING (id)"),
            ("one", "SELECT sum(v) AS s FROM orders"),
            ("upon", "SELECT s + 1 AS t FROM one"),
        ):
            with connect(db.url) as client:
                client.create_stream_table(name, query, refresh_mode="DIFFERENTIAL")
        conn.execute("INSERT INTO orders VALUES (1, 10)")
        conn.execute("INSERT INTO payments VALUES (1, 10)")
        yield conn


def one(conn: Conn, question: str, *values: object) -> Any:
    row = conn.execute(question.encode(), values).fetchone()
    return row[0] if row else None


def scheduled(conn: Conn, name: str) -> tuple[str, str | None]:
    """What a worker does that was told to refresh it: action and reason."""
    row = conn.execute(
        "SELECT r.action, r.reason FROM pgtrickle.pgt_stream_tables s"
        " CROSS JOIN LATERAL pgtrickle._refresh(s.pgt_id, 'SCHEDULER') r WHERE s.pgt_name = %s",
        (name,),
    ).fetchone()
    assert row is not None
    return row


def test_a_gate_holds_back_who_reads_the_source_directly(loads: Conn) -> None:
    loads.execute("SELECT pgtrickle.gate_source('orders')")
    assert scheduled(loads, "joined") == ("SKIPPED", "source gated: public.orders")
    assert scheduled(loads, "one") == ("SKIPPED", "source gated: public.orders")
    assert scheduled(loads, "upon")[0] == "NO_DATA"
    assert one(loads, "SELECT count(*) FROM joined") == 0
    loads.execute("SELECT pgtrickle.refresh_stream_table('joined')")
    assert one(loads, "SELECT count(*) FROM joined") == 1, "by hand it goes on"
    loads.execute("SELECT pgtrickle.ungate_source('orders')")
    assert scheduled(loads, "one")[0] == "DIFFERENTIAL"
    assert one(loads, "SELECT s FROM one") == 10


def test_what_was_held_back_is_told(loads: Conn) -> None:
    loads.execute("SELECT pgtrickle.gate_source('public.orders')")
    scheduled(loads, "one")
    rows = loads.execute(
        "SELECT action, status, reason FROM pgtrickle.pgt_refresh_history WHERE action = 'SKIP'"
    ).fetchall()
    assert rows == [("SKIP", "SKIPPED", "source gated: public.orders")]
    gates = loads.execute(
        "SELECT source_table, gated, gated_by = session_user FROM pgtrickle.source_gates()"
    ).fetchall()
    assert gates == [("orders", True, True)]
    concerned = "SELECT affected_stream_tables, gate_duration >= '0' FROM pgtrickle.bootstrap_gate_status()"
    assert loads.execute(concerned.encode()).fetchall() == [("public.joined, public.one", True)]
    loads.execute("SELECT pgtrickle.ungate_source('orders'), pgtrickle.ungate_source('payments')")
    ended = "SELECT gated, ungated_at IS NOT NULL FROM pgtrickle.source_gates()"
    assert loads.execute(ended.encode()).fetchall() == [(False, True)], "one that was never gated is not listed"


def test_a_gate_that_is_rolled_back_holds_back_nothing(loads: Conn) -> None:
    with pytest.raises(ZeroDivisionError), loads.transaction():
        loads.execute("SELECT pgtrickle.gate_source('orders')")
        raise ZeroDivisionError
    assert scheduled(loads, "one")[0] == "DIFFERENTIAL"


def test_watermarks_too_far_apart_hold_back_who_reads_both(loads: Conn) -> None:
    loads.execute("SELECT pgtrickle.create_watermark_group('sales', ARRAY['orders', 'public.payments'], 60)")
    loads.execute("SELECT pgtrickle.advance_watermark('orders', '2026-01-01 12:00Z')")
    assert scheduled(loads, "joined")[0] == "DIFFERENTIAL", "one watermark alone is not apart from anything"
    loads.execute("INSERT INTO orders VALUES (2, 1)")
    loads.execute("SELECT pgtrickle.advance_watermark('payments', '2026-01-01 11:58:59Z')")
    reason = "watermarks of group sales are further apart than 60 s"
    assert scheduled(loads, "joined") == ("SKIPPED", reason)
    assert scheduled(loads, "one")[0] == "DIFFERENTIAL", "it reads one source of the group"
    status = loads.execute("SELECT * FROM pgtrickle.watermark_status()").fetchone()
    assert status is not None and status[3:] == (61.0, False, 2, 2)
    loads.execute("SELECT pgtrickle.advance_watermark('payments', '2026-01-01 11:59Z')")
    assert scheduled(loads, "joined")[0] == "DIFFERENTIAL"
    loads.execute("SELECT pgtrickle.drop_watermark_group('sales')")
    assert loads.execute("SELECT * FROM pgtrickle.watermark_groups()").fetchall() == []


def test_a_watermark_that_stands_still_is_noticed(loads: Conn, db: Database) -> None:
    loads.execute("SELECT pgtrickle.create_watermark_group('sales', ARRAY['orders', 'payments'], 1e9)")
    loads.execute(
        "SELECT pgtrickle.advance_watermark('orders', '2026-01-01'), pgtrickle.advance_watermark('payments', now())"
    )
    loads.execute("UPDATE pgtrickle.pgt_watermarks SET updated_at = now() - interval '1h'")
    assert scheduled(loads, "joined")[0] != "SKIPPED", "nobody asked for it"
    loads.execute("SELECT pgtrickle.set_config('watermark_holdback_timeout', '600')")
    with db.connect() as listener:
        listener.execute("LISTEN pg_trickle_alert")
        assert scheduled(loads, "joined")[0] == "SKIPPED"
        told = [json.loads(note.payload) for note in listener.notifies(timeout=5, stop_after=1)]
    assert [(note["event"], note["st"]) for note in told] == [("watermark_stuck", "public.joined")]
    for source in ("orders", "payments"):
        loads.execute("SELECT pgtrickle.advance_watermark(%s, now())", (source,))
    assert scheduled(loads, "joined")[0] != "SKIPPED"


def test_a_watermark_only_advances(loads: Conn) -> None:
    loads.execute("SELECT pgtrickle.advance_watermark('orders', '2026-01-02')")
    loads.execute("SELECT pgtrickle.advance_watermark('orders', '2026-01-02')")
    with pytest.raises(DataException, match="would go back"):
        loads.execute("SELECT pgtrickle.advance_watermark('orders', '2026-01-01')")
    with pytest.raises(InvalidParameterValue, match="infinity"):
        loads.execute("SELECT pgtrickle.advance_watermark('orders', 'infinity')")
    found = loads.execute(
        "SELECT source_table, watermark::date::text, wal_lsn IS NOT NULL FROM pgtrickle.watermarks()"
    ).fetchall()
    assert found == [("orders", "2026-01-02", True)]


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        ("gate_source('nowhere')", UndefinedTable, "relation not found: public.nowhere"),
        ("advance_watermark('nowhere', now())", UndefinedTable, "relation not found"),
        ("create_watermark_group('g', ARRAY['orders', 'public.orders'])", InvalidParameterValue, "two sources"),
        ("create_watermark_group('', ARRAY['orders', 'payments'])", InvalidParameterValue, "has a name"),
        ("create_watermark_group('g', ARRAY['orders', 'payments'], -1)", InvalidParameterValue, "tolerance_secs"),
        ("create_watermark_group('g', ARRAY['orders', 'payments'], 'NaN')", InvalidParameterValue, "tolerance_secs"),
        ("create_watermark_group('twice', ARRAY['orders', 'payments'])", DuplicateObject, "already exists: twice"),
        ("drop_watermark_group('never')", UndefinedObject, "not found: never"),
    ],
)
def test_bad_input(loads: Conn, call: str, error: type[Exception], said: str) -> None:
    loads.execute("SELECT pgtrickle.create_watermark_group('twice', ARRAY['orders', 'payments'])")
    with pytest.raises(error, match=said):
        loads.execute(f"SELECT pgtrickle.{call}".encode())


def test_who_may_not_write_a_source_may_not_gate_it(db: Database, loads: Conn) -> None:
    role = db.create_role("stranger")
    with db.superuser() as admin:
        admin.execute(f"GRANT USAGE ON SCHEMA pgtrickle, public TO {role}".encode())
        admin.execute(f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pgtrickle TO {role}".encode())
    with db.connect_as(role) as stranger, pytest.raises(InsufficientPrivilege):
        stranger.execute("SELECT pgtrickle.gate_source('orders')")
