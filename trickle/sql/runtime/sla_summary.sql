-- Each stream table over the last sla_window_hours (24): how long refreshes took, how old its rows are if it has anything
-- to take, which share of refreshes failed, and which share of them did not. Of those without a deadline too.
CREATE FUNCTION pgtrickle.sla_summary()
RETURNS TABLE (stream_table text, sla_ms bigint, p50_ms float8, p99_ms float8, freshness_lag_s float8, error_rate float8,
               error_budget_remaining float8)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT s.pgt_schema || '.' || s.pgt_name, s.freshness_deadline_ms, h.p50, h.p99, extract(epoch FROM i.staleness)::float8,
           h.failed, greatest(0, 1 - h.failed)
    FROM pgtrickle.pgt_stream_tables s
    JOIN pgtrickle.stream_tables_info i USING (pgt_id)
    CROSS JOIN LATERAL (
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY r.ms) FILTER (WHERE r.status = 'COMPLETED') AS p50,
               percentile_cont(0.99) WITHIN GROUP (ORDER BY r.ms) FILTER (WHERE r.status = 'COMPLETED') AS p99,
               coalesce(avg((r.status = 'FAILED')::int), 0)::float8 AS failed
        FROM (SELECT l.status, extract(epoch FROM l.end_time - l.start_time)::float8 * 1000 AS ms
              FROM pgtrickle.pgt_refresh_history l
              WHERE l.pgt_id = s.pgt_id AND l.status IN ('COMPLETED', 'FAILED')
                AND l.start_time > now() - make_interval(hours => pgtrickle._setting_number('sla_window_hours', '24')::int)) r) h
    ORDER BY 1
$fn$;
