-- Only the compiler follows a value through a query. As long as it has not, the columns that are read are known, but not
-- for which output: output_col is NULL. A column that is computed from none has NULL as its source.
CREATE FUNCTION pgtrickle._lineage(st pgtrickle.pgt_stream_tables)
RETURNS TABLE (output_col text, source_table text, source_col text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT l.value ->> 'output', (l.value ->> 'schema') || '.' || (l.value ->> 'table'), l.value ->> 'column'
    FROM jsonb_array_elements(st.program_explain -> 'lineage') WITH ORDINALITY l
    UNION ALL
    SELECT NULL, d.source_schema || '.' || d.source_name, u.c
    FROM pgtrickle.pgt_dependencies d, unnest(d.columns_used) u(c)
    WHERE d.pgt_id = st.pgt_id AND d.source_type <> 'VIEW' AND NOT coalesce(st.program_explain ? 'lineage', false)
$fn$;
