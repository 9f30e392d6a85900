-- The snapshots that lie in this database, newest first, and how the refresh after a restore would be: `next_refresh` is
-- FULL, with the reason, where the frontier of a snapshot cannot be trusted.
CREATE FUNCTION pgtrickle.list_snapshots(p_name text DEFAULT NULL)
RETURNS TABLE (snapshot_table text, created_at timestamptz, row_count bigint, frontier jsonb, size_bytes bigint,
               stream_table text, next_refresh text, reason text)
LANGUAGE plpgsql STABLE AS $fn$
DECLARE
    wanted pg_catalog.text[] := pgtrickle._split_name(p_name, current_schema()::pg_catalog.text);
BEGIN
    RETURN QUERY SELECT * FROM pgtrickle._snapshots(wanted[1] OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) wanted[2]);
END
$fn$;
