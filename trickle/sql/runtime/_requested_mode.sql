-- The refresh mode asked for, by its argument or by schedule => 'IMMEDIATE'. Changes read from the log come after the commit.
CREATE FUNCTION pgtrickle._requested_mode(schedule text, refresh_mode text, cdc_mode text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    mode text := pgtrickle._choose('refresh_mode', coalesce(refresh_mode, 'AUTO'),
                                   '{AUTO,FULL,DIFFERENTIAL,IMMEDIATE,INCREMENTAL}');
BEGIN
    mode := CASE WHEN upper(schedule) = 'IMMEDIATE' THEN 'IMMEDIATE' WHEN mode = 'INCREMENTAL' THEN 'DIFFERENTIAL' ELSE mode END;
    IF mode = 'IMMEDIATE' AND lower(cdc_mode) = 'wal' THEN
        RAISE EXCEPTION 'invalid argument: cdc_mode "wal" does not go with refresh_mode "IMMEDIATE"'
            USING ERRCODE = '22023', HINT = 'Leave cdc_mode out, or use refresh_mode => ''DIFFERENTIAL'' with a schedule.';
    END IF;
    RETURN mode;
END
$fn$;
