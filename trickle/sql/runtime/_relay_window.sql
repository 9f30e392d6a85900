-- The window after one that was read to its end: what has been committed since. Nothing when there is nothing.
CREATE FUNCTION pgtrickle._relay_window(outbox_table text, seen pg_snapshot)
RETURNS TABLE (cur pg_snapshot, after_id bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    now_seen constant pg_snapshot := pg_current_snapshot();
    first_id bigint;
BEGIN
    EXECUTE format('SELECT min(m.id) - 1 FROM pgtrickle.%I m WHERE m.xid >= pg_snapshot_xmin($1) '
                   'AND NOT pg_visible_in_snapshot(m.xid, $1) AND pg_visible_in_snapshot(m.xid, $2)', outbox_table)
    INTO first_id USING seen, now_seen;
    IF first_id IS NOT NULL THEN
        RETURN QUERY SELECT now_seen, first_id;
    END IF;
END
$fn$;
