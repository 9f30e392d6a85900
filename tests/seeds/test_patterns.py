"""The page of best-practice patterns, statement by statement, on tables with rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from support.databases import Database

from trickle.catalog.install import compile_and_install

from .pages import Printed, sections

Story = Callable[[Printed], None]


@pytest.fixture
def conn(db: Database) -> Iterator[psycopg.Connection[Any]]:
    with db.connect() as connection:
        yield connection


def compile_all(page: Printed) -> None:
    """As a worker would do it."""
    for row in page.rows("SELECT pgt_id FROM pgtrickle.pgt_stream_tables ORDER BY pgt_id"):
        compile_and_install(page.conn, row["pgt_id"])


def refresh(page: Printed, *names: str) -> list[str]:
    """What each refresh did."""
    return [
        page.rows(
            "SELECT r.action FROM pgtrickle.pgt_stream_tables s, pgtrickle._refresh(s.pgt_id) r"
            f" WHERE s.pgt_name = '{name}'"
        )[0]["action"]
        for name in names
    ]


def schedules(page: Printed) -> dict[str, tuple[str | None, str, str]]:
    rows = page.rows("SELECT pgt_name, schedule, refresh_mode, refresh_tier FROM pgtrickle.pgt_stream_tables")
    return {row["pgt_name"]: (row["schedule"], row["refresh_mode"], row["refresh_tier"]) for row in rows}


def layers(page: Printed) -> None:
    page.run("raw_events")
    page.rows(
        "INSERT INTO raw_events (user_id, event_type, payload) VALUES (1, 'purchase', '{\"amount\": 10}'),"
        " (1, 'purchase', '{\"amount\": 5}'), (2, 'refund', '{\"amount\": 5}'), (2, 'view', NULL)"
    )
    page.run("events_cleaned")
    page.run("user_purchase_summary")
    assert schedules(page) == {
        "events_cleaned": ("5s", "DIFFERENTIAL", "hot"),
        "user_purchase_summary": (None, "DIFFERENTIAL", "hot"),
    }
    compile_all(page)
    refresh(page, "events_cleaned", "user_purchase_summary")
    page.rows("INSERT INTO raw_events (user_id, event_type, payload) VALUES (3, 'purchase', '{\"amount\": 7.5}')")
    assert refresh(page, "events_cleaned", "user_purchase_summary") == ["DIFFERENTIAL", "DIFFERENTIAL"]
    assert page.rows(
        "SELECT user_id, total_purchases, total_spent, avg_order FROM user_purchase_summary ORDER BY user_id"
    ) == [
        {"user_id": 1, "total_purchases": 2, "total_spent": Decimal(15), "avg_order": Decimal("7.5")},
        {"user_id": 3, "total_purchases": 1, "total_spent": Decimal("7.5"), "avg_order": Decimal("7.5")},
    ]


def event_sourcing(page: Printed) -> None:
    page.run("events")
    one, two = (f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2))
    page.rows(
        "INSERT INTO events (aggregate_id, event_type, payload, created_at) VALUES"
        f" ('{one}', 'opened', '{{\"n\": 1}}', '2026-01-01 10:05+00'),"
        f" ('{one}', 'closed', '{{\"n\": 2}}', '2026-01-01 11:05+00'),"
        f" ('{two}', 'opened', '{{\"n\": 3}}', '2026-01-01 10:45+00')"
    )
    page.run("aggregate_state")
    page.run("hourly_event_counts")
    compile_all(page)
    refresh(page, "aggregate_state", "hourly_event_counts")
    page.rows(
        "INSERT INTO events (aggregate_id, event_type, payload, created_at)"
        f" VALUES ('{two}', 'closed', '{{\"n\": 4}}', '2026-01-01 12:00+00')"
    )
    assert refresh(page, "aggregate_state", "hourly_event_counts") == ["DIFFERENTIAL", "DIFFERENTIAL"]
    last = page.rows("SELECT last_event, current_state ->> 'n' AS n FROM aggregate_state ORDER BY n")
    assert last == [{"last_event": "closed", "n": "2"}, {"last_event": "closed", "n": "4"}]
    hours = page.rows("SELECT hour::text, event_type, event_count FROM hourly_event_counts ORDER BY 1, 2")
    assert [(row["hour"][11:13], row["event_type"], row["event_count"]) for row in hours] == [
        ("10", "opened", 2),
        ("11", "closed", 1),
        ("12", "closed", 1),
    ]


def dimensions(page: Printed) -> None:
    page.rows(sections("patterns")["fan-out"]["orders"])
    page.run("customers")
    page.rows("INSERT INTO customers (customer_id, name) VALUES (1, 'ada'), (2, 'bob')")
    page.rows("INSERT INTO orders (customer_id, region, product_id, amount) VALUES (1, 'n', 1, 10), (1, 'n', 2, 2.5)")
    page.run("customer_360")
    page.run("customer_history")
    page.rows(
        "INSERT INTO customer_history VALUES (1, 'ada', 'standard', '2025-01-01', '2026-01-01'),"
        " (1, 'ada', 'gold', '2026-01-01', NULL), (2, 'bob', 'standard', '2025-01-01', NULL)"
    )
    page.run("customers_current")
    compile_all(page)
    refresh(page, "customer_360", "customers_current")
    page.rows("UPDATE customers SET tier = 'gold' WHERE customer_id = 2")
    page.rows("UPDATE customer_history SET valid_to = '2026-02-01' WHERE customer_id = 2")
    assert refresh(page, "customer_360", "customers_current") == ["DIFFERENTIAL", "DIFFERENTIAL"]
    found = page.rows("SELECT name, tier, total_orders, lifetime_value FROM customer_360 ORDER BY name")
    assert [tuple(row.values()) for row in found] == [
        ("ada", "standard", 2, Decimal("12.5")),
        ("bob", "gold", 0, Decimal(0)),
    ]
    assert [row["tier"] for row in page.rows("SELECT tier FROM customers_current")] == ["gold"]


def fan_out(page: Printed) -> None:
    page.run("orders")
    page.rows(
        "INSERT INTO orders (customer_id, region, product_id, amount, order_date)"
        " SELECT i % 3, 'r' || i % 2, i % 4, i, date '2026-01-01' + i % 2 FROM generate_series(1, 12) i"
    )
    names = ("daily_totals", "by_region", "by_product", "top_customers")
    for name in names:
        page.run(name)
    compile_all(page)
    refresh(page, *names)
    page.rows("INSERT INTO orders (customer_id, region, product_id, amount) VALUES (9, 'r1', 1, 100)")
    assert refresh(page, *names) == ["DIFFERENTIAL"] * 4
    assert page.rows("SELECT lifetime_value, order_count FROM top_customers WHERE customer_id = 9") == [
        {"lifetime_value": Decimal(100), "order_count": 1}
    ]
    for name in names:
        assert page.rows(f"SELECT equal FROM pgtrickle.verify('{name}')") == [{"equal": True}]
    buffers = page.rows("SELECT count(DISTINCT source_oid) AS n FROM pgtrickle.change_buffer_sizes()")
    assert buffers == [{"n": 1}], "capture is paid for once"


def dashboards(page: Printed) -> None:
    page.rows(sections("patterns")["fan-out"]["orders"])
    page.rows("INSERT INTO orders (customer_id, region, product_id, amount) VALUES (1, 'n', 1, 10)")
    page.run("order_monitor")
    page.run("live_counter")
    compile_all(page)
    assert schedules(page)["live_counter"] == (None, "IMMEDIATE", "hot")
    page.rows("INSERT INTO orders (customer_id, region, product_id, amount) VALUES (1, 'n', 1, 5), (2, 's', 1, 1)")
    live = page.rows("SELECT region, cnt, total FROM live_counter ORDER BY region")
    assert [tuple(row.values()) for row in live] == [("n", 2, Decimal(15)), ("s", 1, Decimal(1))]
    refresh(page, "order_monitor")
    assert page.rows("SELECT sum(orders) AS n, sum(revenue) AS revenue FROM order_monitor") == [
        {"n": 3, "revenue": Decimal(16)}
    ]


def tiers(page: Printed) -> None:
    page.rows("CREATE TABLE readings (id int PRIMARY KEY, value int)")
    query = "'SELECT value, count(*) AS n FROM readings GROUP BY value'"
    page.run("live_metrics", dots=query)
    page.run("hot")
    page.run("hourly_report", dots=query)
    page.run("warm")
    page.run("daily_analytics", dots=query)
    page.run("cold")
    page.rows(f"SELECT pgtrickle.create_stream_table('audit_log_summary', {query})")
    page.run("frozen")
    assert schedules(page) == {
        "live_metrics": (None, "DIFFERENTIAL", "hot"),
        "hourly_report": ("1m", "DIFFERENTIAL", "warm"),
        "daily_analytics": ("5m", "DIFFERENTIAL", "cold"),
        "audit_log_summary": (None, "DIFFERENTIAL", "frozen"),
    }


def guidelines(page: Printed) -> None:
    fan_out_of_two(page)
    efficiency = {row["pgt_name"]: row for row in page.run("efficiency")}
    assert efficiency["by_region"]["refresh_mode"] == "DIFFERENTIAL"
    assert re.fullmatch(r"\d+\.\dx", efficiency["by_region"]["diff_speedup"])
    assert 0 < efficiency["by_region"]["avg_change_ratio"] <= 1
    advice = {row["pgt_name"]: row for row in page.run("recommendations")}
    assert set(advice) == {"by_region", "by_product", "broken"}
    assert all(row["reason"] and row["confidence"] in ("high", "medium", "low") for row in advice.values())
    changes = {row["pgt_name"]: row for row in page.run("mode changes")}
    assert changes["by_product"]["current_mode"] == "FULL"
    assert changes["by_product"]["recommended_mode"] == "DIFFERENTIAL"
    assert "by_region" not in changes
    (stopped,) = page.run("errors")
    assert stopped["pgt_name"] == "broken" and stopped["status"] == "ERROR"
    assert "division by zero" in stopped["last_error_message"]
    scripts = [row["export_definition"] for row in page.run("definitions")]
    assert len(scripts) == 3
    for script in scripts:
        page.conn.execute(script.encode())
    again = page.rows("SELECT pgt_name, refresh_mode FROM pgtrickle.pgt_stream_tables ORDER BY 1")
    assert [tuple(row.values()) for row in again] == [
        ("broken", "DIFFERENTIAL"),
        ("by_product", "FULL"),
        ("by_region", "DIFFERENTIAL"),
    ]


def fan_out_of_two(page: Printed) -> None:
    """One stream table that is well, one FULL that had better not be, one that is stopped."""
    page.rows(sections("patterns")["fan-out"]["orders"])
    page.rows(
        "INSERT INTO orders (customer_id, region, product_id, amount)"
        " SELECT i % 3, 'r' || i, i, 1 FROM generate_series(1, 2000) i"
    )
    page.rows(sections("patterns")["fan-out"]["by_region"])
    page.rows(
        "SELECT pgtrickle.create_stream_table('by_product',"
        " 'SELECT product_id, sum(amount) AS total FROM orders GROUP BY product_id', refresh_mode => 'FULL')"
    )
    page.rows("SELECT pgtrickle.create_stream_table('broken', 'SELECT id, 1 / (customer_id + 1) AS x FROM orders')")
    compile_all(page)
    page.rows("ANALYZE")
    refresh(page, "by_region", "by_product", "broken")
    for number in range(12):
        page.rows(f"UPDATE orders SET amount = 2 WHERE id = {number + 1}")
        refresh(page, "by_region", "by_product")
    page.rows("SELECT pgtrickle._refresh(1, 'MANUAL', true)")
    page.rows(
        "SELECT pgtrickle._record_failure(pgt_id, now(), '22012', 'division by zero', 'SCHEDULER')"
        " FROM pgtrickle.pgt_stream_tables WHERE pgt_name = 'broken'"
    )


def outbox(page: Printed) -> None:
    page.rows("CREATE TABLE orders (id serial PRIMARY KEY, customer_id int NOT NULL, amount numeric(10,2) NOT NULL)")
    page.rows("INSERT INTO orders (customer_id, amount) VALUES (1, 10), (2, 5)")
    page.run("orders_agg")
    compile_all(page)
    for name in ("enable", "analytics", "notifications"):
        page.run(name)
    assert page.run("consumer") == [] and page.run("lag")[0]["lag"] == 0
    page.rows("INSERT INTO orders (customer_id, amount) VALUES (1, 1), (3, 7)")
    refresh(page, "orders_agg")  # AUTO: in full or not, its message is the same
    (waiting,) = page.run("lag")
    assert (waiting["consumer_id"], waiting["lag"], waiting["is_alive"]) == ("worker-1", 1, True)
    (message,) = page.rows("SELECT * FROM pgtrickle.poll_outbox('notifications', 'worker-1')")
    assert message["payload"]["deleted"] == [{"customer_id": 1, "total": 10.00, "cnt": 1}]
    assert sorted(row["customer_id"] for row in message["payload"]["inserted"]) == [1, 3]
    page.run("consumer")
    (done,) = page.run("lag")
    assert (done["lag"], done["committed_offset"]) == (0, message["outbox_id"])


def inbox(page: Printed) -> None:
    def health() -> Any:
        return page.row("health")["inbox_health"]

    def refresh_all() -> None:
        refresh(page, "orders_inbox_pending", "orders_inbox_dlq", "orders_inbox_stats")

    page.run("create")
    compile_all(page)
    refresh_all()
    page.run("receive")
    refresh_all()
    (waiting,) = page.rows("SELECT event_id, event_type, payload FROM pgtrickle.orders_inbox_pending")
    assert (waiting["event_type"], waiting["payload"]["order_id"]) == ("order.placed", 42)
    page.run("process", event_id=waiting["event_id"])
    page.rows(
        "INSERT INTO pgtrickle.orders_inbox (event_id, event_type, aggregate_id, event_sequence, retry_count) VALUES"
        " ('event-id-1', 'order.placed', 'customer-1', 2, 3), ('event-id-2', 'order.placed', 'customer-1', 1, 5)"
    )
    refresh_all()
    assert page.rows("SELECT * FROM pgtrickle.orders_inbox_pending") == []
    assert len(page.rows("SELECT * FROM pgtrickle.orders_inbox_dlq")) == 2
    assert page.rows("SELECT message_count, processed_count, dlq_count FROM pgtrickle.orders_inbox_stats") == [
        {"message_count": 3, "processed_count": 1, "dlq_count": 2}
    ]
    assert (health()["pending_messages"], health()["dlq_messages"], health()["status"]) == (0, 2, "OK")
    assert page.row("replay") == {"replay_inbox_messages": 2}
    page.run("ordering")
    compile_all(page)
    refresh(page, "next_orders_inbox")
    refresh_all()
    assert [row["event_id"] for row in page.run("next")] == ["event-id-2"], "the first of its customer"
    mine = [page.rows(page.text("partition").replace(", 0, 4", f", {worker}, 4")) for worker in range(4)]
    assert sorted(row["event_id"] for rows in mine for row in rows) == ["event-id-1", "event-id-2"]
    assert sum(bool(rows) for rows in mine) == 1, "one aggregate, one worker"


STORIES: dict[str, Story] = {
    "inbox": inbox,
    "outbox": outbox,
    "layers": layers,
    "event sourcing": event_sourcing,
    "dimensions": dimensions,
    "fan-out": fan_out,
    "dashboards": dashboards,
    "tiers": tiers,
    "guidelines": guidelines,
}
# On servers of their own, in test_bootstrap.py.
ELSEWHERE = {"replica bootstrap", "recovery"}


@pytest.mark.parametrize("section", sorted(set(sections("patterns")) - ELSEWHERE))
def test_it_works_as_printed(conn: psycopg.Connection[Any], section: str) -> None:
    page = Printed("patterns", section, conn)
    STORIES[section](page)
    page.assert_all_run()
