-- The schedule as stored: NULL for 'calculated', else the text once it is known to be a duration or cron.
CREATE FUNCTION pgtrickle._check_schedule(schedule text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
DECLARE
    floor_seconds bigint := pgtrickle._setting_number('min_schedule_seconds', '1');
    seconds bigint;
BEGIN
    IF schedule IS NULL THEN
        RAISE EXCEPTION 'invalid argument: schedule is NULL'
            USING ERRCODE = '22023', HINT = 'Use ''calculated'' to refresh whenever a source has changed.';
    ELSIF lower(schedule) = 'calculated' THEN
        RETURN NULL;
    ELSIF schedule ~ '\s' OR schedule LIKE '@%' THEN
        IF NOT pgtrickle._valid_cron(schedule) THEN
            RAISE EXCEPTION 'invalid argument: schedule "%" is not a cron expression', schedule
                USING ERRCODE = '22023', HINT = 'Use five fields, or six with leading seconds, or @hourly, @daily, @weekly, @monthly.';
        END IF;
        RETURN schedule;
    END IF;
    seconds := pgtrickle.parse_duration_seconds(schedule);
    IF seconds IS NULL THEN
        RAISE EXCEPTION 'invalid argument: schedule "%" is not a duration', schedule
            USING ERRCODE = '22023', HINT = 'Use a duration such as ''5s'' or ''1h30m'', a cron expression, or ''calculated''.';
    ELSIF seconds < floor_seconds THEN
        RAISE EXCEPTION 'invalid argument: schedule "%" is shorter than % s', schedule, floor_seconds
            USING ERRCODE = '22023', HINT = 'The setting min_schedule_seconds holds the shortest schedule allowed.';
    END IF;
    RETURN schedule;
END
$fn$;
