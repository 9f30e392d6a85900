-- How much a differential refresh saves, for every stream table: times and share of rows changed over the last hundred
-- refreshes of each kind.
CREATE FUNCTION pgtrickle.refresh_efficiency()
RETURNS TABLE (pgt_schema text, pgt_name text, refresh_mode text, total_refreshes bigint, diff_count bigint,
               full_count bigint, avg_diff_ms float8, avg_full_ms float8, avg_change_ratio float8, diff_speedup text,
               last_refresh_at text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT s.pgt_schema, s.pgt_name, s.refresh_mode, e.total, e.diff_count, e.full_count, e.avg_diff_ms, e.avg_full_ms,
           e.avg_change_ratio, round((e.avg_full_ms / nullif(e.avg_diff_ms, 0))::numeric, 1) || 'x', s.data_timestamp::text
    FROM pgtrickle.pgt_stream_tables s
    CROSS JOIN LATERAL pgtrickle._efficiency(s) e
    ORDER BY s.pgt_schema, s.pgt_name
$fn$;
