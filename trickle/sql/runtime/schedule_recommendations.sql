-- recommend_schedule for every stream table.
CREATE FUNCTION pgtrickle.schedule_recommendations()
RETURNS TABLE (name text, current_interval_seconds float8, recommended_interval_seconds float8, delta_pct float8,
               confidence float8, reasoning text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT s.pgt_schema || '.' || s.pgt_name, (r.found ->> 'current_interval_seconds')::float8,
           (r.found ->> 'recommended_interval_seconds')::float8, (r.found ->> 'delta_pct')::float8,
           (r.found ->> 'confidence')::float8, r.found ->> 'reasoning'
    FROM pgtrickle.pgt_stream_tables s
    CROSS JOIN LATERAL (SELECT pgtrickle._recommend_schedule(s) AS found) r
    ORDER BY 1
$fn$;
