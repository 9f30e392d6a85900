CREATE FUNCTION pgtrickle._unpause(ids bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    PERFORM pgtrickle._assert_owner(s) FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = ANY (ids);
    UPDATE pgtrickle.pgt_stream_tables s
    SET status = CASE WHEN s.is_populated THEN 'ACTIVE' ELSE 'INITIALIZING' END, updated_at = now()
    WHERE s.pgt_id = ANY (ids) AND s.status = 'PAUSED';
END
$fn$;
