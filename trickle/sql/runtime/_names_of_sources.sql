CREATE FUNCTION pgtrickle._names_of_sources(source_ids int[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT string_agg(t.source_schema || '.' || t.source_name, ' and ' ORDER BY t.source_schema, t.source_name)
    FROM pgtrickle.pgt_change_tracking t WHERE t.source_id = ANY (source_ids)
$fn$;
