-- Remove a schema of jobs and everything in it; one that has jobs that have not ended is kept, unless `force`. Returns whether
-- there was one.
CREATE FUNCTION pgtrickle.drop_job_schema(schema_name text, force boolean DEFAULT false) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
DECLARE
    waits boolean := false;
BEGIN
    PERFORM FROM pgtrickle.job_schemas k WHERE k.schema_name = drop_job_schema.schema_name FOR UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF NOT force AND to_regclass(format('%I.job', schema_name)) IS NOT NULL THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %I.job j WHERE j.state IN (''created'', ''retry'', ''active''))', schema_name)
        INTO waits;
    END IF;
    IF waits THEN
        RAISE EXCEPTION 'schema "%" has jobs that have not ended', schema_name
            USING ERRCODE = '55000', HINT = 'Let them end, or drop it with force => true.';
    END IF;
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', schema_name);
    DELETE FROM pgtrickle.job_schemas k WHERE k.schema_name = drop_job_schema.schema_name;
    RETURN true;
END
$fn$;
