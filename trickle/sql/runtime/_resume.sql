CREATE FUNCTION pgtrickle._resume(st pgtrickle.pgt_stream_tables) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    PERFORM pgtrickle._assert_owner(st);
    IF st.status NOT IN ('SUSPENDED', 'ERROR') THEN
        RAISE EXCEPTION 'stream table %.% is %, neither suspended nor stopped by an error',
            st.pgt_schema, st.pgt_name, lower(st.status) USING ERRCODE = '22023';
    END IF;
    UPDATE pgtrickle.pgt_stream_tables s
    SET status = CASE WHEN s.is_populated THEN 'ACTIVE' ELSE 'INITIALIZING' END, consecutive_errors = 0,
        last_error_message = NULL, last_error_at = NULL, updated_at = now(),
        needs_reinit = s.needs_reinit OR s.refresh_mode = 'IMMEDIATE',
        -- What blew the fuse is still pending, and goes through once.
        fuse_state = CASE s.fuse_state WHEN 'blown' THEN 'disabled' ELSE s.fuse_state END, blown_at = NULL, blow_reason = NULL
    WHERE s.pgt_id = st.pgt_id;
    PERFORM pgtrickle._alert('resumed', st, jsonb_build_object('previous_status', st.status));
END
$fn$;
