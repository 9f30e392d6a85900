-- Sums over this database, in one row.
CREATE FUNCTION pgtrickle.metrics_summary()
RETURNS TABLE (db_name text, total_stream_tables int, active_stream_tables int, suspended_stream_tables int,
               total_refreshes bigint, successful_refreshes bigint, failed_refreshes bigint, total_rows_processed bigint,
               active_workers int)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT current_database()::text, s.total, s.active, s.suspended, h.total, h.successful, h.failed, h.processed,
           (SELECT count(*) FROM pg_stat_activity a
            WHERE a.datname = current_database() AND a.application_name LIKE 'pg_trickle_refresh%' AND a.state <> 'idle')::int
    FROM (SELECT count(*)::int AS total, count(*) FILTER (WHERE status = 'ACTIVE')::int AS active,
                 count(*) FILTER (WHERE status = 'SUSPENDED')::int AS suspended FROM pgtrickle.pgt_stream_tables) s
    CROSS JOIN (
        SELECT coalesce(sum(t.total), 0)::bigint AS total, coalesce(sum(t.successful), 0)::bigint AS successful,
               coalesce(sum(t.failed), 0)::bigint AS failed, coalesce(sum(t.inserted + t.deleted), 0)::bigint AS processed
        FROM pgtrickle._history_statistics() t) h
$fn$;
