-- Define a stream table, or make the one of that name as described: nothing is dropped, and an equal definition is
-- left alone. `initialize` counts only for a new one. Without a refresh_mode an existing one keeps its own.
CREATE FUNCTION pgtrickle.create_or_replace_stream_table(
    name text, query text, schedule text DEFAULT 'calculated', refresh_mode text DEFAULT NULL,
    initialize boolean DEFAULT true, diamond_consistency text DEFAULT NULL,
    diamond_schedule_policy text DEFAULT NULL, cdc_mode text DEFAULT NULL, append_only boolean DEFAULT false,
    pooler_compatibility_mode boolean DEFAULT false, partition_by text DEFAULT NULL,
    max_differential_joins int DEFAULT NULL, max_delta_fraction float8 DEFAULT NULL,
    output_distribution_column text DEFAULT NULL, temporal boolean DEFAULT false, storage_backend text DEFAULT NULL,
    schedule_seconds int DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $fn$
DECLARE
    st      pgtrickle.pgt_stream_tables;
    mode    pg_catalog.text;
    timing  pg_catalog.text;
    options pg_catalog.jsonb;
BEGIN
    IF NOT pgtrickle._exists(name, current_schema()::pg_catalog.text) THEN
        PERFORM pgtrickle.create_stream_table(
            name, query, schedule, refresh_mode, initialize, diamond_consistency, diamond_schedule_policy, cdc_mode,
            append_only, pooler_compatibility_mode, partition_by, max_differential_joins, max_delta_fraction,
            output_distribution_column, temporal, storage_backend, schedule_seconds => schedule_seconds);
        RETURN;
    END IF;
    st := pgtrickle._resolve(name, current_schema()::pg_catalog.text);
    mode := pgtrickle._requested_mode(schedule, coalesce(refresh_mode, st.requested_mode), cdc_mode);
    timing := pgtrickle._check_schedule(coalesce(schedule_seconds::pg_catalog.text, pgtrickle._schedule_word(schedule, mode)));
    options := pgtrickle._create_options(
            diamond_consistency, diamond_schedule_policy, cdc_mode, append_only, pooler_compatibility_mode, partition_by,
            max_differential_joins, max_delta_fraction, output_distribution_column, temporal, storage_backend, NULL, NULL, NULL);
    PERFORM pgtrickle._replace(st, query, pg_catalog.current_setting('search_path'), timing, mode, options);
END
$fn$;
