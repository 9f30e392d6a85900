CREATE FUNCTION pgtrickle._set_relay_outbox(
    name text, box pgtrickle.pgt_outbox_config, reader text, sink jsonb, enabled boolean, options jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
#variable_conflict use_variable
DECLARE
    other text := (SELECT g.outbox_name FROM pgtrickle.pgt_consumer_groups g WHERE g.group_name = reader);
    was   text := (SELECT p.group_name FROM pgtrickle.pgt_relay_pipelines p WHERE p.pipeline_name = name);
    taken text := (SELECT p.pipeline_name FROM pgtrickle.pgt_relay_pipelines p WHERE p.group_name = reader AND p.pipeline_name <> name);
BEGIN
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION 'consumer group % is that of pipeline %', reader, taken
            USING ERRCODE = '55006', HINT = 'Two pipelines that should both carry everything need a group each.';
    ELSIF other <> box.outbox_name THEN
        RAISE EXCEPTION 'consumer group % reads outbox %, not %', reader, other, box.outbox_name
            USING ERRCODE = '22023', HINT = 'Name another group, or delete the pipeline first: its place is one in that outbox.';
    ELSIF other IS NULL THEN
        PERFORM pgtrickle._create_consumer_group(reader, box, 'earliest');
    END IF;
    PERFORM pgtrickle._put_pipeline(ROW(name, 'forward', box.outbox_name, reader, NULL, enabled, sink, options, now(), now()));
    -- As when the pipeline is deleted: nobody reads on there, and an outbox may keep messages for it.
    IF was <> reader THEN
        DELETE FROM pgtrickle.pgt_consumer_groups g WHERE g.group_name = was;
    END IF;
END
$fn$;
