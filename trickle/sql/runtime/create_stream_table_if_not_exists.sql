-- Define a stream table unless one of that name exists; then its definition is left as it is.
CREATE FUNCTION pgtrickle.create_stream_table_if_not_exists(
    name text, query text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT 'AUTO',
    initialize boolean DEFAULT true, diamond_consistency text DEFAULT NULL,
    diamond_schedule_policy text DEFAULT NULL, cdc_mode text DEFAULT NULL, append_only boolean DEFAULT false,
    pooler_compatibility_mode boolean DEFAULT false, partition_by text DEFAULT NULL,
    max_differential_joins int DEFAULT NULL, max_delta_fraction float8 DEFAULT NULL,
    output_distribution_column text DEFAULT NULL, temporal boolean DEFAULT false, storage_backend text DEFAULT NULL,
    sink text DEFAULT NULL, ducklake_sink_path text DEFAULT NULL, ducklake_sink_table_id bigint DEFAULT NULL,
    schedule_seconds int DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $fn$
BEGIN
    IF pgtrickle._exists(name, current_schema()::pg_catalog.text) THEN
        RAISE INFO 'stream table % exists already: nothing done', name;
        RETURN;
    END IF;
    PERFORM pgtrickle.create_stream_table(
        name, query, schedule, refresh_mode, initialize, diamond_consistency, diamond_schedule_policy, cdc_mode,
        append_only, pooler_compatibility_mode, partition_by, max_differential_joins, max_delta_fraction,
        output_distribution_column, temporal, storage_backend, sink, ducklake_sink_path, ducklake_sink_table_id,
        schedule_seconds);
END
$fn$;
