-- How many changes are pending for a stream table with an armed fuse; NULL for one without, and where everything is
-- computed anew, which need not count them.
CREATE FUNCTION pgtrickle._fused_changes(st pgtrickle.pgt_stream_tables) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    exactly_up_to constant int := 1000000;
BEGIN
    IF st.fuse_mode = 'off' OR st.fuse_state <> 'armed' OR st.needs_reinit
       OR NOT EXISTS (SELECT FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = st.pgt_id AND f.snapshot IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT coalesce(sum(c.pending_rows), 0) FROM pgtrickle.pgt_dependencies d
            CROSS JOIN LATERAL pgtrickle._count_changes(d.source_id, d.pgt_id, exactly_up_to) c
            WHERE d.pgt_id = st.pgt_id AND d.source_id IS NOT NULL);
END
$fn$;
