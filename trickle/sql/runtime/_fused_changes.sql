-- How many changes are pending for a stream table with an armed fuse; NULL for one without, which need not count them.
CREATE FUNCTION pgtrickle._fused_changes(st pgtrickle.pgt_stream_tables) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    RETURN CASE WHEN st.fuse_mode <> 'off' AND st.fuse_state = 'armed' AND NOT st.needs_reinit
                THEN pgtrickle._pending_changes(st.pgt_id) END;
END
$fn$;
