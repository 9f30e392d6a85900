"""What the functions for operators answer where something is known to be wrong. Oracle: that knowledge."""

from __future__ import annotations

import re
from typing import Any

import pytest
from psycopg import errors
from psycopg.rows import dict_row
from support.databases import Database

from trickle.catalog.install import compile_and_install
from trickle.sql import load

from .conftest import Connection, one, outcome


def rows(conn: Connection, query: str) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return list(cursor.execute(query.encode()))


@pytest.fixture
def shop(orders: Connection) -> Connection:
    """orders → totals → grand, orders → notes; two refreshes of totals, one of which changed a row."""
    orders.execute(
        "SELECT pgtrickle.create_stream_table('totals', 'SELECT customer, sum(amount) AS total FROM orders GROUP BY 1',"
        " schedule => '5s', refresh_mode => 'DIFFERENTIAL')"
    )
    orders.execute("SELECT pgtrickle.create_stream_table('grand', 'SELECT sum(total) AS total FROM totals')")
    orders.execute("SELECT pgtrickle.create_stream_table('notes', 'SELECT id, note FROM orders', schedule => '@daily')")
    for (pgt_id,) in orders.execute("SELECT pgt_id FROM pgtrickle.pgt_stream_tables ORDER BY 1").fetchall():
        compile_and_install(orders, pgt_id)
    orders.execute("UPDATE orders SET amount = 100 WHERE id = 1")
    outcome(orders, "totals")
    return orders


def checks(conn: Connection) -> dict[str, tuple[str, str]]:
    found = rows(conn, "SELECT * FROM pgtrickle.health_check()")
    return {row["check_name"]: (row["severity"], row["detail"]) for row in found}


def test_an_empty_database_is_empty(conn: Connection) -> None:
    assert rows(conn, "SELECT * FROM pgtrickle.quick_health") == [
        {"total_stream_tables": 0, "error_tables": 0, "stale_tables": 0, "scheduler_running": False, "status": "EMPTY"}
    ]
    (summary,) = rows(conn, "SELECT * FROM pgtrickle.health_summary()")
    assert (summary["total_stream_tables"], summary["max_staleness_seconds"]) == (0, None)
    assert rows(conn, "SELECT * FROM pgtrickle.dependency_tree()") == []
    for function in ("st_refresh_stats", "pgtrickle_refresh_stats", "refresh_efficiency", "latency_percentiles"):
        assert rows(conn, f"SELECT * FROM pgtrickle.{function}()") == []


def test_every_check_is_well_but_that_nobody_works(shop: Connection) -> None:
    assert {name for name, (severity, _) in checks(shop).items() if severity != "OK"} == {"scheduler_running"}
    assert one(shop, "SELECT status FROM pgtrickle.quick_health") == "OK"


def test_each_fault_is_found_by_its_check(db: Database, shop: Connection) -> None:
    shop.execute(
        "UPDATE pgtrickle.pgt_stream_tables SET last_refresh_at = now() - interval '1 h' WHERE pgt_name = 'totals'"
    )
    assert checks(shop)["stale_tables"][1].startswith("public.totals by 01:00")
    assert one(shop, "SELECT status FROM pgtrickle.quick_health") == "WARNING"
    shop.execute("SELECT pgtrickle._record_failure(3, now(), '40P01', 'deadlock', 'SCHEDULER')")
    assert checks(shop)["consecutive_errors"] == ("WARN", "public.notes (1)")
    shop.execute("SELECT pgtrickle._record_failure(2, now(), '22012', 'division by zero', 'SCHEDULER')")
    assert checks(shop)["error_tables"] == ("ERROR", "public.grand is ERROR: division by zero")
    shop.execute("UPDATE pgtrickle.pgt_stream_tables SET needs_reinit = true WHERE pgt_name = 'totals'")
    assert checks(shop)["needs_reinit"] == ("WARN", "public.totals")
    shop.execute("INSERT INTO orders SELECT i, 1 FROM generate_series(100, 10200) i")
    assert checks(shop)["buffer_growth"][0] == "WARN"
    with db.superuser() as admin:
        admin.execute("ALTER TABLE orders DISABLE TRIGGER ALL")
    severity, detail = checks(shop)["capture"]
    assert severity == "ERROR" and "public.orders: capture trigger" in detail
    shop.execute("SELECT pgtrickle.alter_stream_table('notes', status => 'suspended')")
    assert one(shop, "SELECT status FROM pgtrickle.quick_health") == "CRITICAL"


