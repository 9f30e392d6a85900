-- Differential and full refreshes of a stream table compared. The first fill is counted, but tells nothing of later ones.
CREATE FUNCTION pgtrickle._efficiency(
    st pgtrickle.pgt_stream_tables, OUT total bigint, OUT diff_count bigint, OUT full_count bigint, OUT avg_diff_ms float8,
    OUT avg_full_ms float8, OUT p50_diff_ms float8, OUT p95_diff_ms float8, OUT avg_change_ratio float8)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    WITH done AS (
        SELECT r.action, extract(epoch FROM r.end_time - r.start_time)::float8 * 1000 AS ms, r.delta_row_count, r.initiated_by,
               row_number() OVER (PARTITION BY r.action ORDER BY r.start_time DESC, r.refresh_id DESC) AS nth
        FROM pgtrickle.pgt_refresh_history r
        WHERE r.pgt_id = st.pgt_id AND r.status = 'COMPLETED'
    )
    SELECT count(*), count(*) FILTER (WHERE d.action = 'DIFFERENTIAL'), count(*) FILTER (WHERE d.action = 'FULL'),
           avg(d.ms) FILTER (WHERE d.action = 'DIFFERENTIAL' AND d.nth <= 100),
           avg(d.ms) FILTER (WHERE d.action = 'FULL' AND d.nth <= 100),
           percentile_cont(0.5) WITHIN GROUP (ORDER BY d.ms) FILTER (WHERE d.action = 'DIFFERENTIAL' AND d.nth <= 100),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY d.ms) FILTER (WHERE d.action = 'DIFFERENTIAL' AND d.nth <= 100),
           avg(d.delta_row_count / k.row_count) FILTER (WHERE d.nth <= 100 AND d.initiated_by <> 'INITIAL')
    FROM done d
    CROSS JOIN (
        -- What the statistics count at the moment tells only of one that was never analyzed.
        SELECT greatest(coalesce(nullif(sum(greatest(c.reltuples, 0)), 0), sum(pg_stat_get_live_tuples(c.oid))), 1)::float8 AS row_count
        FROM pgtrickle._members(st.pgt_relid) m JOIN pg_class c ON c.oid = m.member) k
$fn$;
