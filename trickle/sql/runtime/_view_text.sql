-- The text of a view with every name qualified that a search path could change, and with constants that mean the same
-- in every session: 03.01.2026 is a day of January or of March.
CREATE FUNCTION pgtrickle._view_text(view_oid oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog SET standard_conforming_strings = on SET quote_all_identifiers = off
SET "DateStyle" = 'ISO' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex' AS $fn$
    SELECT pg_get_viewdef(view_oid)
$fn$;
