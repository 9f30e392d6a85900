-- By the median and the median deviation of the last durations: nineteen of twenty refreshes (median + 3 deviations) fit
-- into two thirds of the interval. With too few of them there is nothing to go by but the last full refresh.
CREATE FUNCTION pgtrickle._recommend_schedule(st pgtrickle.pgt_stream_tables) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    wanted    int := pgtrickle._setting_number('schedule_recommendation_min_samples', '20')::int;
    durations float8[] := ARRAY(
        SELECT extract(epoch FROM r.end_time - r.start_time)::float8 * 1000 FROM pgtrickle.pgt_refresh_history r
        WHERE r.pgt_id = st.pgt_id AND r.status = 'COMPLETED' ORDER BY r.start_time DESC LIMIT 3 * wanted);
    middle    float8 := (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY d) FROM unnest(durations) d);
    deviation float8 := (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(d - middle)) FROM unnest(durations) d);
    current   float8 := coalesce(CASE WHEN st.schedule !~ '[ @]' THEN pgtrickle.parse_duration_seconds(st.schedule) END, 60);
    seconds   float8;
    certainty float8 := 0;
    because   text;
BEGIN
    IF cardinality(durations) < wanted THEN
        seconds := coalesce(greatest(1, st.last_full_ms / 1000), 60);
        because := format('only %s of %s refreshes are known yet', cardinality(durations), wanted);
    ELSE
        seconds := greatest(1, 1.5 * (middle + 3 * deviation) / 1000);
        certainty := greatest(0.1, 1 - least(1, deviation / nullif(middle, 0)));
        because := format('the last %s refreshes took %s ms in the middle, and 19 of 20 less than %s ms', cardinality(durations),
                          round(middle::numeric, 1), round((middle + 3 * deviation)::numeric, 1));
    END IF;
    RETURN jsonb_build_object(
        'recommended_interval_seconds', round(seconds::numeric, 1), 'peak_window_cron', NULL,
        'confidence', round(certainty::numeric, 2), 'reasoning', because, 'current_interval_seconds', current,
        'delta_pct', round((100 * (seconds - current) / current)::numeric, 1));
END
$fn$;
