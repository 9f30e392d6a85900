-- The columns of a table as they are stored, hidden ones included, with what is wanted to compare two tables.
CREATE FUNCTION pgtrickle._stored_columns(relid oid)
RETURNS TABLE (name text, type text, place smallint, is_hidden boolean, is_needed boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $fn$
    SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), a.attnum, a.attname LIKE '\_\_pgt\_%', a.attnotnull AND NOT a.atthasdef
    FROM pg_attribute a
    WHERE a.attrelid = _stored_columns.relid AND a.attnum > 0 AND NOT a.attisdropped
$fn$;
