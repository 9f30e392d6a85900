-- The first number of the advisory locks that are the bells of a schema: what _job_bell_class() says there.
CREATE FUNCTION pgtrickle._job_bell_class_of(schema_name text) RETURNS int
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT CASE schema_name WHEN 'pgtrickle' THEN 1885828973 ELSE hashtext('bells of ' || schema_name) END
$fn$;
