CREATE FUNCTION pgtrickle._repair(st pgtrickle.pgt_stream_tables) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    PERFORM pgtrickle._assert_owner(st);
    PERFORM FROM pgtrickle.pgt_frontiers f WHERE f.pgt_id = st.pgt_id FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'stream table %.% is being refreshed', st.pgt_schema, st.pgt_name
            USING ERRCODE = '55000', HINT = 'Try again when the refresh is over.';
    END IF;
    UPDATE pgtrickle.pgt_stream_tables s
    SET needs_reinit = true, consecutive_errors = 0, last_error_message = NULL, last_error_at = NULL, updated_at = clock_timestamp(),
        status = CASE WHEN s.status = 'PAUSED' THEN s.status WHEN s.is_populated THEN 'ACTIVE' ELSE 'INITIALIZING' END,
        fuse_state = CASE s.fuse_state WHEN 'blown' THEN 'disabled' ELSE s.fuse_state END, blown_at = NULL, blow_reason = NULL
    WHERE s.pgt_id = st.pgt_id;
    PERFORM pgtrickle._ring();
    RETURN format('%s.%s was %s%s; its next refresh computes it in full', st.pgt_schema, st.pgt_name, lower(st.status),
                  CASE WHEN st.fuse_state = 'blown' THEN ' with its fuse blown'
                       WHEN st.last_error_message IS NOT NULL THEN ' after ' || quote_literal(st.last_error_message) ELSE '' END);
END
$fn$;
