-- Write a pipeline and tell the relays, when there is something new about it.
CREATE FUNCTION pgtrickle._put_pipeline(wanted pgtrickle.pgt_relay_pipelines) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $fn$
DECLARE
    before pgtrickle.pgt_relay_pipelines;
BEGIN
    SELECT p.* INTO before FROM pgtrickle.pgt_relay_pipelines p WHERE p.pipeline_name = wanted.pipeline_name FOR UPDATE;
    IF wanted.enabled IS NULL THEN
        RAISE EXCEPTION 'relay.invalid_config: pipeline % is enabled or it is not', wanted.pipeline_name USING ERRCODE = '22004';
    ELSIF before.direction <> wanted.direction THEN
        RAISE EXCEPTION 'relay.invalid_config: pipeline % goes the other way', wanted.pipeline_name
            USING ERRCODE = '42710', HINT = 'Choose another name, or pgtrickle.delete_relay(name) first.';
    END IF;
    INSERT INTO pgtrickle.pgt_relay_pipelines AS p
        (pipeline_name, direction, outbox_name, group_name, inbox_name, enabled, connector, options)
    VALUES (wanted.pipeline_name, wanted.direction, wanted.outbox_name, wanted.group_name, wanted.inbox_name, wanted.enabled,
            wanted.connector, wanted.options)
    ON CONFLICT (pipeline_name) DO UPDATE
    SET outbox_name = excluded.outbox_name, group_name = excluded.group_name, inbox_name = excluded.inbox_name,
        enabled = excluded.enabled, connector = excluded.connector, options = excluded.options, changed_at = clock_timestamp()
    WHERE (p.outbox_name, p.group_name, p.inbox_name, p.enabled, p.connector, p.options)
          IS DISTINCT FROM (excluded.outbox_name, excluded.group_name, excluded.inbox_name, excluded.enabled, excluded.connector,
                            excluded.options);
    IF FOUND THEN
        PERFORM pgtrickle._tell_relays(wanted.direction, CASE WHEN before.pipeline_name IS NULL THEN 'created' ELSE 'updated' END,
                                       wanted.pipeline_name, wanted.enabled);
    END IF;
END
$fn$;
