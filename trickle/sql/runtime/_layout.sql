-- The live columns of a relation as its transition tables show them; equal layouts share capture functions.
CREATE FUNCTION pgtrickle._layout(relid oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT coalesce(string_agg(format('%I %s %s', attname, atttypid, atttypmod), ',' ORDER BY attnum), '')
    FROM pg_attribute
    WHERE attrelid = _layout.relid AND attnum > 0 AND NOT attisdropped
$fn$;
