-- The signals that speak for DIFFERENTIAL (score above 0) or FULL (below), each with its weight; no data, no weight.
CREATE FUNCTION pgtrickle._mode_signals(st pgtrickle.pgt_stream_tables)
RETURNS TABLE (name text, score float8, weight float8, detail text, facts jsonb)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    WITH seen AS (
        SELECT e.*, c.ratio AS now_ratio, z.bytes, q.joins, q.parts,
               NOT EXISTS (SELECT FROM pgtrickle._missing_indexes(st.program_explain -> 'lookups')) AS covered
        FROM pgtrickle._efficiency(st) e
        CROSS JOIN LATERAL (
            SELECT sum(n.pending_rows) / greatest((pgtrickle._source_size(st.pgt_id)).row_count, 1) AS ratio
            FROM pgtrickle.pgt_dependencies d CROSS JOIN LATERAL pgtrickle._count_changes(d.source_id, d.pgt_id) n
            WHERE d.pgt_id = st.pgt_id AND d.source_id IS NOT NULL) c
        CROSS JOIN (SELECT sum(pg_total_relation_size(m.member)) AS bytes FROM pgtrickle._members(st.pgt_relid) m) z
        CROSS JOIN (
            SELECT j.joins, j.joins + regexp_count(st.defining_query, '\mGROUP BY\M')
                   + regexp_count(st.defining_query, '\(\s*SELECT\M') + regexp_count(st.defining_query, '\mOVER\M') AS parts
            FROM (SELECT regexp_count(st.defining_query, '\mJOIN\M') AS joins) j) q
    ), signal(name, score, weight, detail, facts) AS (
        SELECT 'change_ratio_current', pgtrickle._change_score(now_ratio), 0.25,
               format('%s %% of the sources'' rows wait as changes', round((100 * now_ratio)::numeric, 1)),
               jsonb_build_object('change_ratio_current', now_ratio) FROM seen
        UNION ALL
        SELECT 'change_ratio_avg', pgtrickle._change_score(avg_change_ratio), CASE WHEN total < 10 THEN 0.10 ELSE 0.30 END,
               format('a refresh changes %s %% of the rows on average', round((100 * avg_change_ratio)::numeric, 1)),
               jsonb_build_object('change_ratio_avg', avg_change_ratio) FROM seen
        UNION ALL
        SELECT 'empirical_timing',
               CASE WHEN diff_count >= 5 AND full_count >= 5 THEN
                   CASE WHEN avg_diff_ms < 0.3 * avg_full_ms THEN 1 WHEN avg_diff_ms < 0.7 * avg_full_ms THEN 0.5
                        WHEN avg_diff_ms < avg_full_ms THEN 0.2 WHEN avg_diff_ms < 1.5 * avg_full_ms THEN -0.5 ELSE -1 END END,
               0.35, format('DIFFERENTIAL takes %s ms, FULL %s ms', round(avg_diff_ms::numeric, 1), round(avg_full_ms::numeric, 1)),
               jsonb_build_object('diff_avg_ms', avg_diff_ms, 'full_avg_ms', avg_full_ms, 'history_rows_diff', diff_count,
                                  'history_rows_full', full_count) FROM seen
        UNION ALL
        SELECT 'query_complexity', CASE WHEN parts = 0 THEN 0.3 WHEN parts <= 2 THEN 0.1 WHEN parts <= 4 THEN -0.2 ELSE -0.5 END,
               0.10, format('the query has %s joins, groupings, subqueries and windows', parts),
               jsonb_build_object('join_count', joins) FROM seen
        UNION ALL
        SELECT 'target_size', CASE WHEN bytes < 1 << 20 THEN -0.3 WHEN bytes < 100 << 20 THEN 0.1 WHEN bytes < 1 << 30 THEN 0.5
                                   ELSE 0.8 END,
               0.10, 'the stream table takes ' || pg_size_pretty(bytes), jsonb_build_object('target_size_bytes', bytes) FROM seen
        UNION ALL
        SELECT 'index_coverage', CASE WHEN covered THEN 0.2 ELSE -0.2 END, 0.05,
               CASE WHEN covered THEN 'no index is missing' ELSE 'an index is missing: see pgtrickle.missing_indexes()' END,
               jsonb_build_object('has_covering_index', covered) FROM seen
        UNION ALL
        SELECT 'latency_variance',
               CASE WHEN diff_count >= 20 THEN CASE WHEN p95_diff_ms < 2 * p50_diff_ms THEN 0.2
                                                    WHEN p95_diff_ms < 5 * p50_diff_ms THEN 0 ELSE -0.3 END END,
               0.05, format('p95 of DIFFERENTIAL is %s ms, the median %s ms', round(p95_diff_ms::numeric, 1), round(p50_diff_ms::numeric, 1)),
               jsonb_build_object('diff_p95_ms', p95_diff_ms) FROM seen
    )
    SELECT g.name, coalesce(g.score, 0), CASE WHEN g.score IS NULL THEN 0 ELSE g.weight END, g.detail, g.facts FROM signal g
$fn$;
