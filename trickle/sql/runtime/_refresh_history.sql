CREATE FUNCTION pgtrickle._refresh_history(pgt_id bigint, max_rows int)
RETURNS TABLE (refresh_id bigint, data_timestamp timestamptz, start_time timestamptz, end_time timestamptz,
               action text, status text, rows_inserted bigint, rows_deleted bigint, duration_ms float8,
               error_message text, rows_updated bigint, reason text, initiated_by text, changes_seen bigint,
               predicted_differential_ms float8, predicted_full_ms float8)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT r.refresh_id, r.data_timestamp, r.start_time, r.end_time, r.action, r.status, r.rows_inserted,
           r.rows_deleted, (extract(epoch FROM r.end_time - r.start_time) * 1000)::float8, r.error_message,
           r.rows_updated, r.reason, r.initiated_by, r.changes_seen, r.predicted_differential_ms, r.predicted_full_ms
    FROM pgtrickle.pgt_refresh_history r
    WHERE r.pgt_id = _refresh_history.pgt_id
    ORDER BY r.start_time DESC, r.refresh_id DESC
    LIMIT max_rows
$fn$;
