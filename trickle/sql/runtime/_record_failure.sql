-- Record a refresh that failed, in a transaction after the one that was rolled back. Errors that the same data and
-- definition would meet again stop the table at once; passing ones count, and suspend it when there are too many.
CREATE FUNCTION pgtrickle._record_failure(
    pgt_id bigint, started timestamptz, code text, message text, initiated_by text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    st      pgtrickle.pgt_stream_tables;
    lasting boolean := left(code, 2) IN ('42', '23', '22', '28', '2B', '0A') OR left(code, 2) = 'XX';
    allowed int := pgtrickle._setting_number('max_consecutive_errors', '3')::int;
BEGIN
    UPDATE pgtrickle.pgt_stream_tables s
    SET consecutive_errors = s.consecutive_errors + 1, last_error_message = message, last_error_at = now(),
        status = CASE WHEN lasting THEN 'ERROR' WHEN s.consecutive_errors + 1 >= allowed THEN 'SUSPENDED'
                      ELSE s.status END
    WHERE s.pgt_id = _record_failure.pgt_id
    RETURNING s.* INTO st;
    IF FOUND THEN
        PERFORM pgtrickle._alert('refresh_failed', st, jsonb_build_object(
            'action', st.refresh_mode, 'error', message, 'error_code', code));
        IF st.status IN ('SUSPENDED', 'ERROR') THEN
            PERFORM pgtrickle._alert('auto_suspended', st, jsonb_build_object(
                'consecutive_errors', st.consecutive_errors, 'status', st.status));
        END IF;
        INSERT INTO pgtrickle.pgt_refresh_history
            (pgt_id, data_timestamp, start_time, end_time, action, status, initiated_by, error_code, error_message)
        SELECT s.pgt_id, now(), least(started, clock_timestamp()), clock_timestamp(), s.refresh_mode, 'FAILED',
               _record_failure.initiated_by, code, message
        FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _record_failure.pgt_id;
    END IF;
    IF code = '57014' THEN
        PERFORM pgtrickle._auto_overrun(s, extract(epoch FROM clock_timestamp() - started) * 1000)
        FROM pgtrickle.pgt_stream_tables s WHERE s.pgt_id = _record_failure.pgt_id;
    END IF;
END
$fn$;
