-- Seconds of a duration such as '90', '5s' or '1h30m'; NULL when it is not one.
CREATE FUNCTION pgtrickle.parse_duration_seconds(input text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    SELECT CASE
        WHEN input ~ '^\d{1,10}$' THEN input::bigint
        WHEN input ~ '^(\d{1,10}[smhdw])+$' AND length(input) < 100 THEN (
            SELECT sum(m[1]::numeric * CASE m[2] WHEN 's' THEN 1 WHEN 'm' THEN 60 WHEN 'h' THEN 3600
                                                 WHEN 'd' THEN 86400 ELSE 604800 END)::bigint
            FROM regexp_matches(input, '(\d+)([smhdw])', 'g') m)
        END
$fn$;