def test_tiers_count_when_lateness_is_told(shop: Connection) -> None:
    shop.execute(
        "UPDATE pgtrickle.pgt_stream_tables SET last_refresh_at = now() - interval '8 s' WHERE pgt_name = 'totals'"
    )
    late = "SELECT stale FROM pgtrickle.stream_tables_info WHERE pgt_name = 'totals'"
    found = {}
    for tier in ("hot", "warm", "cold", "frozen"):
        shop.execute("SELECT pgtrickle.alter_stream_table('totals', tier => %s)", (tier,))
        found[tier] = one(shop, late)
    assert found == {"hot": True, "warm": False, "cold": False, "frozen": False}
    assert one(shop, late.replace("totals", "notes")) is None, "a cron schedule has no length"


def test_statistics_of_refreshes(shop: Connection) -> None:
    by_name = {row["pgt_name"]: row for row in rows(shop, "SELECT * FROM pgtrickle.st_refresh_stats()")}
    totals = by_name["totals"]
    assert (totals["last_refresh_action"], totals["last_refresh_status"]) == ("DIFFERENTIAL", "COMPLETED")
    assert totals["successful_refreshes"] == totals["total_refreshes"] >= 2 and totals["avg_duration_ms"] > 0
    assert one(shop, "SELECT pgtrickle.get_staleness('totals')") < 60
    assert one(shop, "SELECT pgtrickle.get_staleness(NULL)") is None
    (metrics,) = rows(shop, "SELECT * FROM pgtrickle.metrics_summary()")
    assert metrics["total_stream_tables"] == metrics["active_stream_tables"] == 3
    assert metrics["total_refreshes"] == one(shop, "SELECT count(*) FROM pgtrickle.pgt_refresh_history")
    assert metrics["total_rows_processed"] > 0 and metrics["failed_refreshes"] == 0
    newest, *_ = rows(shop, "SELECT * FROM pgtrickle.refresh_timeline(3)")
    assert (newest["stream_table"], newest["action"], newest["rows_updated"]) == ("public.totals", "DIFFERENTIAL", 1)


def test_percentiles_are_those_of_the_history(shop: Connection) -> None:
    shop.execute("DELETE FROM pgtrickle.pgt_refresh_history")
    shop.execute(
        "INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, data_timestamp, start_time, end_time, action, status,"
        " initiated_by) SELECT 1, now(), now(), now() + i * interval '1 ms', 'DIFFERENTIAL', 'COMPLETED', 'SCHEDULER'"
        " FROM generate_series(1, 101) i"
    )
    found = rows(shop, "SELECT * FROM pgtrickle.latency_percentiles()")
    assert found == [
        {
            "stream_table": "public.totals",
            "action": "DIFFERENTIAL",
            "refreshes": 101,
            "p50_ms": 51.0,
            "p95_ms": 96.0,
            "p99_ms": 100.0,
            "max_ms": 101.0,
        }
    ]
    first, *_ = rows(shop, "SELECT * FROM pgtrickle.pgtrickle_refresh_stats()")
    assert (first["stream_table"], first["refresh_count"], first["p95_ms"], first["p99_ms"]) == (
        "public.totals",
        101,
        96,
        100,
    )


def test_the_tree_shows_what_reads_what(shop: Connection) -> None:
    found = rows(shop, "SELECT * FROM pgtrickle.dependency_tree()")
    assert [row["tree_line"] for row in found] == [
        "public.grand",
        "└── public.totals",
        "    └── public.orders [src]",
        "public.notes",
        "└── public.orders [src]",
    ]
    assert [(row["node_type"], row["depth"]) for row in found[:3]] == [
        ("stream_table", 0),
        ("stream_table", 1),
        ("source_table", 2),
    ]
    shop.execute("SELECT pgtrickle.create_stream_table('zero', 'SELECT t.total FROM totals t, grand g')")
    lines = [row["tree_line"] for row in rows(shop, "SELECT * FROM pgtrickle.dependency_tree()")]
    assert lines[2:] == [
        "public.zero",
        "├── public.grand",
        "│   └── public.totals",
        "│       └── public.orders [src]",
        "└── public.totals (above)",
    ]


