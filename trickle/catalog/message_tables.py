"""The tables of outboxes, consumer groups and inboxes, beside those of `tables`, and in the same metadata."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from trickle.catalog.tables import MOMENT, PG_SNAPSHOT, metadata, required

__all__ = ["metadata"]

pgt_outbox_config = Table(
    "pgt_outbox_config",
    metadata,
    Column("outbox_name", Text, primary_key=True),
    Column("pgt_id", BigInteger, ForeignKey("pgtrickle.pgt_stream_tables.pgt_id", ondelete="CASCADE"), unique=True),
    Column("source_id", Integer, ForeignKey("pgtrickle.pgt_change_tracking.source_id")),
    Column("outbox_table_name", Text, nullable=False, unique=True),
    Column("delta_table_name", Text, unique=True),
    required("retention_hours", Integer),
    required("last_seq", BigInteger, "0"),
    required("created_at", MOMENT, "now()"),
    Column("last_drained_at", MOMENT),
    required("last_drained_count", BigInteger, "0"),
    CheckConstraint("retention_hours > 0"),
)

pgt_consumer_groups = Table(
    "pgt_consumer_groups",
    metadata,
    Column("group_name", Text, primary_key=True),
    required("outbox_name", Text, None, ForeignKey("pgtrickle.pgt_outbox_config.outbox_name", ondelete="CASCADE")),
    required("auto_offset_reset", Text),
    required("prev", PG_SNAPSHOT),
    required("cur", PG_SNAPSHOT),
    required("delivered_id", BigInteger, "0"),
    required("committed_id", BigInteger, "0"),
    required("epoch", BigInteger, "0"),
    required("created_at", MOMENT, "now()"),
    CheckConstraint("auto_offset_reset IN ('earliest', 'latest')"),
    Index("pgt_consumer_groups_outbox_name_idx", "outbox_name"),
)

pgt_consumer_offsets = Table(
    "pgt_consumer_offsets",
    metadata,
    Column(
        "group_name",
        Text,
        ForeignKey("pgtrickle.pgt_consumer_groups.group_name", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("consumer_id", Text, primary_key=True),
    required("committed_offset", BigInteger, "0"),
    Column("last_committed_at", MOMENT),
    required("last_heartbeat_at", MOMENT, "clock_timestamp()"),
)

pgt_consumer_leases = Table(
    "pgt_consumer_leases",
    metadata,
    Column("group_name", Text, primary_key=True),
    Column("consumer_id", Text, primary_key=True),
    required("prev", PG_SNAPSHOT),
    required("cur", PG_SNAPSHOT),
    required("from_id", BigInteger),
    required("to_id", BigInteger),
    required("epoch", BigInteger),
    required("lease_expires", MOMENT),
    ForeignKeyConstraint(
        ["group_name", "consumer_id"],
        ["pgtrickle.pgt_consumer_offsets.group_name", "pgtrickle.pgt_consumer_offsets.consumer_id"],
        ondelete="CASCADE",
    ),
)

pgt_inbox_config = Table(
    "pgt_inbox_config",
    metadata,
    Column("inbox_name", Text, primary_key=True),
    required("inbox_schema", Text),
    required("table_name", Text),
    required("max_retries", Integer),
    required("schedule", Text),
    required("with_dead_letter", Boolean),
    required("with_stats", Boolean),
    required("retention_hours", Integer),
    required("id_column", Text, "'event_id'"),
    required("processed_at_column", Text, "'processed_at'"),
    required("retry_count_column", Text, "'retry_count'"),
    Column("error_column", Text, server_default=text("'error'")),
    Column("received_at_column", Text, server_default=text("'received_at'")),
    Column("event_type_column", Text, server_default=text("'event_type'")),
    required("is_managed", Boolean, "true"),
    Column("aggregate_id_col", Text),
    Column("sequence_num_col", Text),
    Column("priority_col", Text),
    Column("tiers", JSONB),
    required("created_at", MOMENT, "now()"),
    CheckConstraint("max_retries >= 0"),
    CheckConstraint("retention_hours > 0"),
    CheckConstraint("aggregate_id_col IS NULL OR priority_col IS NULL"),
)

pgt_relay_pipelines = Table(
    "pgt_relay_pipelines",
    metadata,
    Column("pipeline_name", Text, primary_key=True),
    required("direction", Text),
    Column("outbox_name", Text),
    Column("group_name", Text, unique=True),
    Column("inbox_name", Text),
    required("enabled", Boolean, "true"),
    required("connector", JSONB),
    required("options", JSONB, "'{}'"),
    required("created_at", MOMENT, "now()"),
    required("changed_at", MOMENT, "clock_timestamp()"),
    CheckConstraint("pipeline_name ~ '^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$'"),
    CheckConstraint("direction IN ('forward', 'reverse')"),
    CheckConstraint("jsonb_typeof(connector -> 'type') = 'string'"),
    CheckConstraint("jsonb_typeof(options) = 'object'"),
    CheckConstraint("(direction = 'forward') = (outbox_name IS NOT NULL AND group_name IS NOT NULL)"),
    CheckConstraint("(direction = 'reverse') = (inbox_name IS NOT NULL)"),
)

pgt_relay_dead_letters = Table(
    "pgt_relay_dead_letters",
    metadata,
    Column("letter_id", BigInteger, Identity(always=True), primary_key=True),
    required("pipeline_name", Text),
    required("event_id", Text),
    Column("key", Text),
    required("payload", LargeBinary),
    required("content_type", Text),
    required("headers", JSONB, "'{}'"),
    required("facts", JSONB, "'{}'"),
    required("kind", Text),
    required("reason", Text),
    required("attempts", Integer),
    required("failed_at", MOMENT, "clock_timestamp()"),
    Column("retry_at", MOMENT),
    UniqueConstraint("pipeline_name", "event_id"),
    Index(
        "pgt_relay_dead_letters_retry_idx",
        "pipeline_name",
        "letter_id",
        postgresql_where=text("retry_at IS NOT NULL"),
    ),
)

pgt_relay_states = Table(
    "pgt_relay_states",
    metadata,
    Column(
        "pipeline_name",
        Text,
        ForeignKey("pgtrickle.pgt_relay_pipelines.pipeline_name", ondelete="CASCADE"),
        primary_key=True,
    ),
    required("instance_id", Text),
    required("state", Text),
    Column("reason", Text),
    required("since", MOMENT, "clock_timestamp()"),
    required("told_at", MOMENT, "clock_timestamp()"),
    CheckConstraint("state IN ('starting', 'running', 'held', 'failed', 'stopped')"),
)
