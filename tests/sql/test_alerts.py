"""Who listens hears what has happened, on either channel, as JSON. Oracle: LISTEN on a session of its own.

Catches: an event that nobody tells of, one that is told all the time, and a payload that is cut in the middle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.databases import Database

from trickle.catalog.install import compile_and_install

from .conftest import Connection, one, outcome

CHANNELS = ("pg_trickle_alert", "pgtrickle_alert")


class Ears:
    """What was heard since the last time, once for each channel."""

    def __init__(self, listener: Connection) -> None:
        self._listener = listener
        for channel in CHANNELS:
            listener.execute(f"LISTEN {channel}".encode())

    def heard(self) -> list[dict[str, Any]]:
        self._listener.execute("SELECT 1")
        by_channel: dict[str, list[dict[str, Any]]] = {channel: [] for channel in CHANNELS}
        for notify in self._listener.notifies(timeout=0.2):
            by_channel[notify.channel].append(json.loads(notify.payload))
        assert by_channel["pg_trickle_alert"] == by_channel["pgtrickle_alert"]
        return by_channel["pg_trickle_alert"]

    def events(self) -> list[str]:
        return [payload["event"] for payload in self.heard()]


@pytest.fixture
def ears(db: Database) -> Iterator[Ears]:
    with db.connect() as listener:
        yield Ears(listener)


@pytest.fixture
def totals(orders: Connection) -> Connection:
    orders.execute(
        "SELECT pgtrickle.create_stream_table('totals',"
        " 'SELECT customer, sum(amount) AS total FROM orders GROUP BY customer', schedule => '1s')"
    )
    compile_and_install(orders, 1)
    return orders


def fail(conn: Connection, code: str, message: str = "no luck") -> None:
    conn.execute("SELECT pgtrickle._record_failure(1, now(), %s, %s, 'SCHEDULER')", (code, message))


def survey(conn: Connection) -> int:
    conn.execute("DELETE FROM pgtrickle.pgt_alerts WHERE event = 'survey'")
    return int(one(conn, "SELECT pgtrickle._survey()"))


def test_failures_up_to_the_last(totals: Connection, ears: Ears) -> None:
    fail(totals, "40P01", "deadlock detected")
    (first,) = ears.heard()
    assert first == {
        "event": "refresh_failed",
        "pgt_schema": "public",
        "pgt_name": "totals",
        "st": "public.totals",
        "action": "DIFFERENTIAL",
        "error": "deadlock detected",
        "error_code": "40P01",
    }
    fail(totals, "40P01")
    assert ears.events() == ["refresh_failed"]
    fail(totals, "40P01")
    _, suspended = ears.heard()
    assert (suspended["event"], suspended["consecutive_errors"]) == ("auto_suspended", 3)
    totals.execute("SELECT pgtrickle.resume_stream_table('totals')")
    (resumed,) = ears.heard()
    assert (resumed["event"], resumed["previous_status"]) == ("resumed", "SUSPENDED")


@pytest.mark.parametrize("text", ["x" * 20_000, "ä" * 9_000, '"\\' * 9_000])
def test_a_payload_is_whole_however_long_the_error(totals: Connection, ears: Ears, text: str) -> None:
    fail(totals, "22012", text)
    first, _ = ears.heard()
    assert first["st"] == "public.totals" and text.startswith(first["error"]) and len(first["error"]) > 100


def test_refreshes_are_told_of_only_where_it_is_asked_for(totals: Connection, ears: Ears) -> None:
    totals.execute("INSERT INTO orders VALUES (10, 1, 1)")
    outcome(totals, "totals")
    assert ears.events() == []
    totals.execute("SELECT pgtrickle.set_config('alert_refresh_completed', 'on')")
    totals.execute("INSERT INTO orders VALUES (11, 1, 1)")
    outcome(totals, "totals")
    (done,) = ears.heard()
    assert done["event"] == "refresh_completed" and done["duration_ms"] > 0
    assert done["rows_inserted"] + done["rows_updated"] + done["rows_deleted"] >= 1
    outcome(totals, "totals")
    assert ears.events() == [], "nothing was refreshed"


def test_what_makes_a_full_refresh_necessary(totals: Connection, ears: Ears) -> None:
    totals.execute("ALTER TABLE orders RENAME COLUMN note TO remark")
    totals.execute("ALTER TABLE orders RENAME COLUMN amount TO price")
    outcome(totals, "totals")
    # A busy machine may take so long for it that it is told of that as well.
    (needed,) = (payload for payload in ears.heard() if payload["event"] == "reinitialize_needed")
    assert needed["reason"] == "columns of public.orders changed"


def test_a_promise_to_append_that_was_broken(orders: Connection, ears: Ears) -> None:
    orders.execute(
        "SELECT pgtrickle.create_stream_table('log', 'SELECT id, note FROM orders', append_only => true,"
        " refresh_mode => 'DIFFERENTIAL')"
    )
    compile_and_install(orders, 1)
    orders.execute("INSERT INTO orders VALUES (10)")
    outcome(orders, "log")
    assert ears.events() == []
    orders.execute("DELETE FROM orders WHERE id = 10")
    outcome(orders, "log")
    assert ears.events() == ["append_only_reverted"]


def test_a_schedule_that_soon_cannot_be_kept(totals: Connection, ears: Ears) -> None:
    call = "SELECT pgtrickle._alert_if_behind(s, %s) FROM pgtrickle.pgt_stream_tables s"
    totals.execute(call, (0.7,))
    assert ears.events() == []
    totals.execute(call, (0.9,))
    (behind,) = ears.heard()
    assert behind["event"] == "scheduler_falling_behind"
    assert (behind["elapsed_ms"], behind["schedule_ms"], behind["ratio"]) == (900, 1000, 0.9)
    totals.execute(call, (5.0,))
    assert ears.events() == [], "told already"
    totals.execute("SELECT pgtrickle.set_config('schedule_alert_cooldown_seconds', '0')")
    totals.execute(call, (5.0,))
    assert ears.events() == ["scheduler_falling_behind"]


def test_data_that_has_become_stale(totals: Connection, ears: Ears) -> None:
    assert survey(totals) == 0
    totals.execute("UPDATE pgtrickle.pgt_stream_tables SET last_refresh_at = now() - interval '100 seconds'")
    assert survey(totals) == 1
    (stale,) = ears.heard()
    assert (stale["event"], stale["schedule_seconds"]) == ("stale_data", 1)
    assert 100 <= stale["staleness_seconds"] < 160 and stale["ratio"] >= 100
    assert survey(totals) == 0, "not again so soon"
    totals.execute("SELECT pgtrickle.alter_stream_table('totals', tier => 'frozen')")
    totals.execute("DELETE FROM pgtrickle.pgt_alerts")
    assert survey(totals) == 0, "frozen tables are not late"


def test_a_calculated_one_that_lags_behind(totals: Connection, ears: Ears) -> None:
    totals.execute(
        "UPDATE pgtrickle.pgt_stream_tables SET schedule = NULL, last_refresh_at = now() - interval '2 minutes'"
    )
    assert survey(totals) == 0, "nothing has changed above it"
    totals.execute("INSERT INTO orders VALUES (10, 1, 1)")
    totals.execute("SELECT pg_stat_force_next_flush()")
    assert survey(totals) == 1
    assert ears.events() == ["stale_data"]


def test_capture_that_was_switched_off(db: Database, totals: Connection, ears: Ears) -> None:
    with db.superuser() as admin:
        admin.execute("ALTER TABLE orders DISABLE TRIGGER ALL")
    assert survey(totals) == 1
    (told,) = ears.heard()
    assert (told["event"], told["pgt_name"]) == ("cdc_trigger_disabled", "orders") and told["fault"]


def test_buffers_that_grow(totals: Connection, ears: Ears) -> None:
    totals.execute("SELECT pgtrickle.set_config('buffer_alert_threshold', '1000')")
    totals.execute("SELECT pgtrickle.set_config('max_change_buffer_alert_rows', '2500')")
    totals.execute("INSERT INTO orders SELECT i, 1, 1 FROM generate_series(100, 2100) i")
    totals.execute("ANALYZE pgtrickle_changes.changes_1")
    survey(totals)
    (growing,) = ears.heard()
    assert growing["event"] == "buffer_growth_warning"
    assert (growing["pgt_name"], growing["pending_rows"], growing["threshold"]) == ("orders", 2001, 1000)
    totals.execute("INSERT INTO orders SELECT i, 1, 1 FROM generate_series(3000, 4000) i")
    totals.execute("ANALYZE pgtrickle_changes.changes_1")
    survey(totals)
    assert ears.events() == ["change_buffer_overflow"]
    survey(totals)
    (pressed,) = ears.heard()
    assert (pressed["event"], pressed["consecutive_cycles"]) == ("change_buffer_backpressure", 3)
    totals.execute("DELETE FROM pgtrickle_changes.changes_1")
    totals.execute("VACUUM ANALYZE pgtrickle_changes.changes_1")
    survey(totals)
    assert ears.events() == []
    assert one(totals, "SELECT count(*) FROM pgtrickle.pgt_alerts WHERE event = 'buffer_above'") == 0


def test_one_of_many_looks_around(totals: Connection) -> None:
    totals.execute("UPDATE pgtrickle.pgt_stream_tables SET last_refresh_at = now() - interval '100 seconds'")
    assert [one(totals, "SELECT pgtrickle._survey()") for _ in range(3)] == [1, 0, 0]
