"""Every verb once, for people and for programs, against a real server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.databases import Database

from trickle.sql import load

TOTALS = "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer"


@pytest.fixture
def totals(orders: Database, trickle: Any) -> Database:
    trickle("create", "totals", TOTALS, "--schedule", "1s")
    return orders


def test_init_is_idempotent(empty_db: Database, at: Callable[[str], Any]) -> None:
    run = at(empty_db.url)
    assert "revision" in run("init").stdout
    assert run.json("init") == run.json("init")
    assert run.json("list") == []


def test_before_init_the_remedy_is_named(empty_db: Database, at: Callable[[str], Any]) -> None:
    for words in (
        ("list",),
        ("status",),
        ("create", "x", "SELECT 1"),
        ("refresh", "x"),
        ("doctor",),
        ("worker",),
    ):
        result = at(empty_db.url)(*words, expect=78 if words == ("worker",) else 1)
        assert "trickle init" in result.stderr
        assert "Traceback" not in result.stderr


def test_create_from_argument_file_and_standard_input(orders: Database, trickle: Any, tmp_path: Path) -> None:
    assert "public.totals is kept up to date" in trickle("create", "totals", TOTALS).stdout
    file = tmp_path / "query.sql"
    file.write_text("SELECT id FROM orders\n")
    assert trickle.json("create", "a", "--file", str(file))["is_populated"] is True
    trickle("create", "b", "--file", "-", "--schedule", "5s", stdin="SELECT amount FROM orders")
    trickle("create", "c", TOTALS, "--no-initialize")
    trickle("create", "d", TOTALS, "--set", "cdc_mode=trigger", "--refresh-mode", "full")
    listed = {row["name"]: row for row in trickle.json("list")}
    assert list(listed) == [f"public.{name}" for name in ("a", "b", "c", "d", "totals")]
    assert listed["public.b"]["schedule"] == "5s"
    assert listed["public.c"]["is_populated"] is False
    assert listed["public.d"]["refresh_mode"] == "FULL"


def test_create_and_alter_what_is_immediate(orders: Database, trickle: Any) -> None:
    said = trickle("create", "totals", TOTALS, "--refresh-mode", "IMMEDIATE").stdout
    assert said == "public.totals is kept up to date by every statement that writes its sources\n"
    with orders.connect() as owner:
        owner.execute("DELETE FROM orders")
        assert owner.execute("SELECT count(*) FROM totals").fetchone() == (0,)
    (status,) = trickle.json("list")
    assert (status["refresh_mode"], status["effective_refresh_mode"]) == ("IMMEDIATE", "IMMEDIATE")
    trickle("alter", "totals", "--refresh-mode", "DIFFERENTIAL", "--schedule", "5s")
    assert trickle.json("list")[0]["schedule"] == "5s"
    refused = trickle(
        "create", "x", "SELECT id FROM orders WHERE now() > '2000-01-01'", "--schedule", "IMMEDIATE", expect=1
    )
    assert "unsupported operator for IMMEDIATE mode" in refused.stderr


def test_create_twice(totals: Database, trickle: Any) -> None:
    assert "error[T102]" in trickle("create", "totals", TOTALS, expect=1).stderr
    trickle("create", "totals", TOTALS, "--if-not-exists")
    trickle("create", "totals", "SELECT customer, max(amount) AS total FROM orders GROUP BY 1", "--or-replace")
    with totals.connect() as owner:
        assert owner.execute("SELECT total FROM totals ORDER BY 1").fetchall() == [(7,), (8,), (9,)]


def test_a_wrong_query_is_shown_with_a_caret(orders: Database, trickle: Any) -> None:
    stderr = trickle("create", "x", "SELECT id,\n       amont\nFROM orders", expect=1).stderr
    lines = stderr.splitlines()
    assert lines[0] == 'error[T102]: defining query of public.x: column "amont" does not exist'
    place = next(number for number, line in enumerate(lines) if line.rstrip().endswith("amont"))
    assert lines[place + 1].index("^") == lines[place].index("amont")


def test_refresh(totals: Database, trickle: Any) -> None:
    assert trickle("refresh", "totals").stdout == "totals: nothing has changed\n"
    with totals.connect() as owner:
        owner.execute("INSERT INTO orders VALUES (10, 5, 100)")
    assert trickle.json("refresh", "totals")["totals"]["rows_inserted"] == 1
    assert "FULL" in trickle("refresh", "totals", "--full").stdout
    assert "error[T103]" in trickle("refresh", "nowhere", expect=1).stderr


def test_alter_and_suspended(totals: Database, trickle: Any) -> None:
    assert trickle.json("alter", "totals", "--schedule", "1h", "--tier", "cold")["schedule"] == "1h"
    trickle("alter", "totals", "--status", "suspended")
    refused = trickle("refresh", "totals", expect=3).stderr
    assert "error[T104]" in refused
    assert "hint:" in refused
    trickle("alter", "totals", "--status", "active")
    trickle("refresh", "totals")


def test_status(totals: Database, trickle: Any) -> None:
    shown = trickle("status").stdout
    assert "public.totals" in shown
    assert "ACTIVE" in shown
    assert trickle.json("status")["stream_tables"][0]["name"] == "public.totals"
    one = trickle.json("status", "totals")
    assert one["stream_table"]["staleness"] >= 0
    assert one["history"][0]["status"] == "COMPLETED"
    assert "Latest refreshes" in trickle("status", "totals").stdout


def test_status_names_instances(totals: Database, trickle: Any) -> None:
    with totals.connect() as owner:
        owner.execute(
            "INSERT INTO pgtrickle.pgt_instances (instance_id, group_id, hostname, pid) VALUES ('i-1', 'g', 'h', 1)"
        )
    assert [instance["instance_id"] for instance in trickle.json("status")["instances"]] == ["i-1"]
    assert "i-1" in trickle("status").stdout


def test_explain(totals: Database, trickle: Any, tmp_path: Path) -> None:
    assert "orders" in trickle("explain", "totals").stdout
    file = tmp_path / "query.sql"
    file.write_text(TOTALS)
    explained = trickle.json("explain", "--query", str(file))
    assert {"canonical", "estimated_cost", "recomputed", "algebra", "delta", "program", "lineage"} <= set(explained)
    assert trickle.json("explain", str(file)) == explained
    assert json.loads(trickle("explain", "-", "--json", stdin=TOTALS).stdout) == explained
    assert "total: public.orders.amount" in trickle("explain", str(file)).stdout
    assert len(trickle.json("list")) == 1


def test_a_missing_index_is_named_until_it_is_there(totals: Database, trickle: Any) -> None:
    with totals.connect() as owner:
        owner.execute("CREATE TABLE customers (id int PRIMARY KEY, name text)")
        owner.execute("INSERT INTO orders SELECT i, i % 9, i FROM generate_series(100, 3000) i; ANALYZE orders")
    query = "SELECT o.id, c.name FROM orders o JOIN customers c ON c.id = o.customer"
    create_index = "CREATE INDEX ON public.orders (customer)"
    assert create_index in trickle("explain", "-", stdin=query).stdout
    trickle("create", "named", query)
    assert trickle.json("explain", "named")["missing_indexes"] == create_index
    assert [f["hint"] for f in trickle.json("doctor") if f["check"] == "indexes"] == [create_index]
    with totals.connect() as owner:
        owner.execute(create_index.encode())
    assert "missing_indexes" not in trickle.json("explain", "named")
    assert [f["level"] for f in trickle.json("doctor") if f["check"] == "indexes"] == ["ok"]


def test_verify(totals: Database, trickle: Any) -> None:
    trickle("create", 'public."Odd Name"', "SELECT count(*) AS cnt FROM totals")
    assert "2 of 2 stream tables equal" in trickle("verify", "--all").stdout
    with totals.connect() as owner, owner.transaction():
        owner.execute(
            "SELECT set_config('pg_trickle.refreshing', pgt_id::text, true) FROM pgtrickle.pgt_stream_tables"
            " WHERE pgt_name = 'totals'"
        )
        owner.execute("DELETE FROM totals WHERE customer = 0")
    (result,) = trickle.json("verify", "totals", expect=1)
    assert (result["equal"], result["missing_rows"], result["extra_rows"]) == (False, 1, 0)


def test_pause_and_resume(totals: Database, trickle: Any) -> None:
    def states() -> set[str]:
        return {table["status"] for table in trickle.json("list")}

    assert trickle.json("pause", "totals") == {"paused": ["totals"]}
    assert trickle.json("resume", "totals") == {"resumed": ["totals"]}
    assert "all stream tables paused" in trickle("pause").stdout
    assert states() == {"PAUSED"}
    with totals.connect(autocommit=False) as busy:
        trickle("resume")
        busy.execute("SELECT FROM pgtrickle.pgt_frontiers FOR UPDATE")
        assert "did not end within 1 seconds" in trickle("pause", "--timeout", "1", expect=4).stderr
    assert "PAUSED" not in states()
    trickle("pause", "nobody", expect=1)


def test_drop(totals: Database, trickle: Any) -> None:
    trickle("create", "above", "SELECT count(*) AS cnt FROM totals")
    assert "above" in trickle("drop", "totals", expect=3).stderr
    assert trickle.json("drop", "totals", "--cascade") == {"dropped": ["totals"]}
    assert trickle.json("list") == []


def test_doctor(totals: Database, trickle: Any) -> None:
    found = {finding["check"]: finding for finding in trickle.json("doctor")}
    assert {name for name, finding in found.items() if finding["level"] == "error"} == set()
    assert {"versions", "identity", "instances", "rights", "capture", "programs", "buffers"} <= set(found)
    with totals.connect() as owner:
        owner.execute("ALTER TABLE orders DISABLE TRIGGER ALL")
    assert "orders" in trickle("doctor", expect=1).stdout


def test_doctor_finds_what_lies_around(totals: Database, trickle: Any) -> None:
    """Each finding names a statement, and after it the finding is gone."""
    with totals.connect() as owner:
        owner.execute("SELECT pgtrickle.snapshot_stream_table('totals', 'kept')")
        owner.execute("CREATE TABLE pgtrickle_programs.snapshot_99_state_0 (id int)")
        owner.execute("CREATE VIEW pgtrickle_programs.query_99 AS SELECT 1 AS one")
        owner.execute("CREATE TABLE pgtrickle_changes.changes_99 (id int)")
        owner.execute("CREATE TABLE stray (id int)")
        owner.execute(
            "CREATE FUNCTION pgtrickle_changes.capture_99_insert() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NULL; END'"
        )
        owner.execute(
            'CREATE TRIGGER " pgt_capture_insert" AFTER INSERT ON stray FOR EACH STATEMENT'
            " EXECUTE FUNCTION pgtrickle_changes.capture_99_insert()"
        )
        owner.execute("DROP TABLE kept")
        owner.execute("SELECT pgtrickle.set_config('max_consecutive_errors', 'many')")
        found = json.loads(trickle("doctor", "--json", expect=1).stdout)
        orphans = [f for f in found if f["check"] == "orphans"]
        assert len(orphans) == 5 and all(f["level"] == "warning" for f in orphans)
        assert [f["level"] for f in found if f["check"] == "settings"] == ["error"]
        for orphan in orphans:
            owner.execute(orphan["hint"].encode())
        owner.execute("SELECT pgtrickle.set_config('max_consecutive_errors', NULL)")
    found = trickle.json("doctor")
    assert {f["level"] for f in found if f["check"] in ("orphans", "settings", "locks", "connections")} == {"ok"}
    (connections,) = (f for f in found if f["check"] == "connections")
    assert "1 × (3 + 4) = 7 of the" in connections["detail"] and "1 × (1 + 4) = 5 processes" in connections["detail"]


def test_doctor_looks_at_the_jobs_of_every_tenant(totals: Database, trickle: Any) -> None:
    with totals.connect() as owner:
        owner.execute("SELECT pgtrickle.create_job_schema('jobs_a')")
        owner.execute("ALTER TABLE jobs_a.job SET (autovacuum_enabled = off)")
        owner.execute("SELECT pgtrickle.enqueue('q')")
        owner.execute("UPDATE pgtrickle.job SET start_after = now() - interval '1 hour'")
        found = [finding["detail"] for finding in trickle.json("doctor") if finding["check"] == "jobs"]
        assert any("pgtrickle.job has been ready for 1 h" in detail for detail in found)
        assert any("autovacuum is off for jobs_a.job" in detail for detail in found)
        owner.execute("ALTER TABLE jobs_a.job RESET (autovacuum_enabled)")
        owner.execute("DELETE FROM pgtrickle.job")
        assert not any("jobs_a" in f["detail"] for f in trickle.json("doctor") if f["check"] == "jobs")


def test_doctor_names_who_keeps_a_transaction_open(totals: Database) -> None:
    with totals.connect(autocommit=False) as idle, totals.connect() as owner:
        idle.execute("DELETE FROM orders")
        (pid,) = idle.execute("SELECT pg_backend_pid()").fetchone() or ()
        rows = owner.execute(load("queries/stream_table_holders"), {"seconds": 0}).fetchall()
        assert [row[-1] for row in rows if row[0] == f"session {pid}"] == [f"SELECT pg_terminate_backend({pid})"]


def test_doctor_names_a_copy(totals: Database, trickle: Any) -> None:
    with totals.connect() as owner:
        owner.execute("UPDATE pgtrickle.identity SET database_oid = 1")
    assert "restore_stream_tables" in trickle("doctor", expect=1).stdout


def test_settings_of_the_database(db: Database, trickle: Any) -> None:
    with db.connect() as owner, db.superuser() as admin:
        owner.execute("SELECT pgtrickle.set_config('drain_timeout', '7s')")
        owner.execute("SELECT pgtrickle.set_config('metrics_port', '9001')")
        admin.execute(f'ALTER DATABASE "{db.name}" SET pg_trickle.metrics_port = 9002')
        owner.execute("SELECT pgtrickle.set_config('history_retention_days', '7')")
        owner.execute("SELECT pgtrickle.set_config('buffer_alert_threshold', 'many')")
        owner.execute("SELECT pgtrickle.set_config('profile', 'constrained')")
    shown = {row["setting"]: row for row in trickle.json("settings")}
    assert (shown["history_retention_days"]["value"], shown["sla_window_hours"]["from"]) == (7, "default")
    assert shown["buffer_alert_threshold"]["value"] == 1_000_000
    assert "cannot be read" in shown["buffer_alert_threshold"]["from"]
    assert (shown["merge_work_mem_mb"]["value"], shown["max_concurrent_refreshes"]["value"]) == (32, 2)
    assert shown["drain_timeout"]["value"] == 7
    assert "in the database" in shown["drain_timeout"]["from"]
    assert shown["metrics_port"]["value"] == 9002
