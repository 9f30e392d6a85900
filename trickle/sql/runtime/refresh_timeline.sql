-- The latest refreshes of all stream tables, newest first.
CREATE FUNCTION pgtrickle.refresh_timeline(max_rows int DEFAULT 50)
RETURNS TABLE (start_time timestamptz, stream_table text, action text, status text, rows_inserted bigint,
               rows_deleted bigint, duration_ms float8, error_message text, rows_updated bigint, reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT r.start_time, s.pgt_schema || '.' || s.pgt_name, r.action, r.status, r.rows_inserted, r.rows_deleted,
           (extract(epoch FROM r.end_time - r.start_time) * 1000)::float8, r.error_message, r.rows_updated, r.reason
    FROM (SELECT h.* FROM pgtrickle.pgt_refresh_history h ORDER BY h.refresh_id DESC LIMIT max_rows) r
    JOIN pgtrickle.pgt_stream_tables s USING (pgt_id)
    ORDER BY r.start_time DESC, r.refresh_id DESC
$fn$;