def test_the_drawing_has_every_node_and_edge(shop: Connection) -> None:
    shop.execute('CREATE TABLE "odd ""name""" (id int PRIMARY KEY)')
    shop.execute('SELECT pgtrickle.create_stream_table(\'odd\', \'SELECT id FROM "odd ""name"""\')')
    shop.execute("SELECT pgtrickle.alter_stream_table('odd', status => 'suspended')")
    mermaid = one(shop, "SELECT pgtrickle.explain_dag()")
    assert mermaid.startswith("graph LR\n")
    assert len(re.findall(r"^    \w+ --> \w+$", mermaid, re.MULTILINE)) == 4
    assert 't1["public.totals<br/>DIFFERENTIAL 5s"]:::streamtable' in mermaid
    assert 't4["public.odd<br/>DIFFERENTIAL calculated"]:::stopped' in mermaid and "#quot;name#quot;" in mermaid
    dot = one(shop, "SELECT pgtrickle.explain_dag('dot')")
    assert dot.startswith("digraph") and dot.endswith("}") and dot.count(" -> ") == 4
    assert '[label="public.odd \\"name\\"", fillcolor=white]' in dot
    with pytest.raises(errors.InvalidParameterValue):
        shop.execute("SELECT pgtrickle.explain_dag('svg')")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("42P01", "schema"),
        ("22012", "user"),
        ("42501", "user"),
        ("XX000", "correctness"),
        ("57014", "performance"),
        ("40P01", "performance"),
        ("57P01", "infrastructure"),
    ],
)
def test_failures_are_told_apart(shop: Connection, code: str, kind: str) -> None:
    shop.execute("SELECT pgtrickle._record_failure(1, now(), %s, 'no', 'SCHEDULER')", (code,))
    (found,) = rows(shop, "SELECT * FROM pgtrickle.diagnose_errors('totals')")
    assert (found["error_type"], found["error_code"], found["error_message"]) == (kind, code, "no")
    assert len(found["remediation"]) > 20


def test_capture_is_told_of_whole_and_broken(db: Database, shop: Connection) -> None:
    inventory = rows(shop, "SELECT * FROM pgtrickle.trigger_inventory() WHERE source_table = 'public.orders'")
    assert len(inventory) == 5 and all(row["present"] and row["enabled"] for row in inventory)
    health = {row["source_table"]: row for row in rows(shop, "SELECT * FROM pgtrickle.check_cdc_health()")}
    assert health["public.orders"]["alert"] is None and not health["public.orders"]["selective_capture"]
    with db.superuser() as admin:
        admin.execute('ALTER TABLE orders DISABLE TRIGGER " pgt_capture_insert"')
        admin.execute('DROP TRIGGER " pgt_capture_update" ON orders')
    broken = rows(shop, "SELECT * FROM pgtrickle.trigger_inventory() WHERE NOT (present AND enabled) ORDER BY 3")
    assert [(row["trigger_name"].strip(), row["present"], row["enabled"]) for row in broken] == [
        ("pgt_capture_insert", True, False),
        ("pgt_capture_update", False, False),
    ]
    (sick,) = rows(shop, "SELECT * FROM pgtrickle.check_cdc_health() WHERE alert IS NOT NULL")
    assert sick["source_table"] == "public.orders"
    shared = {row["source_table"]: row for row in rows(shop, "SELECT * FROM pgtrickle.shared_buffer_stats()")}
    assert shared["public.orders"]["consumers"] == "public.notes, public.totals"
    assert shared["public.orders"]["buffer_rows"] == 2
    status = rows(shop, "SELECT * FROM pgtrickle.pgt_cdc_status ORDER BY pgt_name")
    assert [(row["pgt_name"], row["cdc_mode"]) for row in status] == [("notes", "TRIGGER"), ("totals", "TRIGGER")]


def test_sizes_of_buffers_are_exact_while_they_are_small(shop: Connection) -> None:
    sizes = "SELECT * FROM pgtrickle.change_buffer_sizes() WHERE stream_table = 'public.notes'"
    (small,) = rows(shop, sizes)
    assert (small["row_count"], small["pending_rows"], small["is_estimate"]) == (2, 2, False)
    shop.execute("INSERT INTO orders SELECT i, 1 FROM generate_series(100, 12099) i")
    shop.execute("SELECT pg_stat_force_next_flush()")
    shop.execute("ANALYZE")
    (large,) = rows(shop, sizes)
    assert large["is_estimate"] and large["row_count"] == pytest.approx(12_002, rel=0.1)
    assert large["pending_rows"] == large["row_count"]


def history(conn: Connection, action: str, count: int, ms: int, changed: int) -> None:
    conn.execute(
        "INSERT INTO pgtrickle.pgt_refresh_history (pgt_id, data_timestamp, start_time, end_time, action, status,"
        " initiated_by, delta_row_count) SELECT 1, now(), now(), now() + %s * interval '1 ms', %s, 'COMPLETED',"
        " 'SCHEDULER', %s FROM generate_series(1, %s)",
        (ms, action, changed, count),
    )


def advice(conn: Connection) -> dict[str, Any]:
    (found,) = rows(conn, "SELECT * FROM pgtrickle.recommend_refresh_mode('totals')")
    return found


