"""The catalog: schemas, tables, views and the functions that keep stream tables in a stock server."""

from __future__ import annotations

from alembic import op

from trickle.sql import load

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

RUNTIME = (
    "_adopt",
    "_alter",
    "_alter_options",
    "_alter_stream_table",
    "_assert_identity",
    "_assert_may_create",
    "_assert_no_cycle",
    "_assert_owner",
    "_assert_refreshable_here",
    "_at_most_one",
    "_auto_choice",
    "_auto_learn",
    "_auto_overrun",
    "_auxiliary_columns",
    "_base_type",
    "_believe",
    "_bind_query",
    "_canonical_query",
    "_capturable_attnums",
    "_capture_fault",
    "_catalog_owner",
    "_cautious_ms_per_change",
    "_change_query",
    "_check_query",
    "_check_schedule",
    "_choose",
    "_choose_refresh",
    "_cost_of_changes",
    "_create",
    "_create_options",
    "_create_storage",
    "_cron_names",
    "_definition",
    "_drop",
    "_drop_capture",
    "_drop_programs",
    "_drop_states",
    "_drop_unused_capture",
    "_ensure_capture",
    "_exists",
    "_explain",
    "_explain_refresh_mode",
    "_full_states",
    "_functions_stamp",
    "_guard",
    "_guard_storage",
    "_has_changes",
    "_install_full",
    "_key_attnums",
    "_layout",
    "_learn_differential",
    "_lineage",
    "_lock_source",
    "_members",
    "_missing_indexes",
    "_mode_for",
    "_names_of_sources",
    "_output_columns",
    "_predicted_differential_ms",
    "_predicted_full_ms",
    "_prune",
    "_query_functions",
    "_query_rules",
    "_query_settings",
    "_query_sources",
    "_rebuild_storage",
    "_record_failure",
    "_record_refresh",
    "_refresh",
    "_refresh_history",
    "_register_sources",
    "_replace",
    "_report",
    "_requested_mode",
    "_resolve",
    "_restamp",
    "_resume",
    "_revalidate",
    "_schedule_word",
    "_setting",
    "_settle_credit",
    "_source_facts",
    "_source_size",
    "_split_name",
    "_stale_stamp",
    "_state_tables",
    "_stored_view",
    "_stray_triggers",
    "_strip_program",
    "_touch",
    "_trigger_stamp",
    "_type_equal_is_same",
    "_type_groups",
    "_type_hashes",
    "_type_name",
    "_valid_cron",
    "_validate_query",
    "_validate_sources",
    "_verify",
    "_view_text",
    "_write_capture_functions",
    "_write_capture_triggers",
    "alter_stream_table",
    "change_buffer_sizes",
    "create_or_replace_stream_table",
    "create_stream_table",
    "create_stream_table_if_not_exists",
    "drop_stream_table",
    "explain_diff_sql",
    "explain_refresh_mode",
    "explain_st",
    "explain_stream_table",
    "export_definition",
    "get_refresh_history",
    "is_new",
    "list_auxiliary_columns",
    "list_sources",
    "missing_indexes",
    "parse_duration_seconds",
    "pending",
    "pgt_status",
    "refresh_stream_table",
    "restore_stream_tables",
    "resume_stream_table",
    "set_config",
    "source_stamp",
    "stream_table_lineage",
    "validate_query",
    "verify",
    "version",
)


def run(sql: str) -> None:
    """Execute SQL text as it stands: neither `:name` nor `%` has a meaning of SQLAlchemy's or psycopg's in it."""
    op.get_bind().connection.driver_connection.execute(sql)


def upgrade() -> None:
    run(load("schema/0001_tables"))
    for name in RUNTIME:
        run(load(f"runtime/{name}"))
    run(load("schema/0001_views"))
    run(load("schema/0001_rights"))


def downgrade() -> None:
    run("DROP SCHEMA pgtrickle_programs CASCADE")
    run("DROP SCHEMA pgtrickle_changes CASCADE")
    run(load("schema/0001_drop"))
