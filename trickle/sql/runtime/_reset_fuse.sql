CREATE FUNCTION pgtrickle._reset_fuse(st pgtrickle.pgt_stream_tables, action text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    chosen text := pgtrickle._choose('action', action, '{apply,reinitialize,skip_changes}');
BEGIN
    PERFORM pgtrickle._assert_owner(st);
    IF st.fuse_state <> 'blown' THEN
        RAISE EXCEPTION 'the fuse of stream table %.% is not blown', st.pgt_schema, st.pgt_name
            USING ERRCODE = '22023', HINT = 'SELECT * FROM pgtrickle.fuse_status() shows all fuses.';
    END IF;
    IF chosen = 'skip_changes' THEN
        -- As a refresh leaves it: what this statement sees counts as consumed.
        UPDATE pgtrickle.pgt_frontiers f
        SET snapshot = pg_current_snapshot(), own_xid = pg_current_xact_id(), own_seq = nextval('pgtrickle_changes.change_seq')
        WHERE f.pgt_id = st.pgt_id AND f.snapshot IS NOT NULL;
        RAISE WARNING 'stream table %.% differs from its query: the changes pending were left out', st.pgt_schema, st.pgt_name
            USING HINT = format('pgtrickle.repair_stream_table(%L) computes it anew.', st.pgt_schema || '.' || st.pgt_name);
    END IF;
    UPDATE pgtrickle.pgt_stream_tables s
    SET status = CASE WHEN s.is_populated THEN 'ACTIVE' ELSE 'INITIALIZING' END, consecutive_errors = 0, blown_at = NULL,
        blow_reason = NULL, needs_reinit = s.needs_reinit OR chosen = 'reinitialize', updated_at = clock_timestamp(),
        fuse_state = CASE chosen WHEN 'skip_changes' THEN 'armed' ELSE 'disabled' END
    WHERE s.pgt_id = st.pgt_id;
    PERFORM pgtrickle._ring();
END
$fn$;
