-- How long completed refreshes took, slowest first.
CREATE FUNCTION pgtrickle.pgtrickle_refresh_stats()
RETURNS TABLE (stream_table text, mode text, avg_ms float8, p95_ms float8, p99_ms float8, refresh_count bigint,
               last_refresh_at timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT s.pgt_schema || '.' || s.pgt_name, s.refresh_mode, coalesce(h.avg_ms, 0), coalesce(h.p95_ms, 0),
           coalesce(h.p99_ms, 0), coalesce(h.successful, 0), s.last_refresh_at
    FROM pgtrickle.pgt_stream_tables s
    LEFT JOIN pgtrickle._history_statistics() h USING (pgt_id)
    ORDER BY 3 DESC, 1
$fn$;
