-- A script that defines a stream table again: drop if it exists, create, and what only alter can say.
CREATE FUNCTION pgtrickle.export_definition(st_name text) RETURNS text
LANGUAGE plpgsql STABLE STRICT AS $fn$
BEGIN
    RETURN pgtrickle._definition(pgtrickle._resolve(st_name, current_schema()::pg_catalog.text));
END
$fn$;
