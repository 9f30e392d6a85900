-- Buffers and capture functions belong to one role, whoever created the stream table that needed them.
CREATE FUNCTION pgtrickle._catalog_owner() RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'pgtrickle'
$fn$;
