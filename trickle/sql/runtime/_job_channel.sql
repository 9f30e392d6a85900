-- Where the runners of a schema listen.
CREATE FUNCTION pgtrickle._job_channel(schema_name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $fn$
    SELECT CASE schema_name WHEN 'pgtrickle' THEN 'pgtrickle_job' ELSE 'pgtrickle_job_' || md5(schema_name) END
$fn$;
