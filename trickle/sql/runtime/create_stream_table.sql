-- Define a stream table and fill it. No search_path of its own: names in the query mean what they mean to the caller.
CREATE FUNCTION pgtrickle.create_stream_table(
    name text, query text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT 'AUTO',
    initialize boolean DEFAULT true, diamond_consistency text DEFAULT NULL,
    diamond_schedule_policy text DEFAULT NULL, cdc_mode text DEFAULT NULL, append_only boolean DEFAULT false,
    pooler_compatibility_mode boolean DEFAULT false, partition_by text DEFAULT NULL,
    max_differential_joins int DEFAULT NULL, max_delta_fraction float8 DEFAULT NULL,
    output_distribution_column text DEFAULT NULL, temporal boolean DEFAULT false, storage_backend text DEFAULT NULL,
    sink text DEFAULT NULL, ducklake_sink_path text DEFAULT NULL, ducklake_sink_table_id bigint DEFAULT NULL,
    schedule_seconds int DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $fn$
DECLARE
    wanted text[] := pgtrickle._split_name(name, current_schema()::text);
BEGIN
    PERFORM pgtrickle._create(
        wanted[1], wanted[2], query, pg_catalog.current_setting('search_path'),
        pgtrickle._check_schedule(coalesce(schedule_seconds::pg_catalog.text, pgtrickle._schedule_word(schedule, refresh_mode))),
        pgtrickle._requested_mode(schedule, refresh_mode, cdc_mode), coalesce(initialize, true),
        pgtrickle._create_options(
            diamond_consistency, diamond_schedule_policy, cdc_mode, append_only, pooler_compatibility_mode, partition_by,
            max_differential_joins, max_delta_fraction, output_distribution_column, temporal, storage_backend, sink,
            ducklake_sink_path, ducklake_sink_table_id));
END
$fn$;
