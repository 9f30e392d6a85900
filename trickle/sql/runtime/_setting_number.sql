-- A setting that is a whole number, with or without its unit ('64', '64 MB'). What cannot be read as one counts as not set:
-- a slip of the pen must not stop refreshes, and `trickle doctor` finds it.
CREATE FUNCTION pgtrickle._setting_number(name text, fallback text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    SELECT coalesce(substring(pgtrickle._setting(name, fallback) FROM '^\s*(\d{1,18})\s*[A-Za-z]{0,5}\s*$'), fallback)::bigint
$fn$;
