-- A setting that is on or off; what is neither counts as not set.
CREATE FUNCTION pgtrickle._setting_flag(name text, fallback text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT CASE lower(trim(pgtrickle._setting(name, fallback)))
               WHEN 'on' THEN true WHEN 'true' THEN true WHEN 'yes' THEN true WHEN '1' THEN true WHEN 't' THEN true WHEN 'y' THEN true
               WHEN 'off' THEN false WHEN 'false' THEN false WHEN 'no' THEN false WHEN '0' THEN false WHEN 'f' THEN false WHEN 'n' THEN false
               ELSE fallback = 'on' END
$fn$;
