"""The catalog's tables as SQLAlchemy Core describes them.

The migrations make the tables; this is what Alembic compares a database with, and what a test holds against
one to see that neither has drifted. Nothing queries through it: SQL lives in files.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, OID, TIMESTAMP, UUID
from sqlalchemy.types import UserDefinedType

SCHEMA = "pgtrickle"

metadata = MetaData(schema=SCHEMA)


class Native(UserDefinedType[Any]):
    """A type that only PostgreSQL has, by its name there."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
        return self.name


CHAR = Native('"char"')
NAME = Native("name")
PG_LSN = Native("pg_lsn")
PG_SNAPSHOT = Native("pg_snapshot")
XID8 = Native("xid8")
MOMENT = TIMESTAMP(timezone=True)


def required(name: str, kind: Any, default: str | None = None, *args: Any) -> Column[Any]:
    """A column that is never NULL."""
    return Column(name, kind, *args, nullable=False, server_default=None if default is None else text(default))


def stream_table_key(**options: Any) -> Column[Any]:
    """A reference to the stream table a row belongs to; the row goes when it goes."""
    return Column(
        "pgt_id",
        BigInteger,
        ForeignKey(f"{SCHEMA}.pgt_stream_tables.pgt_id", ondelete="CASCADE"),
        nullable=False,
        **options,
    )


identity = Table(
    "identity",
    metadata,
    Column("only_row", Boolean, CheckConstraint("only_row"), primary_key=True, server_default=text("true")),
    required("system_identifier", BigInteger),
    required("database_oid", OID),
    required("catalog_oid", OID),
    required("epoch", UUID, "gen_random_uuid()"),
    required("catalog_version", Text),
    required("installed_at", MOMENT, "now()"),
)

pgt_settings = Table(
    "pgt_settings",
    metadata,
    Column("name", Text, primary_key=True),
    required("value", Text),
    required("updated_at", MOMENT, "now()"),
)

pgt_stream_tables = Table(
    "pgt_stream_tables",
    metadata,
    Column("pgt_id", BigInteger, primary_key=True, autoincrement=True),
    Column("pgt_relid", OID, nullable=False, unique=True),
    required("pgt_name", Text),
    required("pgt_schema", Text),
    required("pgt_owner", NAME),
    required("defining_query", Text),
    required("original_query", Text),
    Column("schedule", Text),
    required("refresh_mode", Text, "'DIFFERENTIAL'"),
    required("requested_mode", Text, "'AUTO'"),
    required("status", Text, "'INITIALIZING'"),
    required("is_populated", Boolean, "false"),
    Column("data_timestamp", MOMENT),
    Column("last_refresh_at", MOMENT),
    required("consecutive_errors", Integer, "0"),
    required("needs_reinit", Boolean, "false"),
    Column("effective_refresh_mode", Text),
    Column("last_full_ms", Float(53)),
    Column("last_error_message", Text),
    Column("last_error_at", MOMENT),
    required("query_volatility", CHAR, "'i'"),
    Column("volatility_reason", Text),
    required("functions_used", ARRAY(Text), "'{}'"),
    required("function_oids", ARRAY(OID), "'{}'"),
    Column("function_hashes", Text),
    required("session_settings", JSONB, "'{}'"),
    required("program_state", Text, "'none'"),
    Column("program_version", Text),
    Column("program_reason", Text),
    Column("program_explain", JSONB),
    required("diamond_consistency", Text, "'atomic'"),
    required("diamond_schedule_policy", Text, "'fastest'"),
    Column("requested_cdc_mode", Text),
    required("has_keyless_source", Boolean, "false"),
    required("is_append_only", Boolean, "false"),
    required("pooler_compatibility_mode", Boolean, "false"),
    Column("st_partition_key", Text),
    Column("max_differential_joins", Integer),
    Column("max_delta_fraction", Float(53)),
    required("refresh_tier", Text, "'hot'"),
    required("fuse_mode", Text, "'off'"),
    required("fuse_state", Text, "'armed'"),
    Column("fuse_ceiling", BigInteger),
    Column("fuse_sensitivity", Integer),
    Column("scc_id", Integer),
    Column("last_fixpoint_iterations", Integer),
    Column("fixpoint_frontier", Text),
    Column("blown_at", MOMENT),
    Column("blow_reason", Text),
    Column("freshness_deadline_ms", BigInteger),
    required("has_outbox", Boolean, "false"),
    required("created_at", MOMENT, "now()"),
    required("updated_at", MOMENT, "now()"),
    UniqueConstraint("pgt_schema", "pgt_name"),
    Index("pgt_stream_tables_status_idx", "status"),
)

