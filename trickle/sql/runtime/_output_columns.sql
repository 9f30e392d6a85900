-- The user's columns of a relation, with their types, as one comparable text.
CREATE FUNCTION pgtrickle._output_columns(relid oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    SELECT string_agg(format('%I %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation), ', ' ORDER BY a.attnum)
    FROM pg_attribute a
    WHERE a.attrelid = relid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT LIKE '\_\_pgt\_%'
$fn$;
