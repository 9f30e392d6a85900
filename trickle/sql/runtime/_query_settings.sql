-- The session settings that the functions of a query read, as they are for its creator. PostgreSQL calls it immutable how
-- a bytea is printed, though it is not. Floats are always printed with all their digits: they tell rows apart.
CREATE FUNCTION pgtrickle._query_settings(volatility "char") RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT jsonb_object_agg(n, current_setting(n))
    FROM unnest(ARRAY['TimeZone', 'DateStyle', 'IntervalStyle', 'bytea_output', 'lc_monetary', 'lc_numeric', 'lc_time',
                      'default_text_search_config', 'xmloption']) n
    WHERE volatility <> 'i' OR n = 'bytea_output'
$fn$;
