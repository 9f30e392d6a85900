-- The session settings that functions which are not immutable read, as they are for the creator of a query.
CREATE FUNCTION pgtrickle._query_settings(volatility "char") RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT CASE WHEN volatility = 'i' THEN '{}'::jsonb ELSE (
        SELECT jsonb_object_agg(n, current_setting(n))
        FROM unnest(ARRAY['TimeZone', 'DateStyle', 'IntervalStyle', 'extra_float_digits', 'bytea_output',
                          'lc_monetary', 'lc_numeric', 'lc_time', 'default_text_search_config', 'xmloption']) n) END
$fn$;
