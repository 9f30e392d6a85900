-- A cron field with month or weekday names replaced by their numbers.
CREATE FUNCTION pgtrickle._cron_names(field text, names text[], first int) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
DECLARE
    n int;
BEGIN
    FOR n IN 1..cardinality(names) LOOP
        field := regexp_replace(field, '\m' || names[n] || '\M', (n - 1 + first)::text, 'g');
    END LOOP;
    RETURN field;
END
$fn$;
