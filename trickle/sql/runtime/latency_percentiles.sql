-- Percentiles of the time of completed refreshes, for every stream table and way of refreshing, over the last hours.
CREATE FUNCTION pgtrickle.latency_percentiles(window_hours int DEFAULT 24)
RETURNS TABLE (stream_table text, action text, refreshes bigint, p50_ms float8, p95_ms float8, p99_ms float8, max_ms float8)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT s.pgt_schema || '.' || s.pgt_name, r.action, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY m.ms),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY m.ms), percentile_cont(0.99) WITHIN GROUP (ORDER BY m.ms), max(m.ms)
    FROM pgtrickle.pgt_stream_tables s
    JOIN pgtrickle.pgt_refresh_history r USING (pgt_id)
    CROSS JOIN LATERAL (SELECT extract(epoch FROM r.end_time - r.start_time)::float8 * 1000 AS ms) m
    WHERE r.status = 'COMPLETED' AND r.start_time > now() - make_interval(hours => window_hours)
    GROUP BY 1, 2
    ORDER BY 1, 2
$fn$;
