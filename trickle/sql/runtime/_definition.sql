CREATE FUNCTION pgtrickle._definition(st pgtrickle.pgt_stream_tables) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    label text := quote_literal(CASE WHEN st.pgt_schema || st.pgt_name ~ '[".]'
                                     THEN format('%I.%I', st.pgt_schema, st.pgt_name)
                                     ELSE st.pgt_schema || '.' || st.pgt_name END);
    tag   text := 'query';
    args  text;
    later text;
BEGIN
    WHILE strpos(st.defining_query, '$' || tag || '$') > 0 LOOP
        tag := tag || '_';
    END LOOP;
    -- The canonical text means the same under every search path.
    args := concat_ws(E',\n    ',
        label,
        format('$%1$s$%2$s$%1$s$', tag, st.defining_query),
        'schedule => ' || quote_literal(coalesce(st.schedule, 'calculated')),
        'refresh_mode => ' || quote_literal(st.requested_mode),
        CASE WHEN st.diamond_consistency <> 'atomic' THEN 'diamond_consistency => ' || quote_literal(st.diamond_consistency) END,
        CASE WHEN st.diamond_schedule_policy <> 'fastest' THEN 'diamond_schedule_policy => ' || quote_literal(st.diamond_schedule_policy) END,
        'cdc_mode => ' || quote_literal(st.requested_cdc_mode),
        CASE WHEN st.is_append_only THEN 'append_only => true' END,
        CASE WHEN st.pooler_compatibility_mode THEN 'pooler_compatibility_mode => true' END,
        'partition_by => ' || quote_literal(st.st_partition_key),
        'max_differential_joins => ' || st.max_differential_joins,
        'max_delta_fraction => ' || st.max_delta_fraction);
    later := concat_ws(', ',
        CASE WHEN st.refresh_tier <> 'hot' OR st.freshness_deadline_ms IS NOT NULL THEN 'tier => ' || quote_literal(st.refresh_tier) END,
        CASE WHEN st.fuse_mode <> 'off' THEN 'fuse => ' || quote_literal(st.fuse_mode) END,
        'fuse_ceiling => ' || st.fuse_ceiling,
        'fuse_sensitivity => ' || st.fuse_sensitivity);
    RETURN concat_ws(E'\n',
        format('SELECT pgtrickle.drop_stream_table(%s) WHERE EXISTS (SELECT FROM pgtrickle.pgt_stream_tables WHERE pgt_schema = %L AND pgt_name = %L);',
               label, st.pgt_schema, st.pgt_name),
        format(E'SELECT pgtrickle.create_stream_table(\n    %s);', args),
        -- It chooses a tier, so the tier that counts is said after it.
        CASE WHEN st.freshness_deadline_ms IS NOT NULL THEN
            format('SELECT pgtrickle.set_stream_table_sla(%s, %L);', label, st.freshness_deadline_ms * interval '1 ms') END,
        CASE WHEN later <> '' THEN format('SELECT pgtrickle.alter_stream_table(%s, %s);', label, later) END);
END
$fn$;
