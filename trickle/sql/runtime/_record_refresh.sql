-- Bookkeeping of a refresh that succeeded. One that found nothing new moves only the time of the check, does not
-- wait for the disk when that is all its transaction wrote, and not for another session that refreshes the table.
CREATE FUNCTION pgtrickle._record_refresh(
    st pgtrickle.pgt_stream_tables, outcome pgtrickle.refresh_outcome, started timestamptz, initiated_by text,
    fresh_transaction boolean, choice pgtrickle.refresh_choice) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_column
DECLARE
    changed bigint := coalesce(outcome.rows_inserted, 0) + coalesce(outcome.rows_updated, 0) + coalesce(outcome.rows_deleted, 0);
    ended   timestamptz := clock_timestamp();
BEGIN
    IF outcome.action = 'NO_DATA' THEN
        IF fresh_transaction THEN
            PERFORM set_config('synchronous_commit', 'off', true);
        END IF;
        UPDATE pgtrickle.pgt_stream_tables s
        SET last_refresh_at = ended
        WHERE s.pgt_id = (SELECT l.pgt_id FROM pgtrickle.pgt_stream_tables l WHERE l.pgt_id = st.pgt_id
                          FOR NO KEY UPDATE SKIP LOCKED);
        RETURN;
    END IF;
    UPDATE pgtrickle.pgt_stream_tables s
    SET last_refresh_at = ended,
        data_timestamp = CASE WHEN changed > 0 OR NOT s.is_populated THEN ended ELSE s.data_timestamp END,
        is_populated = true, status = CASE s.status WHEN 'PAUSED' THEN 'PAUSED' ELSE 'ACTIVE' END,
        consecutive_errors = 0, needs_reinit = false,
        fuse_state = CASE s.fuse_state WHEN 'disabled' THEN 'armed' ELSE s.fuse_state END,
        effective_refresh_mode = CASE WHEN s.refresh_mode = 'IMMEDIATE' AND s.program_state = 'compiled' THEN 'IMMEDIATE'
                                      ELSE outcome.action END,
        last_full_ms = CASE WHEN outcome.action = 'FULL' THEN extract(epoch FROM ended - started) * 1000
                            ELSE s.last_full_ms END,
        last_error_message = NULL, last_error_at = NULL
    WHERE s.pgt_id = st.pgt_id;
    -- In place of _setting_flag, which takes as long as a tenth of a small refresh.
    IF coalesce(nullif(current_setting('pg_trickle.alert_refresh_completed', true), ''),
                (SELECT g.value FROM pgtrickle.pgt_settings g WHERE g.name = 'alert_refresh_completed')) IN ('on', 'true', 'yes', '1') THEN
        PERFORM pgtrickle._alert('refresh_completed', st, jsonb_build_object(
            'action', outcome.action, 'rows_inserted', outcome.rows_inserted, 'rows_updated', outcome.rows_updated,
            'rows_deleted', outcome.rows_deleted, 'duration_ms', extract(epoch FROM ended - started) * 1000));
    END IF;
    -- No schedule is shorter than a second.
    IF ended - started > interval '0.5 s' THEN
        PERFORM pgtrickle._alert_if_behind(st, extract(epoch FROM ended - started)::float8);
    END IF;
    INSERT INTO pgtrickle.pgt_refresh_history
        (pgt_id, data_timestamp, start_time, end_time, action, rows_inserted, rows_updated, rows_deleted,
         delta_row_count, was_full_fallback, changes_seen, predicted_differential_ms, predicted_full_ms, reason, status,
         initiated_by)
    VALUES (st.pgt_id, ended, started, ended, outcome.action, coalesce(outcome.rows_inserted, 0),
            coalesce(outcome.rows_updated, 0), coalesce(outcome.rows_deleted, 0), changed,
            outcome.action = 'FULL' AND st.refresh_mode <> 'FULL' AND st.is_populated,
            choice.changes, choice.differential_ms, choice.full_ms, outcome.reason, 'COMPLETED', initiated_by);
    IF changed > 0 AND initiated_by <> 'SCHEDULER' THEN
        PERFORM pgtrickle._ring_readers(st.pgt_relid);
    END IF;
    IF st.freshness_deadline_ms IS NOT NULL THEN
        PERFORM pgtrickle._foresee_breach(st);
    END IF;
END
$fn$;
