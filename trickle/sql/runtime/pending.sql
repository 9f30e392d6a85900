-- For every stream table that may be refreshed: is there anything new for it? One call for the whole database.
CREATE FUNCTION pgtrickle.pending() RETURNS TABLE (pgt_id bigint, has_changes boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT s.pgt_id, pgtrickle._has_changes(s.pgt_id)
    FROM pgtrickle.pgt_stream_tables s
    WHERE s.status IN ('INITIALIZING', 'ACTIVE')
    ORDER BY s.pgt_id
$fn$;
