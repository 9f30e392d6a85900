-- What every stream table is like and how its refreshes went, as far back as the history reaches.
CREATE FUNCTION pgtrickle.st_refresh_stats()
RETURNS TABLE (pgt_name text, pgt_schema text, status text, refresh_mode text, is_populated boolean,
               total_refreshes bigint, successful_refreshes bigint, failed_refreshes bigint, total_rows_inserted bigint,
               total_rows_deleted bigint, avg_duration_ms float8, last_refresh_action text, last_refresh_status text,
               last_refresh_at timestamptz, staleness_secs float8, stale boolean, consecutive_errors int, schedule text,
               refresh_tier text, last_error_message text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT i.pgt_name, i.pgt_schema, i.status, i.refresh_mode, i.is_populated, coalesce(h.total, 0),
           coalesce(h.successful, 0), coalesce(h.failed, 0), coalesce(h.inserted, 0), coalesce(h.deleted, 0), h.avg_ms,
           l.action, l.status, i.last_refresh_at, extract(epoch FROM i.staleness)::float8, i.stale, i.consecutive_errors,
           i.schedule, i.refresh_tier, i.last_error_message
    FROM pgtrickle.stream_tables_info i
    LEFT JOIN pgtrickle._history_statistics() h USING (pgt_id)
    LEFT JOIN LATERAL (
        SELECT r.action, r.status FROM pgtrickle.pgt_refresh_history r WHERE r.pgt_id = i.pgt_id
        ORDER BY r.start_time DESC, r.refresh_id DESC LIMIT 1) l ON true
    ORDER BY i.pgt_schema, i.pgt_name
$fn$;
