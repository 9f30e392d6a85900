-- What the history says of each stream table, in one pass.
CREATE FUNCTION pgtrickle._history_statistics()
RETURNS TABLE (pgt_id bigint, total bigint, successful bigint, failed bigint, inserted bigint, deleted bigint,
               avg_ms float8, p50_ms float8, p95_ms float8, p99_ms float8, max_ms float8)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT r.pgt_id, count(*), count(*) FILTER (WHERE r.status = 'COMPLETED'), count(*) FILTER (WHERE r.status = 'FAILED'),
           coalesce(sum(r.rows_inserted), 0)::bigint, coalesce(sum(r.rows_deleted), 0)::bigint, avg(m.ms),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY m.ms), percentile_cont(0.95) WITHIN GROUP (ORDER BY m.ms),
           percentile_cont(0.99) WITHIN GROUP (ORDER BY m.ms), max(m.ms)
    FROM pgtrickle.pgt_refresh_history r
    CROSS JOIN LATERAL (
        SELECT CASE WHEN r.status = 'COMPLETED' THEN extract(epoch FROM r.end_time - r.start_time)::float8 * 1000 END AS ms) m
    GROUP BY r.pgt_id
$fn$;
