-- Have the relay carry what comes from a source into an inbox: make the pipeline, or change it. An inbox that does not exist
-- is made, with these settings; one that exists keeps its own.
CREATE FUNCTION pgtrickle.set_relay_inbox(
    name text, inbox text, source jsonb DEFAULT NULL, max_retries int DEFAULT 3, schedule text DEFAULT '1s',
    with_dead_letter boolean DEFAULT true, retention_hours int DEFAULT 24, enabled boolean DEFAULT true,
    options jsonb DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
BEGIN
    PERFORM pgtrickle._check_pipeline(name, 'source', source, options);
    IF NOT EXISTS (SELECT FROM pgtrickle.pgt_inbox_config i WHERE i.inbox_name = inbox) THEN
        PERFORM pgtrickle.create_inbox(
            inbox, max_retries => max_retries, schedule => schedule, with_dead_letter => with_dead_letter,
            retention_hours => retention_hours);
    END IF;
    PERFORM pgtrickle._put_pipeline(ROW(name, 'reverse', NULL, NULL, inbox, enabled, source, options, now(), now()));
END
$fn$;
