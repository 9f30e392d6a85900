CREATE FUNCTION pgtrickle._explain(st pgtrickle.pgt_stream_tables, with_analyze boolean)
RETURNS TABLE (property text, value text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    WITH program AS (
        SELECT p.prosrc FROM pg_proc p
        WHERE p.oid = CASE st.refresh_mode
            WHEN 'IMMEDIATE' THEN to_regprocedure(format('pgtrickle_programs.immediate_%s(bigint, timestamptz)', st.pgt_id))
            ELSE to_regprocedure(format('pgtrickle_programs.refresh_%s()', st.pgt_id)) END
    ), timing AS (
        SELECT r.action, count(*) AS n, avg(extract(epoch FROM r.end_time - r.start_time) * 1000) AS ms
        FROM pgtrickle.pgt_refresh_history r
        WHERE r.pgt_id = st.pgt_id AND r.status = 'COMPLETED' AND with_analyze GROUP BY r.action
    )
    SELECT v.property, v.value
    FROM pgtrickle.stream_tables_info i, LATERAL (VALUES
        (1, 'pgt_name', i.pgt_schema || '.' || i.pgt_name),
        (2, 'defining_query', i.defining_query),
        (3, 'refresh_mode', i.refresh_mode),
        (3, 'requested_mode', i.requested_mode),
        (4, 'effective_refresh_mode', i.effective_refresh_mode),
        (5, 'schedule', coalesce(i.schedule, CASE i.refresh_mode WHEN 'IMMEDIATE' THEN 'IMMEDIATE' ELSE 'calculated' END)),
        (6, 'status', i.status),
        (7, 'is_populated', i.is_populated::text),
        (8, 'dvm_supported', (i.program_state = 'compiled')::text),
        (9, 'program_state', i.program_state),
        (10, 'program_version', i.program_version),
        (11, 'program_reason', i.program_reason),
        (12, 'volatility', CASE i.query_volatility WHEN 'i' THEN 'immutable' ELSE i.volatility_reason END),
        (13, 'strategy', i.program_explain ->> 'strategy'),
        (13, 'recomputed', (
            SELECT string_agg(b.value, '; ') FROM jsonb_array_elements_text(i.program_explain -> 'because') b)),
        (13, 'operator_tree', i.program_explain ->> 'algebra'),
        (14, 'delta', i.program_explain ->> 'delta'),
        (15, 'delta_query', (SELECT prosrc FROM program)),
        (16, 'output_columns', (
            SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a
            WHERE a.attrelid = i.pgt_relid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT LIKE '\_\_pgt\_%')),
        (17, 'sources', (
            SELECT string_agg(format('%s.%s (%s, %s)', d.source_schema, d.source_name, lower(d.source_type), lower(d.cdc_mode)),
                              ', ' ORDER BY d.source_schema, d.source_name)
            FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = i.pgt_id)),
        (18, 'source_oids', (
            SELECT string_agg(d.source_relid::text, ', ' ORDER BY d.source_relid)
            FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = i.pgt_id)),
        (19, 'frontier', i.frontier::text),
        (20, 'refresh_timing_stats', (
            SELECT string_agg(format('%s: %s refreshes, %s ms on average', t.action, t.n, round(t.ms::numeric, 2)), '; '
                              ORDER BY t.action) FROM timing t)),
        (21, 'missing_indexes', (
            SELECT string_agg(m.statement, '; ') FROM pgtrickle._missing_indexes(i.program_explain -> 'lookups') m)),
        (22, 'last_error_message', i.last_error_message)
    ) v(place, property, value)
    WHERE i.pgt_id = st.pgt_id AND v.value IS NOT NULL
    ORDER BY v.place
$fn$;
