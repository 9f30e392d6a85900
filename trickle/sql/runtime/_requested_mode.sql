-- The refresh mode asked for, by its argument or by schedule => 'IMMEDIATE'.
CREATE FUNCTION pgtrickle._requested_mode(schedule text, refresh_mode text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    mode text := pgtrickle._choose('refresh_mode', coalesce(refresh_mode, 'AUTO'),
                                   '{AUTO,FULL,DIFFERENTIAL,IMMEDIATE,INCREMENTAL}');
BEGIN
    RETURN CASE WHEN upper(schedule) = 'IMMEDIATE' THEN 'IMMEDIATE' WHEN mode = 'INCREMENTAL' THEN 'DIFFERENTIAL' ELSE mode END;
END
$fn$;
