-- The name of a type as any session can read it: qualified unless it is in pg_catalog.
CREATE FUNCTION pgtrickle._type_name(typid oid, typmod int) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog AS $fn$
    SELECT format_type(typid, typmod)
$fn$;
