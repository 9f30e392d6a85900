CREATE FUNCTION pgtrickle.watermark_groups()
RETURNS TABLE (group_name text, source_count int, tolerance_secs float8, created_at timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT g.group_name, cardinality(g.source_relids), g.tolerance_secs, g.created_at
    FROM pgtrickle.pgt_watermark_groups g ORDER BY 1
$fn$;
