"""Settings of pg_trickle that mean nothing here, each with the reason: for docs/settings.md and `trickle doctor`."""

from __future__ import annotations

from collections.abc import Mapping

_BY_REASON: Mapping[str, str] = {
    "Captured by triggers alone: there is no slot, no decoder and no log position to watch.": """
        cdc_mode tick_watermark_enabled frontier_holdback_mode  enforce_backpressure
        slot_lag_warning_threshold_mb slot_lag_critical_threshold_mb wal_transition_timeout wal_max_changes_per_poll
        wal_max_lag_bytes publication_lag_warn_bytes""",
    "Capture is never switched off: what is not captured is lost to every reader. Pause the refreshes instead.": """
        cdc_paused cdc_capture_mode""",
    "Change buffers are ordinary logged tables in pgtrickle_changes, pruned in small batches while writers go on.": """
        change_buffer_schema change_buffer_durability unlogged_buffers buffer_partitioning compact_threshold
        cleanup_use_truncate""",
    "A change of a source is met at the next refresh, by another program or an error that says what changed; a rule "
    "that forbids DDL needs a superuser.": "block_source_ddl online_schema_evolution",
    "Foreign tables and materialized views are always polled, and only where a query reads them.": """
        foreign_table_polling matview_polling""",
    "AUTO stream tables choose by the times measured for each of them; `refresh_mode` and `max_delta_fraction` say it "
    "for one stream table.": """
        refresh_strategy differential_max_change_ratio cost_model_safety_margin max_delta_estimate_rows
        prediction_window prediction_ratio prediction_min_samples force_full_refresh cost_cache_capacity
        algebraic_drift_reset_cycles adaptive_batch_coalescing""",
    "A program is compiled once and applies its change in a statement of its own form; see docs/operators.md.": """
        merge_strategy merge_strategy_threshold merge_join_strategy planner_aggressive merge_planner_hints
        delta_work_mem delta_enable_nestloop merge_seqscan_threshold analyze_before_delta use_prepared_statements
        aggregate_fast_path auto_index adaptive_merge_strategy diff_output_format part3_max_scan_count
        deep_join_l0_scan_threshold delta_amplification_threshold agg_diff_cardinality_threshold
        spill_threshold_blocks spill_consecutive_limit max_differential_joins""",
    "Nothing is cached between sessions: a program lies in the database, its plans in the session that runs it.": """
        template_cache template_cache_max_entries template_cache_max_age_hours invalidation_ring_capacity""",
    "A query of any size and depth is compiled; what has no rule is computed anew, in part.": """
        max_grouping_set_branches max_parse_depth max_parse_nodes max_diff_ctes ivm_topk_max_limit
        ivm_recursive_max_depth ivm_use_enr""",
    "A query with volatile functions is kept by full refreshes, and the catalog says why.": "volatile_function_policy",
    "Triggers on a stream table always fire, for the rows that really change.": "user_triggers",
    "Errors are always told apart by SQLSTATE.": "use_sqlstate_classification",
    "A pooler is recognised by itself, and nothing is left behind in its sessions.": """
        connection_pooler_mode pooler_compatibility_mode""",
    "An option of each stream table, not of the database.": "diamond_consistency diamond_schedule_policy",
    "Work is shared by the instances of a group, each with `max_concurrent_refreshes` subprocesses.": """
        worker_pool_size max_parallel_workers max_parallel_refresh_workers lag_aware_scheduling
        enable_change_buffer_fanout""",
    "A stream table that has an SLA is scheduled by it; there is no switch.": "sla_scheduling",
    "History is pruned every minute, a batch at a time.": "history_prune_interval_seconds",
    "Programs are shown by pgtrickle.explain_diff_sql, not written to the log.": "log_merge_sql log_delta_sql",
    "The thread that serves /metrics has time-outs of its own.": "metrics_request_timeout_ms",
    "No statistics are kept in stream tables about stream tables; pgtrickle.health_check and recommend_refresh_mode "
    "look when they are asked.": "self_monitoring_auto_apply",
    "Channels of subscribers are not written; listen to pg_trickle_alert.": "notify_coalesce_ms",
    "There is no tracing.": "enable_trace_propagation otel_endpoint trace_id",
    "Of other extensions (Citus, DuckLake, vectors, columnar and temporal storage).": """
        citus_st_lock_lease_ms citus_worker_retry_ticks ducklake_compaction_policy ducklake_sink_compression
        ducklake_sink_s3_endpoint ducklake_sink_s3_region ducklake_sink_s3_access_key ducklake_sink_s3_secret_key
        ducklake_sink_encryption_key_prefix enable_vector_agg reindex_drift_threshold temporal_stream_tables
        columnar_backend""",
    "A chain is one transaction whatever its delta; what is refreshed in full is not in one.": """
        fused_refresh_max_delta_rows""",
    "A large delta is written in one statement, and a group that is behind is behind: nothing is skipped.": """
        outbox_claim_check_batch_size consumer_stale_offset_threshold_days""",
    "Messages are drained every minute, a batch at a time, as long as there are any.": """
        outbox_drain_interval_seconds inbox_drain_interval_seconds""",
    "The size of an outbox is seen in pgtrickle.outbox_status.": "outbox_storage_critical_mb",
}


def absent_settings() -> dict[str, str]:
    """Name → why it means nothing here, by name."""
    return {name: reason for reason, names in _BY_REASON.items() for name in sorted(names.split())}
