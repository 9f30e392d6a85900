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
    "_arrange_immediate",
    "_assert_identity",
    "_assert_may_create",
    "_assert_no_cycle",
    "_assert_owner",
    "_assert_refreshable_here",
    "_assert_sources_seen",
    "_at_most_one",
    "_base_type",
    "_bind_query",
    "_canonical_query",
    "_capturable_attnums",
    "_capture_fault",
    "_catalog_owner",
    "_change_query",
    "_changed_sources",
    "_check_query",
    "_check_schedule",
    "_choose",
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
    "_exclude_writers",
    "_exists",
    "_explain",
    "_full_states",
    "_functions_stamp",
    "_guard",
    "_guard_storage",
    "_has_changes",
    "_immediate_fault",
    "_immediate_triggers",
    "_install_full",
    "_key_attnums",
    "_layout",
    "_lock_source",
    "_members",
    "_mode_for",
    "_output_columns",
    "_prune",
    "_query_functions",
    "_query_rules",
    "_query_settings",
    "_query_sources",
    "_rebuild_storage",
    "_recompute_in_statement",
    "_record_failure",
    "_record_refresh",
    "_refresh",
    "_refresh_history",
    "_refresh_in_statement",
    "_refuse_isolation",
    "_register_sources",
    "_replace",
    "_requested_mode",
    "_resolve",
    "_restamp",
    "_resume",
    "_revalidate",
    "_revalidate_in_statement",
    "_rows_applied",
    "_run_immediate",
    "_schedule_word",
    "_setting",
    "_settle_statement",
    "_source_facts",
    "_split_name",
    "_stale_stamp",
    "_staleness",
    "_statement_begins",
    "_statement_ends",
    "_state_tables",
    "_stored_view",
    "_stray_triggers",
    "_strip_program",
    "_switch_immediate",
    "_touch",
    "_trigger_stamp",
    "_type_equal_is_same",
    "_type_groups",
    "_type_hashes",
    "_type_name",
    "_valid_cron",
    "_verify",
    "_view_text",
    "_write_capture_functions",
    "_write_capture_triggers",
    "_write_immediate_triggers",
    "alter_stream_table",
    "change_buffer_sizes",
    "create_or_replace_stream_table",
    "create_stream_table",
    "create_stream_table_if_not_exists",
    "drop_stream_table",
    "explain_st",
    "export_definition",
    "get_refresh_history",
    "is_new",
    "list_sources",
    "parse_duration_seconds",
    "pending",
    "pgt_status",
    "refresh_stream_table",
    "restore_stream_tables",
    "resume_stream_table",
    "set_config",
    "source_stamp",
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
