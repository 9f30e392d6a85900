-- How the user's functions of a query look now; a replaced function may answer differently for old rows too.
CREATE FUNCTION pgtrickle._functions_stamp(function_oids oid[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT string_agg(p.oid || ':' || p.xmin, ',' ORDER BY p.oid) FROM pg_proc p WHERE p.oid = ANY (function_oids)
$fn$;
