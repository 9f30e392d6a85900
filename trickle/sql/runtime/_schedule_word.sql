-- The schedule argument, where 'IMMEDIATE' is a refresh mode in the wrong place and means no schedule.
CREATE FUNCTION pgtrickle._schedule_word(schedule text, refresh_mode text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT CASE WHEN upper(schedule) = 'IMMEDIATE' OR upper(refresh_mode) = 'IMMEDIATE' THEN 'calculated' ELSE schedule END
$fn$;