pgt_change_tracking = Table(
    "pgt_change_tracking",
    metadata,
    Column("source_relid", OID, primary_key=True),
    required("source_id", Integer, None, Identity(always=True)),
    required("source_schema", Text),
    required("source_name", Text),
    required("captured_attnums", ARRAY(SmallInteger), "'{}'"),
    required("capture_mode", Text, "'statement'"),
    Column("polled_relid", OID),
    Column("polled_at", MOMENT),
    Column("pruned_below", XID8),
    required("created_at", MOMENT, "now()"),
    UniqueConstraint("source_id"),
)

pgt_dependencies = Table(
    "pgt_dependencies",
    metadata,
    stream_table_key(primary_key=True),
    Column("source_relid", OID, primary_key=True),
    required("source_type", Text),
    required("source_schema", Text),
    required("source_name", Text),
    Column("source_id", Integer, ForeignKey(f"{SCHEMA}.pgt_change_tracking.source_id")),
    required("columns_used", ARRAY(Text), "'{}'"),
    Column("column_snapshot", JSONB),
    Column("stamp", Text),
    required("cdc_mode", Text, "'TRIGGER'"),
    Index("pgt_dependencies_source_relid_idx", "source_relid"),
    Index("pgt_dependencies_source_id_idx", "source_id"),
)

