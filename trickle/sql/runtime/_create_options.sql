-- The options of a create or alter call, checked, as one value; those that were NULL are left out.
CREATE FUNCTION pgtrickle._create_options(
    diamond_consistency text, diamond_schedule_policy text, cdc_mode text, append_only boolean,
    pooler_compatibility_mode boolean, partition_by text, max_differential_joins int, max_delta_fraction float8,
    output_distribution_column text, temporal boolean, storage_backend text, sink text, ducklake_sink_path text,
    ducklake_sink_table_id bigint) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    missing text;
BEGIN
    diamond_consistency := pgtrickle._choose('diamond_consistency', diamond_consistency, '{none,atomic}');
    diamond_schedule_policy := pgtrickle._choose('diamond_schedule_policy', diamond_schedule_policy, '{fastest,slowest}');
    cdc_mode := pgtrickle._choose('cdc_mode', cdc_mode, '{auto,trigger,wal}');
    storage_backend := pgtrickle._choose('storage_backend', storage_backend, '{heap,none,citus,pg_mooncake}');
    IF diamond_schedule_policy = 'slowest' AND diamond_consistency = 'none' THEN
        RAISE EXCEPTION 'invalid argument: diamond_schedule_policy "slowest" needs diamond_consistency "atomic"'
            USING ERRCODE = '22023';
    ELSIF max_differential_joins < 0 OR max_delta_fraction < 0 THEN
        RAISE EXCEPTION 'invalid argument: max_differential_joins and max_delta_fraction must not be negative'
            USING ERRCODE = '22023';
    ELSIF output_distribution_column IS NOT NULL THEN
        RAISE EXCEPTION 'invalid argument: output_distribution_column needs Citus' USING ERRCODE = '22023';
    END IF;
    missing := CASE WHEN cdc_mode = 'wal' THEN 'cdc_mode => ''wal'''
                    WHEN temporal THEN 'temporal'
                    WHEN storage_backend IN ('citus', 'pg_mooncake') THEN 'storage_backend => ''' || storage_backend || ''''
                    WHEN coalesce(sink, ducklake_sink_path, ducklake_sink_table_id::text) IS NOT NULL THEN 'sink' END;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'option % is not available in this version', missing
            USING ERRCODE = '0A000', HINT = 'Leave the option out.';
    END IF;
    RETURN jsonb_strip_nulls(jsonb_build_object(
        'diamond_consistency', diamond_consistency, 'diamond_schedule_policy', diamond_schedule_policy,
        'cdc_mode', cdc_mode, 'append_only', append_only, 'pooler_compatibility_mode', pooler_compatibility_mode,
        'partition_by', partition_by,
        'max_differential_joins', max_differential_joins, 'max_delta_fraction', max_delta_fraction));
END
$fn$;
