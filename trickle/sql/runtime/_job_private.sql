-- What the names of a schema's own functions end with that nobody but us calls. A session that calls a function by name keeps
-- all functions of that name in memory, whatever schema they are in: with a thousand schemas that is 8 MB for each name.
CREATE FUNCTION pgtrickle._job_private(schema_name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT CASE schema_name WHEN 'pgtrickle' THEN '' ELSE '_' || substr(md5(schema_name), 1, 12) END
$fn$;
