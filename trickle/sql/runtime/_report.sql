CREATE FUNCTION pgtrickle._report(st pgtrickle.pgt_stream_tables) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    mode record;
BEGIN
    SELECT * INTO mode FROM pgtrickle._explain_refresh_mode(st);
    RETURN concat_ws(E'\n',
        format('Stream table %s.%s (%s)', st.pgt_schema, st.pgt_name, lower(st.status)),
        format('Refresh: %s, last %s%s', mode.configured_mode, coalesce(mode.effective_mode, 'never'),
               coalesce('; ' || mode.downgrade_reason, '')),
        format('Schedule: %s', coalesce(st.schedule, 'calculated')),
        'Kept as: ' || (st.program_explain ->> 'strategy'),
        (SELECT string_agg('  ' || b.value, E'\n') FROM jsonb_array_elements_text(st.program_explain -> 'because') b),
        (SELECT string_agg(format('Source: %s.%s (%s, %s)', d.source_schema, d.source_name, lower(d.source_type),
                                  CASE d.cdc_mode WHEN 'TRIGGER' THEN 'captured by triggers' WHEN 'POLL' THEN 'polled'
                                       ELSE 'read through' END), E'\n' ORDER BY d.source_schema, d.source_name)
         FROM pgtrickle.pgt_dependencies d WHERE d.pgt_id = st.pgt_id),
        (SELECT string_agg(format('Hidden column: %s, %s', a.column_name, a.purpose), E'\n')
         FROM pgtrickle._auxiliary_columns(st.pgt_relid) a),
        (SELECT format('Cost: in full about %s ms', round(f.ms::numeric, 1)) FROM pgtrickle.pgt_full_costs f
         WHERE f.pgt_id = st.pgt_id),
        (SELECT string_agg(format('Cost: differential, %s: about %s ms and %s ms per 1000 changes',
                                  pgtrickle._names_of_sources(c.changed), round(c.fixed_ms::numeric, 1),
                                  round(c.ms_per_change::numeric * 1000, 1)), E'\n' ORDER BY c.changed)
         FROM pgtrickle.pgt_differential_costs c WHERE c.pgt_id = st.pgt_id AND c.measured > 0),
        (SELECT string_agg(format('An index would help: %s', m.statement), E'\n')
         FROM pgtrickle._missing_indexes(st.program_explain -> 'lookups') m),
        'Last error: ' || st.last_error_message);
END
$fn$;
