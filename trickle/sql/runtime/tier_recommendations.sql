-- Advice, never applied by itself: the tier whose stretched schedule still meets nearly every change of a stream table.
-- Changes that come every ten periods or more rarely are met by ×10 (cold), every two by ×2 (warm). Who had none for a
-- whole day and a hundred periods may be frozen. Only a schedule that is a duration is stretched.
CREATE FUNCTION pgtrickle.tier_recommendations(look_back interval DEFAULT '7 days')
RETURNS TABLE (name text, schedule text, refresh_tier text, recommended_tier text, effective_seconds bigint, changes bigint,
               seconds_between_changes float8, reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT x.name, x.schedule, x.refresh_tier, t.tier,
           x.period * CASE x.refresh_tier WHEN 'hot' THEN 1 WHEN 'warm' THEN 2 WHEN 'cold' THEN 10 END, x.changes, x.gap,
           CASE WHEN x.seconds < 10 * x.period THEN 'too little is known yet'
                WHEN x.changes = 0 THEN format('no change in %s', justify_interval(make_interval(secs => round(x.seconds))))
                ELSE format('a change every %s, looked for every %s', make_interval(secs => round(x.gap::numeric, 1)),
                            make_interval(secs => x.period)) END
           || CASE WHEN t.tier <> x.refresh_tier
                   THEN format('; SELECT pgtrickle.alter_stream_table(%L, tier => %L)', x.name, t.tier) ELSE '' END
    FROM (
        SELECT s.pgt_schema || '.' || s.pgt_name AS name, s.schedule, s.refresh_tier, p.period, h.changes, w.seconds,
               w.seconds / nullif(h.changes, 0) AS gap
        FROM pgtrickle.pgt_stream_tables s
        CROSS JOIN LATERAL (SELECT pgtrickle.parse_duration_seconds(s.schedule) AS period) p
        CROSS JOIN LATERAL (SELECT extract(epoch FROM now() - greatest(s.created_at, now() - look_back))::float8 AS seconds) w
        CROSS JOIN LATERAL (SELECT count(*) AS changes FROM pgtrickle.pgt_refresh_history r
                            WHERE r.pgt_id = s.pgt_id AND r.status = 'COMPLETED' AND r.delta_row_count > 0
                              AND r.initiated_by <> 'INITIAL' AND r.start_time > now() - look_back) h
        WHERE p.period IS NOT NULL AND s.refresh_mode <> 'IMMEDIATE') x
    CROSS JOIN LATERAL (SELECT CASE WHEN x.seconds < 10 * x.period THEN x.refresh_tier
                                    WHEN x.changes = 0 AND x.seconds >= greatest(86400, 100 * x.period) THEN 'frozen'
                                    WHEN x.changes = 0 OR x.gap >= 10 * x.period THEN 'cold'
                                    WHEN x.gap >= 2 * x.period THEN 'warm' ELSE 'hot' END AS tier) t
    ORDER BY t.tier = x.refresh_tier, x.name
$fn$;
