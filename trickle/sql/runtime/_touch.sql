-- Many stream tables were found to have nothing new: move the time of their last check in one statement.
CREATE FUNCTION pgtrickle._touch(pgt_ids bigint[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $fn$
    UPDATE pgtrickle.pgt_stream_tables s
    SET last_refresh_at = clock_timestamp()
    FROM (SELECT l.pgt_id FROM pgtrickle.pgt_stream_tables l WHERE l.pgt_id = ANY (pgt_ids)
          FOR NO KEY UPDATE SKIP LOCKED) idle
    WHERE s.pgt_id = idle.pgt_id
$fn$;