pgt_immediate = Table(
    "pgt_immediate",
    metadata,
    Column(
        "source_id",
        Integer,
        ForeignKey(f"{SCHEMA}.pgt_change_tracking.source_id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    stream_table_key(primary_key=True),
    required("place", Integer),
)

pgt_frontiers = Table(
    "pgt_frontiers",
    metadata,
    stream_table_key(primary_key=True),
    Column("snapshot", PG_SNAPSHOT),
    required("own_xid", XID8),
    required("own_seq", BigInteger),
    required("rows_inserted", BigInteger, "0"),
    required("rows_updated", BigInteger, "0"),
    required("rows_deleted", BigInteger, "0"),
    required("markers", BigInteger, "0"),
    required("unfoldable", BigInteger, "0"),
    required("state_faults", BigInteger, "0"),
)

pgt_refresh_history = Table(
    "pgt_refresh_history",
    metadata,
    Column("refresh_id", BigInteger, primary_key=True, autoincrement=True),
    stream_table_key(),
    required("data_timestamp", MOMENT),
    required("start_time", MOMENT),
    Column("end_time", MOMENT),
    Column("action", Text),
    required("rows_inserted", BigInteger, "0"),
    required("rows_updated", BigInteger, "0"),
    required("rows_deleted", BigInteger, "0"),
    required("delta_row_count", BigInteger, "0"),
    required("was_full_fallback", Boolean, "false"),
    Column("changes_seen", BigInteger),
    Column("predicted_differential_ms", Float(53)),
    Column("predicted_full_ms", Float(53)),
    Column("reason", Text),
    Column("error_code", Text),
    Column("error_message", Text),
    required("status", Text),
    required("initiated_by", Text),
    Index("pgt_refresh_history_data_idx", "pgt_id", "data_timestamp"),
    Index("pgt_refresh_history_start_idx", "pgt_id", "start_time"),
)

pgt_snapshots = Table(
    "pgt_snapshots",
    metadata,
    Column("snapshot_id", BigInteger, primary_key=True, autoincrement=True),
    stream_table_key(),
    required("snapshot_schema", Text),
    required("snapshot_table", Text),
    required("snapshot_version", Text, "'1'"),
    Column("token", UUID, nullable=False, unique=True, server_default=text("gen_random_uuid()")),
    required("epoch", UUID),
    Column("snapshot", PG_SNAPSHOT),
    required("own_xid", XID8),
    required("own_seq", BigInteger),
    required("basis", Text),
    required("is_held", Boolean, "true"),
    required("row_count", BigInteger),
    Column("data_timestamp", MOMENT),
    required("created_at", MOMENT, "now()"),
    UniqueConstraint("snapshot_schema", "snapshot_table"),
    Index("pgt_snapshots_pgt_id_idx", "pgt_id"),
)

pgt_alerts = Table(
    "pgt_alerts",
    metadata,
    Column("event", Text, primary_key=True),
    Column("pgt_id", BigInteger, primary_key=True, autoincrement=False, server_default=text("0")),
    Column("source_id", Integer, primary_key=True, autoincrement=False, server_default=text("0")),
    required("times", Integer, "1"),
    required("alerted_at", MOMENT, "clock_timestamp()"),
)

pgt_full_costs = Table(
    "pgt_full_costs",
    metadata,
    stream_table_key(primary_key=True),
    required("ms", Float(53)),
    required("source_bytes", BigInteger),
    required("measured", Integer, "0"),
    Column("doubt", Float(53)),
)

pgt_differential_costs = Table(
    "pgt_differential_costs",
    metadata,
    stream_table_key(primary_key=True),
    Column("changed", ARRAY(Integer), primary_key=True),
    required("fixed_ms", Float(53)),
    required("ms_per_change", Float(53)),
    required("measured", Integer, "0"),
    required("largest", BigInteger, "0"),
    Column("doubt", Float(53)),
    required("last_choice", Text, "'DIFFERENTIAL'"),
    required("credit_ms", Float(53), "0"),
    required("confirmed", Integer, "0"),
)

pgt_refresh_groups = Table(
    "pgt_refresh_groups",
    metadata,
    Column("group_id", Integer, primary_key=True, autoincrement=True),
    Column("group_name", Text, nullable=False, unique=True),
    required("member_pgt_ids", ARRAY(BigInteger)),
    required("isolation", Text, "'read_committed'"),
    required("created_at", MOMENT, "now()"),
)

pgt_scheduler_jobs = Table(
    "pgt_scheduler_jobs",
    metadata,
    Column("job_id", BigInteger, primary_key=True, autoincrement=True),
    required("unit_key", Text),
    required("unit_kind", Text),
    required("member_pgt_ids", ARRAY(BigInteger)),
    required("root_pgt_id", BigInteger),
    required("status", Text),
    required("scheduler_pid", Integer),
    Column("worker_pid", Integer),
    required("attempt_no", Integer, "1"),
    required("enqueued_at", MOMENT, "now()"),
    Column("started_at", MOMENT),
    Column("finished_at", MOMENT),
    Column("outcome_detail", Text),
    Column("retryable", Boolean),
    Index("pgt_scheduler_jobs_status_idx", "status", "enqueued_at"),
    Index("pgt_scheduler_jobs_finished_idx", "finished_at"),
)

pgt_source_gates = Table(
    "pgt_source_gates",
    metadata,
    Column("source_relid", OID, primary_key=True),
    required("gated", Boolean, "true"),
    required("gated_at", MOMENT, "now()"),
    Column("ungated_at", MOMENT),
    Column("gated_by", Text),
)

pgt_watermarks = Table(
    "pgt_watermarks",
    metadata,
    Column("source_relid", OID, primary_key=True),
    required("watermark", MOMENT),
    required("updated_at", MOMENT, "now()"),
    Column("advanced_by", Text),
    Column("wal_lsn", PG_LSN),
)

pgt_watermark_groups = Table(
    "pgt_watermark_groups",
    metadata,
    Column("group_id", Integer, primary_key=True, autoincrement=True),
    required("group_name", Text),
    required("source_relids", ARRAY(OID)),
    required("tolerance_secs", Float(53), "0"),
    required("created_at", MOMENT, "now()"),
    CheckConstraint("tolerance_secs >= 0"),
    UniqueConstraint("group_name"),
)

pgt_instances = Table(
    "pgt_instances",
    metadata,
    Column("group_id", Text, primary_key=True),
    Column("instance_id", Text, primary_key=True),
    Column("hostname", Text),
    Column("pid", Integer),
    Column("backend_pid", Integer),
    required("capacity", Integer, "1"),
    required("lock_budget", BigInteger, "0"),
    required("shard_counts", ARRAY(Integer), "'{}'"),
    required("waits_for", ARRAY(BigInteger), "'{}'"),
    required("started_at", MOMENT, "now()"),
    required("heartbeat_at", MOMENT, "now()"),
)
