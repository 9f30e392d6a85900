-- How far each source has been loaded.
CREATE FUNCTION pgtrickle.watermarks()
RETURNS TABLE (source_table text, schema_name text, watermark timestamptz, updated_at timestamptz, advanced_by text, wal_lsn text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT c.relname::text, n.nspname::text, w.watermark, w.updated_at, w.advanced_by, w.wal_lsn::text
    FROM pgtrickle.pgt_watermarks w JOIN pg_class c ON c.oid = w.source_relid JOIN pg_namespace n ON n.oid = c.relnamespace
    ORDER BY 2, 1
$fn$;
