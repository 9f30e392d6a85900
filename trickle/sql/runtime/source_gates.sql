-- Sources that are gated, or were.
CREATE FUNCTION pgtrickle.source_gates()
RETURNS TABLE (source_table text, schema_name text, gated boolean, gated_at timestamptz, ungated_at timestamptz, gated_by text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT c.relname::text, n.nspname::text, g.gated, g.gated_at, g.ungated_at, g.gated_by
    FROM pgtrickle.pgt_source_gates g JOIN pg_class c ON c.oid = g.source_relid JOIN pg_namespace n ON n.oid = c.relnamespace
    ORDER BY 2, 1
$fn$;
