"""The table of jobs, beside those of `message_tables`, and in the same metadata."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Float, Identity, Index, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB

from trickle.catalog.message_tables import metadata
from trickle.catalog.tables import MOMENT, required

__all__ = ["metadata"]

job = Table(
    "job",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    required("name", Text),
    required("priority", Integer, "0"),
    required("data", JSONB, "'{}'"),
    required("state", Text, "'created'"),
    required("is_ready", Boolean, "true"),
    required("is_parked", Boolean, "false"),
    required("start_after", MOMENT, "now()"),
    required("expire_in", INTERVAL, "'15 minutes'"),
    required("retry_limit", Integer, "2"),
    required("retry_count", Integer, "0"),
    required("retry_delay", INTERVAL, "'1 second'"),
    required("retry_backoff", Boolean, "true"),
    required("epoch", BigInteger, "0"),
    Column("worker_id", Integer),
    required("created_on", MOMENT, "now()"),
    Column("started_on", MOMENT),
    Column("completed_on", MOMENT),
    Column("singleton_key", Text),
    Column("ordering_key", Text),
    Column("debounce_key", Text),
    Column("progress", JSONB),
    Column("output", JSONB),
    Column("dead_letter", Text),
    required("keep_for", INTERVAL, "'1 day'"),
    Column("keep_until", MOMENT),
    Column("source_name", Text),
    Column("source_id", BigInteger),
    CheckConstraint("name <> ''"),
    CheckConstraint("state IN ('created', 'retry', 'active', 'completed', 'cancelled', 'failed')"),
    CheckConstraint("expire_in > '0'"),
    CheckConstraint("retry_limit >= 0"),
    CheckConstraint("retry_delay >= '0'"),
    CheckConstraint("dead_letter <> name"),
    Index(
        "job_ready_idx",
        "name",
        text("priority DESC"),
        "id",
        postgresql_where=text("state IN ('created', 'retry') AND is_ready"),
    ),
    Index(
        "job_due_idx",
        "start_after",
        postgresql_where=text("state IN ('created', 'retry') AND NOT is_ready AND NOT is_parked"),
    ),
    Index("job_active_idx", "worker_id", postgresql_where=text("state = 'active'")),
    Index("job_keep_until_idx", "keep_until", postgresql_where=text("keep_until IS NOT NULL")),
    Index(
        "job_singleton_idx",
        "name",
        "singleton_key",
        unique=True,
        postgresql_where=text("singleton_key IS NOT NULL AND state IN ('created', 'retry', 'active')"),
    ),
    Index(
        "job_debounce_idx",
        "name",
        "debounce_key",
        unique=True,
        postgresql_where=text("debounce_key IS NOT NULL AND state = 'created'"),
    ),
    Index(
        "job_ordering_idx",
        "name",
        "ordering_key",
        "id",
        postgresql_where=text("ordering_key IS NOT NULL AND state IN ('created', 'retry')"),
    ),
    Index(
        "job_ordering_active_idx",
        "name",
        "ordering_key",
        unique=True,
        postgresql_where=text("ordering_key IS NOT NULL AND state = 'active'"),
    ),
)

job_cancel_requests = Table(
    "job_cancel_requests",
    metadata,
    Column("job_id", BigInteger, primary_key=True, autoincrement=False),
    required("requested_on", MOMENT, "now()"),
)

job_throttles = Table(
    "job_throttles",
    metadata,
    Column("name", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    required("job_id", BigInteger),
    required("open_again", MOMENT),
    Index("job_throttles_open_again_idx", "open_again"),
)

job_schemas = Table(
    "job_schemas", metadata, Column("schema_name", Text, primary_key=True), required("created_on", MOMENT, "now()")
)

tenants = Table(
    "tenants",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    required("url", Text, "''"),
    required("schema_name", Text, "'pgtrickle'"),
    required("weight", Float(53), "1"),
    required("is_suspended", Boolean, "false"),
    required("created_on", MOMENT, "now()"),
    CheckConstraint("tenant_id <> ''"),
    CheckConstraint("weight BETWEEN 0.01 AND 100"),
)

hot_tenants = Table(
    "hot_tenants",
    metadata,
    Column("lock_group", Text, primary_key=True),
    Column("tenant_id", Text, primary_key=True),
    required("session_pid", Integer),
    required("reason", Text),
    required("promoted_on", MOMENT, "clock_timestamp()"),
)

tenant_supervisors = Table(
    "tenant_supervisors",
    metadata,
    Column("session_pid", Integer, primary_key=True, autoincrement=False),
    required("lock_group", Text),
    required("host", Text),
    required("process_pid", Integer),
    required("hot_pool_max", Integer),
    required("tenants", Integer),
    required("waiting", Integer),
    required("said_on", MOMENT, "clock_timestamp()"),
)

job_schedules = Table(
    "job_schedules",
    metadata,
    Column("schedule_name", Text, primary_key=True),
    required("cron", Text),
    required("time_zone", Text),
    required("name", Text),
    required("data", JSONB),
    required("priority", Integer),
    required("expire_in", INTERVAL),
    required("retry_limit", Integer),
    required("retry_delay", INTERVAL),
    required("retry_backoff", Boolean),
    required("may_overlap", Boolean),
    Column("ordering_key", Text),
    Column("dead_letter", Text),
    required("keep_for", INTERVAL),
    required("enabled", Boolean),
    Column("next_on", MOMENT),
    Column("last_on", MOMENT),
    Column("last_job", BigInteger),
    required("skipped", BigInteger, "0"),
    Column("problem", Text),
    CheckConstraint("schedule_name <> ''"),
    CheckConstraint("name <> ''"),
    CheckConstraint("dead_letter <> name"),
    Index("job_schedules_next_on_idx", "next_on", postgresql_where=text("enabled")),
)
