-- Let everything that was paused be refreshed again.
CREATE FUNCTION pgtrickle.resume_all() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT pgtrickle._unpause(ARRAY(SELECT s.pgt_id FROM pgtrickle.pgt_stream_tables s WHERE s.status = 'PAUSED'))
$fn$;
