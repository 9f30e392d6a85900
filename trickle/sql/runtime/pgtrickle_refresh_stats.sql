-- How long completed refreshes took, slowest first, as far back as the history reaches.
CREATE FUNCTION pgtrickle.pgtrickle_refresh_stats()
RETURNS TABLE (stream_table text, mode text, avg_ms float8, p95_ms float8, p99_ms float8, refresh_count bigint,
               last_refresh_at timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT s.pgt_schema || '.' || s.pgt_name, s.refresh_mode, coalesce(h.avg_ms, 0), coalesce(h.percentiles[1], 0),
           coalesce(h.percentiles[2], 0), coalesce(h.n, 0), s.last_refresh_at
    FROM pgtrickle.pgt_stream_tables s
    LEFT JOIN (
        SELECT r.pgt_id, count(*) AS n, avg(m.ms) AS avg_ms,
               percentile_cont(ARRAY[0.95, 0.99]) WITHIN GROUP (ORDER BY m.ms) AS percentiles
        FROM pgtrickle.pgt_refresh_history r
        CROSS JOIN LATERAL (SELECT extract(epoch FROM r.end_time - r.start_time)::float8 * 1000 AS ms) m
        WHERE r.status = 'COMPLETED'
        GROUP BY r.pgt_id) h USING (pgt_id)
    ORDER BY 3 DESC, 1
$fn$;
