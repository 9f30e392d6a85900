-- What a runner would find in each of these schemas. One that cannot be asked has a problem, and none of the others has.
CREATE FUNCTION pgtrickle._probe_job_schemas(schemas text[])
RETURNS TABLE (schema_name text, has_work boolean, next_seconds float8, problem text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
BEGIN
    FOREACH schema_name IN ARRAY schemas LOOP
        BEGIN
            problem := NULL;
            EXECUTE format('SELECT p.has_work, p.next_seconds FROM %I.%I() p', schema_name,
                           '_probe_jobs' || pgtrickle._job_private(schema_name)) INTO has_work, next_seconds;
        EXCEPTION WHEN OTHERS THEN
            has_work := false;
            next_seconds := NULL;
            problem := SQLERRM;
        END;
        RETURN NEXT;
    END LOOP;
END
$fn$;
