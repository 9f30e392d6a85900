-- Make a schema with queues of its own: the tables and functions of jobs as they are in pgtrickle, which know nothing of each
-- other. A role that is given may put jobs there and run them, and nothing else. Of a schema that was made before the
-- functions are made anew, and the rights given. What is in it belongs to the caller: whoever probes many schemas calls it.
CREATE FUNCTION pgtrickle.create_job_schema(schema_name text, role name DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
SET check_function_bodies = off AS $fn$
#variable_conflict use_variable
DECLARE
    objects   record := pgtrickle._job_schema_objects();
    private   text := array_to_string(ARRAY(SELECT f FROM unnest(objects.functions) f WHERE f LIKE '\_%'), '|');
    ours      text := quote_ident(schema_name);
    ending    text := pgtrickle._job_private(schema_name);
    one       record;
    statement text;
BEGIN
    IF schema_name IS NULL OR schema_name ~ '[\x01-\x1f''"\\$%]' OR schema_name ~ '^(pg_|pgtrickle|information_schema$)'
       OR octet_length(schema_name) NOT BETWEEN 1 AND 63 THEN
        RAISE EXCEPTION 'invalid argument: "%" cannot be the name of a schema of jobs', schema_name
            USING ERRCODE = '42602', HINT = 'Use 1 to 63 bytes without quotes, \, $ and %, that do not begin with pg_ or pgtrickle.';
    ELSIF EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = schema_name AND n.nspowner <> current_user::regrole) THEN
        RAISE EXCEPTION 'schema "%" belongs to somebody else, who could replace what is in it', schema_name
            USING ERRCODE = '42501', HINT = format('Keep jobs in a schema of their own, that %I owns.', current_user);
    END IF;
    EXECUTE 'CREATE SCHEMA IF NOT EXISTS ' || ours;
    IF NOT EXISTS (SELECT FROM pgtrickle.job_schemas k WHERE k.schema_name = create_job_schema.schema_name) THEN
        FOR one IN SELECT c.relname, c.reloptions FROM unnest(objects.tables) WITH ORDINALITY t(name, place)
                   JOIN pg_class c ON c.relname = t.name AND c.relnamespace = 'pgtrickle'::regnamespace ORDER BY t.place
        LOOP
            EXECUTE format('CREATE TABLE %s.%I (LIKE pgtrickle.%I INCLUDING ALL)', ours, one.relname, one.relname);
            IF one.reloptions IS NOT NULL THEN
                EXECUTE format('ALTER TABLE %s.%I SET (%s)', ours, one.relname, array_to_string(one.reloptions, ', '));
            END IF;
        END LOOP;
        EXECUTE format('CREATE SEQUENCE %s.job_worker_seq AS int MINVALUE 1 CYCLE OWNED BY %s.job.worker_id', ours, ours);
        INSERT INTO pgtrickle.job_schemas (schema_name) VALUES (schema_name);
    END IF;
    FOR one IN SELECT p.oid FROM pg_proc p
               WHERE p.pronamespace = 'pgtrickle'::regnamespace AND p.proname = ANY (objects.functions)
    LOOP
        statement := regexp_replace(pg_get_functiondef(one.oid), '\m(' || private || ')\M', '\1' || ending, 'g');
        statement := regexp_replace(statement, '\mpgtrickle\.(' || array_to_string(objects.tables || objects.functions, '|') || ')'
                                    '(' || ending || ')?\M', ours || '.\1\2', 'g');
        statement := replace(statement, 'ON SCHEMA pgtrickle ', 'ON SCHEMA ' || ours || ' ');
        statement := replace(statement, '''pgtrickle''', quote_literal(schema_name));
        statement := replace(statement, '''pgtrickle_job''', quote_literal(pgtrickle._job_channel(schema_name)));
        -- Bells, runners and ordering keys of this schema alone.
        statement := regexp_replace(statement, '\m1885828973\M', '(' || pgtrickle._job_bell_class_of(schema_name) || ')', 'g');
        statement := regexp_replace(statement, '\m1885828974\M', '(' || hashtext('runners of ' || schema_name) || ')', 'g');
        statement := regexp_replace(statement, '\m1885828975\M', '(' || hashtext('keys of ' || schema_name) || ')', 'g');
        EXECUTE statement;
    END LOOP;
    EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA %s FROM PUBLIC', ours);
    IF role IS NOT NULL THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %s, pgtrickle TO %I', ours, role);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %s TO %I', ours, role);
        EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %s TO %I', ours, role);
        EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA %s TO %I', ours, role);
        EXECUTE format('GRANT EXECUTE ON FUNCTION pgtrickle._job_bells_work(), pgtrickle._valid_cron(text), '
                       'pgtrickle._cron_names(text, text[], int) TO %I', role);
    END IF;
END
$fn$;
