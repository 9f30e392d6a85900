-- Change a stream table; NULL leaves as it is. No search_path of its own: a new query means what it means to the caller.
CREATE FUNCTION pgtrickle.alter_stream_table(
    name text, query text DEFAULT NULL, schedule text DEFAULT NULL, refresh_mode text DEFAULT NULL,
    status text DEFAULT NULL, diamond_consistency text DEFAULT NULL, diamond_schedule_policy text DEFAULT NULL,
    cdc_mode text DEFAULT NULL, append_only boolean DEFAULT NULL, pooler_compatibility_mode boolean DEFAULT NULL,
    tier text DEFAULT NULL, fuse text DEFAULT NULL, fuse_ceiling bigint DEFAULT NULL, fuse_sensitivity int DEFAULT NULL,
    partition_by text DEFAULT NULL, max_differential_joins int DEFAULT NULL, max_delta_fraction float8 DEFAULT NULL,
    post_refresh_action text DEFAULT NULL, reindex_drift_threshold float8 DEFAULT NULL, sink text DEFAULT NULL,
    ducklake_sink_path text DEFAULT NULL, ducklake_sink_table_id bigint DEFAULT NULL,
    schedule_seconds int DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $fn$
DECLARE
    st pgtrickle.pgt_stream_tables := pgtrickle._resolve(name, current_schema()::pg_catalog.text);
BEGIN
    PERFORM pgtrickle._requested_mode(schedule, coalesce(refresh_mode, st.refresh_mode), cdc_mode);
    PERFORM pgtrickle._alter_stream_table(
        st, query, pg_catalog.current_setting('search_path'),
        coalesce(schedule_seconds::pg_catalog.text, schedule), refresh_mode,
        pgtrickle._create_options(
            diamond_consistency, diamond_schedule_policy, cdc_mode, append_only, pooler_compatibility_mode, partition_by,
            max_differential_joins, max_delta_fraction, NULL, NULL, NULL, sink, ducklake_sink_path, ducklake_sink_table_id),
        pgtrickle._alter_options(status, tier, fuse, fuse_ceiling, fuse_sensitivity, post_refresh_action,
                                 reindex_drift_threshold));
END
$fn$;