@pytest.mark.parametrize(
    "question",
    [
        "SELECT * FROM pgtrickle.change_buffer_sizes()",
        "SELECT * FROM pgtrickle.check_cdc_health()",
        "SELECT * FROM pgtrickle.health_check()",
        "SELECT * FROM pgtrickle.pending()",
        "SELECT * FROM pgtrickle.recommend_refresh_mode()",
        "SELECT * FROM pgtrickle.shared_buffer_stats()",
        load("queries/wake_look").replace("%(pgt_ids)s", "'{1,2,3}'"),
    ],
)
def test_no_question_about_all_keeps_the_locks_of_each(shop: Connection, question: str) -> None:
    """With ten thousand stream tables they would be more than the server has."""
    shop.execute("INSERT INTO orders SELECT id + 5000, customer, amount FROM orders")
    with shop.transaction():
        assert rows(shop, question)
        kept = rows(shop, "SELECT relation::regclass::text AS name FROM pg_locks WHERE pid = pg_backend_pid()")
    assert not [row for row in kept if "changes_" in str(row["name"])]


def test_advice_weighs_the_signals_as_it_says(shop: Connection) -> None:
    """Worked by hand: change now 0 (+1 · .25), none on average for want of rows, size < 1 MB (−.3 · .10), one GROUP BY
    (+.1 · .10), nothing missing (+.2 · .05); timing and variance have no data."""
    shop.execute("DELETE FROM pgtrickle.pgt_refresh_history")
    shop.execute("UPDATE pgtrickle.pgt_stream_tables SET refresh_mode = 'FULL' WHERE pgt_id = 1")
    shop.execute("ANALYZE orders")
    found = advice(shop)
    composite = (0.25 - 0.03 + 0.01 + 0.01) / 0.50
    assert found["signals"]["composite_score"] == pytest.approx(composite, abs=1e-4)
    assert (found["current_mode"], found["effective_mode"]) == ("FULL", "FULL")
    assert (found["recommended_mode"], found["confidence"]) == ("DIFFERENTIAL", "medium")
    assert found["reason"].startswith("0.0 % of the sources' rows wait as changes; the stream table takes")


def test_advice_for_full_where_differential_is_slow(shop: Connection) -> None:
    shop.execute("DELETE FROM pgtrickle.pgt_refresh_history")
    shop.execute("ANALYZE")
    history(shop, "FULL", 6, 10, 3)
    history(shop, "DIFFERENTIAL", 25, 100, 3)
    found = advice(shop)
    assert (found["recommended_mode"], found["confidence"]) == ("FULL", "high")
    weights = {signal["name"]: signal["weight"] for signal in found["signals"]["signals"]}
    assert weights == {
        "change_ratio_current": 0.25,
        "change_ratio_avg": 0.30,
        "empirical_timing": 0.35,
        "query_complexity": 0.10,
        "target_size": 0.10,
        "index_coverage": 0.05,
        "latency_variance": 0.05,
    }
    assert "DIFFERENTIAL takes 100.0 ms, FULL 10.0 ms" in found["reason"]
    (efficient,) = rows(shop, "SELECT * FROM pgtrickle.refresh_efficiency() WHERE pgt_name = 'totals'")
    assert (efficient["diff_count"], efficient["full_count"], efficient["diff_speedup"]) == (25, 6, "0.1x")
    assert efficient["avg_change_ratio"] == pytest.approx(1.0)


def test_advice_to_keep_what_is_in_use(shop: Connection) -> None:
    assert advice(shop)["recommended_mode"] == "KEEP"
    with pytest.raises(errors.UndefinedTable):
        shop.execute("SELECT * FROM pgtrickle.recommend_refresh_mode('nothing')")


def test_history_is_removed_in_batches_from_its_oldest_end(shop: Connection) -> None:
    shop.execute("DELETE FROM pgtrickle.pgt_refresh_history")
    history(shop, "FULL", 30, 1, 1)
    shop.execute("UPDATE pgtrickle.pgt_refresh_history SET start_time = now() - interval '91 days'")
    history(shop, "FULL", 10, 1, 1)
    removed = [one(shop, "SELECT pgtrickle._prune_history(12)") for _ in range(4)]
    assert removed == [12, 12, 6, 0]
    shop.execute("SELECT pgtrickle.set_config('history_max_rows', '4')")
    assert one(shop, "SELECT pgtrickle._prune_history(100)") == 6
    shop.execute("SELECT pgtrickle.set_config('history_max_rows', '0')")
    shop.execute("SELECT pgtrickle.set_config('history_retention_days', '0')")
    shop.execute("UPDATE pgtrickle.pgt_refresh_history SET start_time = now() - interval '9 years'")
    assert one(shop, "SELECT pgtrickle._prune_history(100)") == 0


def test_a_relay_refreshes_nothing(shop: Connection) -> None:
    for group, status in (("relay:default", "STOPPED"), ("default", "STARTING")):
        shop.execute("INSERT INTO pgtrickle.pgt_instances (group_id, instance_id) VALUES (%s, 'one')", (group,))
        assert one(shop, "SELECT pgtrickle._scheduler_status()") == status
