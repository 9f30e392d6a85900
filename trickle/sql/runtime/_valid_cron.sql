-- Is this a cron schedule: five fields, or six with leading seconds, or an alias such as @hourly?
CREATE FUNCTION pgtrickle._valid_cron(schedule text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
DECLARE
    fields text[] := regexp_split_to_array(lower(btrim(schedule)), '\s+');
    lows   int[] := '{0,0,0,1,1,0}';
    highs  int[] := '{59,59,23,31,12,7}';
    item   text;
    parts  text[];
    n      int;
BEGIN
    IF schedule LIKE '@%' THEN
        RETURN lower(schedule) IN ('@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly');
    END IF;
    IF cardinality(fields) = 5 THEN
        fields := ARRAY['0'] || fields;
    ELSIF cardinality(fields) <> 6 THEN
        RETURN false;
    END IF;
    fields[5] := pgtrickle._cron_names(fields[5], '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}', 1);
    fields[6] := pgtrickle._cron_names(fields[6], '{sun,mon,tue,wed,thu,fri,sat}', 0);
    FOR n IN 1..6 LOOP
        FOREACH item IN ARRAY string_to_array(fields[n], ',') LOOP
            parts := regexp_match(item, '^(?:(\*)|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?$');
            IF parts IS NULL OR parts[4]::int = 0
               OR parts[2]::int NOT BETWEEN lows[n] AND highs[n]
               OR parts[3]::int NOT BETWEEN parts[2]::int AND highs[n] THEN
                RETURN false;
            END IF;
        END LOOP;
    END LOOP;
    RETURN true;
END
$fn$;
