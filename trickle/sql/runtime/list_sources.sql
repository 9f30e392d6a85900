CREATE FUNCTION pgtrickle.list_sources(name text)
RETURNS TABLE (source_table text, source_oid bigint, source_type text, cdc_mode text, columns_used text)
LANGUAGE plpgsql STABLE STRICT AS $fn$
BEGIN
    RETURN QUERY
    SELECT (d.source_schema OPERATOR(pg_catalog.||) '.') OPERATOR(pg_catalog.||) d.source_name,
           d.source_relid::pg_catalog.int8, d.source_type, d.cdc_mode,
           pg_catalog.array_to_string(d.columns_used, ', ')
    FROM pgtrickle.pgt_dependencies d
    WHERE d.pgt_id OPERATOR(pg_catalog.=)
          (pgtrickle._resolve(list_sources.name, current_schema()::pg_catalog.text)).pgt_id
    ORDER BY 1;
END
$fn$;
