"""What `trickle doctor` concludes, shown on invented examinations: one fault at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from trickle.catalog.stream_tables import Instance, StreamTable
from trickle.cli.budgets import Budget
from trickle.cli.examination import (
    BufferFacts,
    CaptureFacts,
    Examination,
    Holder,
    MissingIndex,
    Orphan,
    QueueFacts,
    RightsFacts,
    ServerFacts,
)
from trickle.cli.finding import Level
from trickle.cli.findings import findings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SERVER = ServerFacts("18.1", 180001, False, "shop", "app", "0.1.0", True, True, True, [])
CAPTURE = CaptureFacts("public.orders", None)
RIGHTS = RightsFacts("public.totals", "app", True, True, False, False)
INSTANCE = Instance("a-1", "default", "a", 1, 4, 1, True, NOW, NOW, 2.0)
TABLE = StreamTable(
    pgt_id=1,
    pgt_relid=2,
    pgt_schema="public",
    pgt_name="totals",
    pgt_owner="app",
    defining_query="SELECT 1",
    original_query="SELECT 1",
    schedule="1s",
    refresh_mode="DIFFERENTIAL",
    requested_mode="AUTO",
    effective_refresh_mode="DIFFERENTIAL",
    status="ACTIVE",
    is_populated=True,
    needs_reinit=False,
    refresh_tier="hot",
    data_timestamp=NOW,
    last_refresh_at=NOW,
    staleness_seconds=1.0,
    stale=False,
    consecutive_errors=0,
    last_error_message=None,
    last_error_at=None,
    program_state="compiled",
    program_version="1",
    program_reason=None,
)
BUDGET = Budget(100, 3, 12, 2, 6400, 50, 8, 8, 4)
QUEUE = QueueFacts("pgtrickle", 200_000, 150_000, True, 3600.0, 1)
HEALTHY = Examination(
    "0.1.0",
    False,
    SERVER,
    (TABLE,),
    (INSTANCE,),
    (CAPTURE,),
    (RIGHTS,),
    holders=(),
    buffers=(),
    missing_indexes=(),
    budget=BUDGET,
    settings={"drain_timeout": "2min", "history_retention_days": "7"},
    orphans=(),
    queues=(QUEUE,),
)


def test_nothing_is_wrong() -> None:
    assert [finding.level for finding in findings(HEALTHY)] == [Level.OK] * 15


def table(**changes: Any) -> dict[str, Any]:
    return {"stream_tables": (replace(TABLE, **changes),)}


def server(**changes: Any) -> dict[str, Any]:
    return {"server": replace(SERVER, **changes)}


IDLE = Holder("session 7", "bob", "psql", "idle in transaction", 540.0)
SILENT = replace(INSTANCE, silent_seconds=3600.0)
STRANGER = replace(RIGHTS, is_owner=False, may_become_owner=False)
BROKEN = CaptureFacts("public.orders", "capture trigger for insert is missing on orders")

INDEXES = tuple(MissingIndex(name, "lines", "CREATE INDEX ON lines (order_id)") for name in ("public.a", "public.b"))

FAULTS: list[tuple[dict[str, Any], str, Level, str]] = [
    ({"queues": (replace(QUEUE, runners=0),)}, "jobs", Level.WARNING, "ready for 1 h 0 min, and no runner"),
    ({"queues": (replace(QUEUE, live_rows=5),)}, "jobs", Level.WARNING, "200000 dead rows"),
    ({"queues": (QUEUE, replace(QUEUE, is_vacuumed=False))}, "jobs", Level.WARNING, "autovacuum is off"),
    (server(server_version_num=140012), "versions", Level.ERROR, "PostgreSQL 18.1"),
    (server(is_standby=True), "server", Level.WARNING, "standby"),
    (server(publications_of_all_tables=["everything"]), "server", Level.WARNING, "everything"),
    ({"is_pooled": True}, "server", Level.WARNING, "pooler"),
    ({"server": None}, "identity", Level.ERROR, "missing"),
    (server(same_database=False), "identity", Level.ERROR, "another database"),
    (server(same_cluster=False, same_catalog=False), "identity", Level.ERROR, "cluster and catalog"),
    ({"instances": ()}, "instances", Level.WARNING, "none is running"),
    ({"instances": (replace(INSTANCE, is_live=False),)}, "instances", Level.WARNING, "process is gone"),
    ({"instances": (SILENT,)}, "instances", Level.WARNING, "1 h 0 min"),
    ({"rights": (STRANGER,)}, "rights", Level.WARNING, "may not act as app"),
    ({"rights": (replace(RIGHTS, owner_is_superuser=True),)}, "rights", Level.WARNING, "superuser app"),
    ({"capture": (CAPTURE, BROKEN)}, "capture", Level.ERROR, "insert is missing"),
    (
        table(status="SUSPENDED", last_error_message="division by zero"),
        "stream tables",
        Level.ERROR,
        "by zero",
    ),
    (table(consecutive_errors=2), "stream tables", Level.WARNING, "failed 2 times"),
    (table(is_populated=False), "stream tables", Level.WARNING, "waits for a full refresh"),
    (table(program_state="full_only", program_reason="LIMIT"), "programs", Level.WARNING, "in full: LIMIT"),
    (table(program_state="none"), "programs", Level.WARNING, "until it is compiled"),
    ({"missing_indexes": INDEXES}, "indexes", Level.WARNING, "public.a, public.b would look rows of lines up"),
    ({"holders": (IDLE,)}, "transactions", Level.WARNING, "9 min 0 s"),
    ({"budget": replace(BUDGET, max_connections=19)}, "connections", Level.WARNING, "1 × (3 + 4) = 7 of the 6"),
    ({"budget": replace(BUDGET, locks_held=3201)}, "locks", Level.WARNING, "3201 of about 6400"),
    ({"settings": {"drain_timeout": "soon"}}, "settings", Level.ERROR, "'soon' is not a number of s"),
    ({"settings": {"merge_work_mem_mb": "1"}}, "settings", Level.ERROR, "1 is outside 8–4096 MB"),
    ({"settings": {"cdc_paused": "on"}}, "settings", Level.WARNING, "changes nothing: Capture is never switched off"),
    ({"settings": {"drain_timout": "5"}}, "settings", Level.WARNING, "is pg_trickle.drain_timeout meant?"),
    ({"orphans": (Orphan("x.changes_7", "DROP TABLE x.changes_7"),)}, "orphans", Level.WARNING, "x.changes_7 belongs"),
    ({"buffers": (BufferFacts("orders", 5, 3 << 30),)}, "buffers", Level.WARNING, "3072 MB"),
]


@pytest.mark.parametrize(("fault", "check", "level", "words"), FAULTS)
def test_one_fault_is_one_finding(fault: dict[str, Any], check: str, level: Level, words: str) -> None:
    wrong = [finding for finding in findings(replace(HEALTHY, **fault)) if finding.level is not Level.OK]
    assert [(finding.check, finding.level) for finding in wrong] == [(check, level)]
    assert words in wrong[0].detail
    assert wrong[0].hint


def test_full_by_choice_is_no_finding() -> None:
    chosen = replace(TABLE, refresh_mode="FULL", program_state="none")
    assert all(finding.level is Level.OK for finding in findings(replace(HEALTHY, stream_tables=(chosen,))))
