-- Weigh the signals for one stream table. An IMMEDIATE one is differential already; only FULL would be another advice.
CREATE FUNCTION pgtrickle._recommend_mode(
    st pgtrickle.pgt_stream_tables, OUT effective_mode text, OUT recommended_mode text, OUT confidence text, OUT reason text,
    OUT signals jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    -- The weights of all signals together when each has its data.
    full_weight constant float8 := 1.20;
    composite float8;
    used      float8;
    strong    boolean;
    facts     jsonb;
    each_one  jsonb;
BEGIN
    effective_mode := CASE WHEN st.refresh_mode = 'IMMEDIATE' THEN 'IMMEDIATE' ELSE coalesce((
        SELECT r.action FROM pgtrickle.pgt_refresh_history r
        WHERE r.pgt_id = st.pgt_id AND r.status = 'COMPLETED' AND r.initiated_by <> 'INITIAL' AND r.action IN ('FULL', 'DIFFERENTIAL')
        ORDER BY r.start_time DESC, r.refresh_id DESC LIMIT 1), st.refresh_mode) END;
    WITH g AS MATERIALIZED (SELECT n.* FROM pgtrickle._mode_signals(st) n)
    SELECT sum(g.score * g.weight) / nullif(sum(g.weight), 0), sum(g.weight),
           coalesce(bool_or(g.weight >= 0.25 AND abs(g.score) >= 0.8), false),
           jsonb_agg(jsonb_build_object('name', g.name, 'score', g.score, 'weight', g.weight)),
           (SELECT jsonb_object_agg(f.key, f.value) FROM g, jsonb_each(g.facts) f),
           (SELECT string_agg(t.detail, '; ' ORDER BY t.strength DESC, t.name)
            FROM (SELECT g.name, g.detail, abs(g.score * g.weight) AS strength FROM g
                  WHERE g.weight > 0 ORDER BY 3 DESC, 1 LIMIT 2) t)
    INTO composite, used, strong, each_one, facts, reason
    FROM g;

    recommended_mode := CASE WHEN composite > 0.15 THEN 'DIFFERENTIAL' WHEN composite < -0.15 THEN 'FULL' ELSE 'KEEP' END;
    IF recommended_mode IN (effective_mode, st.refresh_mode)
       OR recommended_mode = 'DIFFERENTIAL' AND st.refresh_mode = 'IMMEDIATE' THEN
        recommended_mode := 'KEEP';
    END IF;
    confidence := CASE WHEN used >= 0.8 * full_weight THEN 'high' WHEN used >= 0.5 * full_weight OR strong THEN 'medium' ELSE 'low' END;
    signals := facts || jsonb_build_object('composite_score', round(composite::numeric, 4), 'signals', each_one);
END
$fn$;
